"""bitsandbytes on the CPU: quantize_4bit and dequantize_4bit."""
from worker import Peer, serve


def load(folder, options):
    import bitsandbytes
    import numpy
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    torch.set_num_threads(1)
    weight = torch.from_numpy(numpy.load(f"{folder}/weight.npy"))
    how = {"blocksize": 64, "quant_type": options["format"]}
    codes, state = quantize_4bit(weight, **how)
    return Peer(
        name=f"bitsandbytes {bitsandbytes.__version__}",
        operations={
            "quantize": lambda: quantize_4bit(weight, **how),
            "dequantize": lambda: dequantize_4bit(codes, state),
        },
        parts=lambda: {"weight": codes.numpy(), "absmax": state.absmax.numpy()},
        values=lambda: dequantize_4bit(codes, state).numpy(),
    )


serve(load)
