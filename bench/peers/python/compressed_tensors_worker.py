"""compressed-tensors on torch: its rule for the scales, quantize and pack; unpack and dequantize."""
from importlib.metadata import version

from worker import Peer, serve


def load(folder, options):
    import numpy
    import torch
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    torch.set_num_threads(1)
    weight = torch.from_numpy(numpy.load(f"{folder}/weight.npy"))
    size = options["groupSize"]
    how = QuantizationArgs(
        num_bits=4,
        type="int",
        strategy="group",
        group_size=size,
        symmetric=options["symmetric"],
    )
    scheme = QuantizationScheme(targets=["Linear"], weights=how)
    compressor = BaseCompressor.get_value_from_registry("pack-quantized")

    def quantize():
        low, high = torch.aminmax(weight.unflatten(-1, (-1, size)), dim=-1)
        scale, zero = calculate_qparams(low, high, how)
        state = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero}
        return compressor.compress(state, scheme)

    parts = quantize()

    def dequantize():
        return compressor.decompress(parts, scheme)["weight"]

    return Peer(
        name=f"compressed-tensors {version('compressed-tensors')}",
        operations={"quantize": quantize, "dequantize": dequantize},
        parts=lambda: {name: part.numpy() for name, part in parts.items()},
        values=lambda: dequantize().numpy(),
    )


serve(load)
