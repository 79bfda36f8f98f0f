"""Makes constants.onnx: weights that are outputs of Constant nodes, as other exporters write them.

Float32 values are 0, 1, 2, …; the INT4 codes of `q` count from -8 to 7 again and again.
"""
import os
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

def constant(name, tensor):
    return helper.make_node("Constant", [], [name], value=tensor)

def floats(name, *shape):
    return constant(name, numpy_helper.from_array(np.arange(np.prod(shape), dtype=np.float32).reshape(shape)))

codes = helper.make_tensor("", TensorProto.INT4, [4, 32], [i % 16 - 8 for i in range(128)])
body = helper.make_graph([floats("inner", 2, 3)], "body", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2, 3])])
nodes = [
    floats("w", 32, 4), constant("q_codes", codes), floats("q_scale", 4, 1),
    helper.make_node("Constant", [], ["axis"], value_int=1),
    helper.make_node("DequantizeLinear", ["q_codes", "q_scale"], ["q"], axis=1, block_size=32),
    helper.make_node("MatMul", ["x", "w"], ["y"]),
    helper.make_node("If", ["c"], ["z"], name="if", then_branch=body, else_branch=body),
]
graph = helper.make_graph(
    nodes, "constants",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
    [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("q", [4, 32]), ("y", [1, 4]), ("z", [2, 3]))],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "constants.onnx"))
