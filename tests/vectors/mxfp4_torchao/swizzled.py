"""Weights as torchao's configs leave them, scales in the order of tensor cores: swizzled.py, from tests/vectors on.

Writes mxfp4_torchao/input-tiles-bf16.safetensors, and a case of two tensors for each format:
more rows than a tile has and a part of a tile, and a matrix that fills one tile.
"""

import json
import os

import numpy as np
import torch
from safetensors.torch import save_file
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.mx_tensor import MXTensor
from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale
from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict

random = np.random.default_rng(20261125)
SHAPES = {"model.layers.0.self_attn.q_proj.weight": (131, 160), "model.layers.0.mlp.up_proj.weight": (128, 128)}
weights = {}
for name, shape in SHAPES.items():
    w = random.standard_normal(shape) * 0.04
    w *= 2.0 ** random.integers(-8, 9, (shape[0], shape[1] // 16)).repeat(16, 1)
    weights[name] = torch.from_numpy(w).to(torch.bfloat16)
save_file(weights, "mxfp4_torchao/input-tiles-bf16.safetensors")


def save(folder, tensors):
    os.makedirs(folder, exist_ok=True)
    flat, metadata = flatten_tensor_state_dict(tensors)
    save_file(flat, f"{folder}/model.safetensors", metadata)
    save_file({k: v.dequantize() for k, v in tensors.items()}, f"{folder}/dequant.safetensors")
    with open(f"{folder}/config.json", "w") as file:
        json.dump({"model_type": "llama", "torch_dtype": "bfloat16"}, file, indent=2)


save("mxfp4_torchao/mxfp4-tiles-bf16", {
    k: MXTensor.to_mx(w, torch.float4_e2m1fn_x2, 32, ScaleCalculationMode.RCEIL, is_swizzled_scales=True)
    for k, w in weights.items()
})
save("nvfp4_torchao/nvfp4-tiles-bf16", {
    k: NVFP4Tensor.to_nvfp4(w, per_tensor_scale=per_tensor_amax_to_scale(w.abs().max()), is_swizzled_scales=True)
    for k, w in weights.items()
})
