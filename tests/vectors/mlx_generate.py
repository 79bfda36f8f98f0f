"""Makes model.safetensors and dequant.safetensors of mlx/* anew from input.safetensors and config.json beside them.

python3 -m venv /tmp/mlx && /tmp/mlx/bin/pip install 'mlx[cpu]==0.32.4'
/tmp/mlx/bin/python tests/vectors/mlx_generate.py
"""

import json
from pathlib import Path

import mlx.core as mx

for folder in sorted(Path(__file__).with_name("mlx").iterdir()):
    if folder.name.startswith("lm_"):
        continue  # saved by mlx-lm
    settings = json.loads((folder / "config.json").read_text())["quantization"]
    how = {"group_size": settings["group_size"], "bits": 4, "mode": settings["mode"]}
    dtype = getattr(mx, next(word for word in folder.name.split("_") if "float" in word))
    x = mx.load(str(folder / "input.safetensors"))["weight"].astype(dtype)
    if folder.name.endswith("_global"):
        how["global_scale"] = mx.max(mx.abs(x)).astype(mx.float32)
    weight, scales, *biases = mx.quantize(x, **how)
    tensors = {"layer.weight": weight, "layer.scales": scales}
    if biases:
        tensors["layer.biases"] = biases[0]
        values = {"weight": mx.dequantize(weight, scales, biases[0], **how)}
    else:
        if "global_scale" in how:
            tensors["layer.global_scale"] = how["global_scale"]
        values = {"weight": mx.dequantize(weight, scales, dtype=dtype, **how)}
        if dtype != mx.float32:
            values["weight_f32"] = mx.dequantize(weight, scales, dtype=mx.float32, **how)
    mx.save_safetensors(str(folder / "model.safetensors"), tensors, metadata={"format": "mlx"})
    mx.save_safetensors(str(folder / "dequant.safetensors"), values)
