"""Depthwise convolutions that ai-edge-quantizer 0.10.0 quantizes: depthwise.py, in this folder.

A float model with one DEPTHWISE_CONV_2D by the schema of LiteRT 2.3.0, its weight [1, 3, 3, channels]
quantized along the last axis. Writes CASE.tflite, and CASE.safetensors with what went in (`input`), the
arrays, and what the interpreter makes of them (`dequant`).
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as S
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import qtyping, quantizer, recipe
from safetensors.numpy import save_file


def float_model(w):
    _, height, width, channels = w.shape
    m = S.ModelT()
    m.version = 3
    oc = S.OperatorCodeT()
    oc.builtinCode = oc.deprecatedBuiltinCode = S.BuiltinOperator.DEPTHWISE_CONV_2D
    oc.version = 1
    m.operatorCodes = [oc]
    m.buffers = [S.BufferT(), S.BufferT(), S.BufferT()]
    m.buffers[1].data = np.frombuffer(w.tobytes(), np.uint8)
    m.buffers[2].data = np.zeros(4 * channels, np.uint8)

    def tensor(name, shape, buffer):
        t = S.TensorT()
        t.name, t.shape, t.type, t.buffer = name, list(shape), S.TensorType.FLOAT32, buffer
        return t

    g = S.SubGraphT()
    g.name = b"main"
    g.tensors = [
        tensor(b"x", (1, height, width, channels), 0),
        tensor(b"weight", w.shape, 1),
        tensor(b"bias", (channels,), 2),
        tensor(b"y", (1, 1, 1, channels), 0),
    ]
    o = S.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = 0, [0, 1, 2], [3]
    o.builtinOptionsType = S.BuiltinOptions.DepthwiseConv2DOptions
    o.builtinOptions = S.DepthwiseConv2DOptionsT()
    o.builtinOptions.padding = S.Padding.VALID
    o.builtinOptions.strideH = o.builtinOptions.strideW = o.builtinOptions.depthMultiplier = 1
    o.builtinOptions.dilationHFactor = o.builtinOptions.dilationWFactor = 1
    g.operators, g.inputs, g.outputs = [o], [0], [3]
    m.subgraphs = [g]
    sd, a, b = S.SignatureDefT(), S.TensorMapT(), S.TensorMapT()
    sd.signatureKey, sd.subgraphIndex = b"serving_default", 0
    a.name, a.tensorIndex, b.name, b.tensorIndex = b"x", 0, b"y", 3
    sd.inputs, sd.outputs = [a], [b]
    m.signatureDefs = [sd]
    builder = flatbuffers.Builder(1024)
    builder.Finish(m.Pack(builder), b"TFL3")
    return bytes(builder.Output())


rng = np.random.default_rng(20261125)
for channels, symmetric in ((10, True), (7, True), (7, False)):
    w = (rng.standard_normal((1, 3, 3, channels)) * 0.1).astype(np.float32)
    w[..., 0], w[..., 1] = 0, np.abs(w[..., 1])
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=4,
            symmetric=symmetric,
            granularity=qtyping.QuantGranularity.CHANNELWISE,
            dtype=qtyping.TensorDataType.INT,
        ),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
        skip_checks=True,
    )
    q = quantizer.Quantizer(float_model(w))
    q.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.DEPTHWISE_CONV_2D,
        op_config=config,
        algorithm_key=recipe.AlgorithmName.MIN_MAX_UNIFORM_QUANT,
    )
    made = bytes(q.quantize().quantized_model)
    case = f"DEPTHWISE_{channels}_{'sym' if symmetric else 'asym'}"
    with open(f"{case}.tflite", "wb") as file:
        file.write(made)
    model = S.ModelT.InitFromPackedBuf(made, 0)
    (weight,) = [t for t in model.subgraphs[0].tensors if t.type == S.TensorType.INT4]
    own = weight.quantization
    print(case, own.quantizedDimension, len(own.scale))
    tensors = {
        "input": w,
        "weight": np.array(model.buffers[weight.buffer].data, np.uint8),
        "scale": np.array(own.scale, np.float32),
    }
    if not symmetric:
        tensors["zero_point"] = np.array(own.zeroPoint, np.int64)
    run = Interpreter(model_content=made, experimental_preserve_all_tensors=True)
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], np.ones((1, 3, 3, channels), np.float32))
    run.invoke()
    for d in run.get_tensor_details():
        if list(d["shape"]) == list(w.shape) and d["dtype"] == np.float32 and "x" != d["name"]:
            tensors["dequant"] = run.get_tensor(d["index"]).copy()
    save_file(tensors, f"{case}.safetensors")
