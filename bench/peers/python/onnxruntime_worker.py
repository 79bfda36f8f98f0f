"""onnxruntime on the CPU: a model whose only operator reads the weight. Its scales are given, so it cannot quantize alone."""
from worker import Peer, serve


def load(folder, options):
    import numpy
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    # Folded constants would be computed before the clock runs.
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        f"{folder}/weight.onnx", settings, providers=["CPUExecutionProvider"]
    )
    values = numpy.empty(numpy.load(f"{folder}/weight.npy", mmap_mode="r").shape, numpy.float32)
    binding = session.io_binding()
    for rows in session.get_inputs():
        binding.bind_cpu_input(rows.name, numpy.arange(len(values)))
    binding.bind_output(
        session.get_outputs()[0].name, "cpu", 0, numpy.float32, values.shape, values.ctypes.data
    )

    def dequantize():
        session.run_with_iobinding(binding)
        return values

    return Peer(
        name=f"onnxruntime {onnxruntime.__version__}",
        operations={"dequantize": dequantize},
        parts=lambda: {},
        values=dequantize,
    )


serve(load)
