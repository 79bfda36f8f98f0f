"""MLX on the CPU: mx.quantize and mx.dequantize. Nothing is lazy here: results are evaluated."""
from importlib.metadata import version

from worker import Peer, serve


def load(folder, options):
    import mlx.core as mx
    import numpy

    mx.set_default_device(mx.cpu)
    weight = mx.array(numpy.load(f"{folder}/weight.npy"))
    mx.eval(weight)
    how = {"group_size": options["groupSize"], "bits": 4, "mode": options["mode"]}

    def evaluated(made):
        mx.eval(made)
        return made

    def quantize():
        return evaluated(mx.quantize(weight, **how))

    parts = quantize()

    def dequantize():
        return evaluated(mx.dequantize(*parts, **how, dtype=mx.float32))

    return Peer(
        name=f"mlx {version('mlx')}",
        operations={"quantize": quantize, "dequantize": dequantize},
        parts=lambda: {
            name: numpy.array(part)
            for name, part in zip(("weight", "scales", "biases"), parts)
        },
        values=lambda: numpy.array(dequantize()),
    )


serve(load)
