"""Runs a model that nibblewise wrote with onnxruntime and compares it with dequantized weights.

    python3 onnx_judge.py MODEL.onnx WEIGHTS.f32 ROWS COLUMNS

Prints the largest difference, as a fraction of the largest magnitude that is expected.
"""
import sys

import numpy as np
import onnxruntime as ort

model, weights, rows, columns = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
w = np.fromfile(weights, np.float32).reshape(rows, columns)
session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
inputs = session.get_inputs()
if not inputs:
    expected = w
    got = session.run(None, {})[0]
elif inputs[0].type == "tensor(int64)":
    order = np.arange(rows)[::-1].copy()
    expected = w[order]
    got = session.run(None, {inputs[0].name: order})[0]
else:
    half = inputs[0].type == "tensor(float16)"
    a = np.random.default_rng(1).standard_normal((3, columns)).astype(np.float16 if half else np.float32)
    expected = a.astype(np.float64) @ w.astype(np.float64).T
    got = session.run(None, {inputs[0].name: a})[0]
assert got.shape == expected.shape, (got.shape, expected.shape)
print(np.abs(got.astype(np.float64) - expected).max() / np.abs(expected).max())
