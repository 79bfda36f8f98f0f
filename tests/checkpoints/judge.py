"""Loads checkpoints with the library that they are for, and compares every weight.

judge.py (torch | hqq | gptq | awq | autoawq | torchao | modelopt | mlx) QUANTIZED DEQUANTIZED [QUANTIZED DEQUANTIZED ...]

DEQUANTIZED is a folder with the float32 values that the weights should have. Prints a
line of JSON for each pair: which weights the library has quantized, and which of all
differ by a bit.
"""

import glob
import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"


def torch_weights(folder):
    from transformers import AutoModelForCausalLM, CompressedTensorsConfig

    with open(folder + "/config.json") as file:
        settings = json.load(file)["quantization_config"]
    groups = settings.get("config_groups", {}).values()
    # compressed-tensors 0.20 makes packed zero points no room where it loads packed
    # weights; transformers has it dequantize them instead.
    at_once = not all(group["weights"]["symmetric"] for group in groups)
    how = {"quantization_config": CompressedTensorsConfig(dequantize=True)}
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", **(how if at_once else {})
    )
    method = settings["quant_method"]
    quantized = {}
    if method == "bitsandbytes":
        import bitsandbytes as bnb

        for name, module in model.named_modules():
            if isinstance(module, bnb.nn.Linear4bit):
                weight = module.weight
                quantized[name] = bnb.functional.dequantize_4bit(
                    weight.data, weight.quant_state
                )
    else:
        from compressed_tensors.compressors import ModelCompressor

        packed = ".weight_packed"
        names = [n for n in load_all(folder, load_torch) if n.endswith(packed)]
        if not at_once:
            config = model.config.quantization_config
            ModelCompressor.from_compression_config(config).decompress_model(model)
        for name in (name[: -len(packed)] for name in names):
            quantized[name] = model.get_submodule(name).weight.data
    plain = {
        name[: -len(".weight")]: value
        for name, value in model.state_dict().items()
        if name.endswith(".weight") and name[: -len(".weight")] not in quantized
    }
    return quantized, plain, torch_same


def hqq_weights(folder):
    import torch
    from hqq.core.quantize import HQQLinear

    entries = load_all(folder, load_torch)
    quantized = {}
    for name in [name[: -len(".W_q")] for name in entries if name.endswith(".W_q")]:
        module = HQQLinear(
            None, None, compute_dtype=torch.float16, device="cpu", initialize=False
        )
        state = {
            key[len(name) + 1 :]: value
            for key, value in entries.items()
            if key.startswith(name + ".")
        }
        module.load_state_dict(state)
        quantized[name] = module.dequantize()
    plain = {n[: -len(".weight")]: v for n, v in entries.items() if n.endswith(".weight")}
    return quantized, plain, torch_same


def gptq_weights(folder):
    import torch
    from gptqmodel import BACKEND, GPTQModel
    from tokenizers import Tokenizer, models

    # GPTQModel loads no model without a tokenizer.
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.save(folder + "/tokenizer.json")
    with open(folder + "/tokenizer_config.json", "w") as file:
        names = {"unk_token": "<unk>", "eos_token": "<unk>", "pad_token": "<unk>"}
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", **names}, file)
    model = GPTQModel.load(
        folder, backend=BACKEND.TORCH, device="cpu", dtype=torch.float16
    ).model
    quantized, plain = {}, {}
    for name, module in model.named_modules():
        if hasattr(module, "dequantize_weight"):
            quantized[name] = module.dequantize_weight().T.contiguous()
        elif hasattr(module, "qweight"):
            # AWQ: what an identity matrix is multiplied to.
            rows = torch.eye(module.in_features, dtype=torch.float16)
            quantized[name] = (module(rows) - (0 if module.bias is None else module.bias)).T
        elif hasattr(module, "weight"):
            plain[name] = module.weight
    # What is not quantized is rounded to float16 as it is loaded.
    want = load_all(folder, load_torch)
    wrong = [n for n, w in plain.items() if not torch.equal(w, want[n + ".weight"].half())]
    if wrong:
        raise ValueError(f"loaded otherwise: {wrong}")
    return quantized, {n: want[n + ".weight"] for n in plain}, torch_same


def load_torch(path):
    from safetensors.torch import load_file

    return load_file(path)


def autoawq_weights(folder):
    from awq.utils.packing_utils import dequantize_gemm

    with open(folder + "/config.json") as file:
        settings = json.load(file)["quantization_config"]
    entries = load_all(folder, load_torch)
    quantized = {}
    for name in [n[: -len(".qweight")] for n in entries if n.endswith(".qweight")]:
        parts = [entries[f"{name}.{part}"] for part in ("qweight", "qzeros", "scales")]
        values = dequantize_gemm(*parts, settings["bits"], settings["group_size"])
        quantized[name] = values.T
    plain = {n[: -len(".weight")]: v for n, v in entries.items() if n.endswith(".weight")}
    return quantized, plain, torch_same


def awq_weights(folder):
    """compressed-tensors has a reader of AutoAWQ's checkpoints, configs too."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.entrypoints.convert import AutoAWQConverter

    with open(folder + "/config.json") as file:
        settings = json.load(file)["quantization_config"]
    converter = AutoAWQConverter.from_autoawq_config(settings)
    (scheme,) = converter.update_config(None).config_groups.values()
    entries = load_all(folder, load_torch)
    # What a targeted module needs is checked by the names of layers of the model.
    converter.targets = ["re:.*proj"]
    converter.validate(entries)
    entries = converter.process(entries)
    decompress = BaseCompressor.get_value_from_registry("pack-quantized").decompress
    quantized = {}
    for name in [n for n in entries if n.endswith(".weight_packed")]:
        stem = name[: -len(".weight_packed")]
        state = {
            key[len(stem) + 1 :]: value
            for key, value in entries.items()
            if key.startswith(stem + ".")
        }
        quantized[stem] = decompress(state, scheme)["weight"]
    plain = {n[: -len(".weight")]: v for n, v in entries.items() if n.endswith(".weight")}
    return quantized, plain, torch_same


def torchao_weights(folder):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    quantized, plain = {}, {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if type(weight).__name__ in ("MXTensor", "NVFP4Tensor"):
            quantized[name] = weight.dequantize()
            out = module(torch.randn(32, module.in_features, dtype=weight.orig_dtype))
            if out.shape != (32, module.out_features) or not out.isfinite().all():
                raise ValueError(f"{name} computes nothing")
        elif weight is not None:
            plain[name] = weight
    return quantized, plain, torch_same


def modelopt_weights(folder):
    """ModelOpt loads no checkpoint that it exports; its own tensors read the arrays."""
    import torch
    from modelopt.torch.export.convert_hf_config import convert_hf_quant_config_format
    from modelopt.torch.quantization.qtensor import MXFP4QTensor, NVFP4QTensor

    with open(folder + "/hf_quant_config.json") as file:
        own = json.load(file)
    with open(folder + "/config.json") as file:
        settings = json.load(file)["quantization_config"]
    wrong = {
        key: value
        for key, value in convert_hf_quant_config_format(own).items()
        if settings.get(key) != value
    }
    if wrong:
        raise ValueError(f"config.json lacks {wrong}")
    entries = load_all(folder, load_torch)
    quantized, plain = {}, {}
    for name in [n[: -len(".weight")] for n in entries if n.endswith(".weight")]:
        weight, scale = entries[name + ".weight"], entries.get(name + ".weight_scale")
        shape = (*weight.shape[:-1], 2 * weight.shape[-1])
        if scale is None:
            plain[name] = weight
        elif name + ".weight_scale_2" in entries:
            quantized[name] = NVFP4QTensor(shape, torch.float32, weight).dequantize(
                scale=scale, double_scale=entries[name + ".weight_scale_2"], block_sizes={-1: 16}
            )
        elif scale.dtype == torch.uint8:
            quantized[name] = MXFP4QTensor(shape, torch.float32, weight).dequantize(
                scale=scale.reshape(-1, 1), block_sizes={-1: 32}
            )
        else:
            quantized[name] = modelopt_int4(weight, scale, own["quantization"]["group_size"])
    return quantized, plain, torch_same


def modelopt_int4(weight, scale, group):
    """The library packs such weights and has no way back: theirs is what is packed alike."""
    import torch
    from modelopt.torch.export.quant_utils import pack_int4_in_uint8

    codes = torch.stack([weight & 15, weight >> 4], 1).reshape(-1, weight.shape[1]).to(torch.int8)
    values = ((codes ^ 8) - 8).float() * scale.float().repeat_interleave(group, 1)
    if not torch.equal(pack_int4_in_uint8(values, scale.float(), group), weight):
        raise ValueError("packed otherwise")
    return values


def mlx_weights(folder):
    from pathlib import Path

    import mlx.core as mx
    from mlx_lm.utils import load_model

    mx.set_default_device(mx.cpu)
    model, _ = load_model(Path(folder))
    quantized, plain = {}, {}
    for name, m in model.named_modules():
        if hasattr(m, "scales"):
            biases = getattr(m, "biases", None)
            quantized[name] = mx.dequantize(
                m.weight, m.scales, biases, m.group_size, m.bits, m.mode
            )
        elif hasattr(m, "weight"):
            plain[name] = m.weight
    return quantized, plain, mlx_same


def torch_same(path):
    import torch

    want = load_all(path, load_torch)
    return lambda name, value: torch.equal(
        value.detach().float().view(torch.int32), want[name].float().view(torch.int32)
    )


def mlx_same(path):
    import mlx.core as mx

    want = load_all(path, mx.load)
    return lambda name, value: mx.array_equal(
        value.astype(mx.float32).view(mx.uint32), want[name].view(mx.uint32)
    ).item()


def load_all(folder, load):
    entries = {}
    for path in sorted(glob.glob(folder + "/*.safetensors")):
        entries.update(load(path))
    return entries


WEIGHTS = {
    "torch": torch_weights,
    "hqq": hqq_weights,
    "gptq": gptq_weights,
    "awq": awq_weights,
    "autoawq": autoawq_weights,
    "torchao": torchao_weights,
    "modelopt": modelopt_weights,
    "mlx": mlx_weights,
}


def main(library, *folders):
    for folder, floats in zip(folders[::2], folders[1::2]):
        quantized, plain, same_as = WEIGHTS[library](folder)
        same = same_as(floats)
        differ = [
            name
            for name, value in {**quantized, **plain}.items()
            if not same(name + ".weight", value)
        ]
        told = {"quantized": sorted(quantized), "plain": sorted(plain), "differ": differ}
        print("\n" + json.dumps(told))


main(*sys.argv[1:])
