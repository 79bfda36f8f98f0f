"""Small llamas as the libraries themselves save them: make.py (torchao | modelopt) FOLDER

Writes FOLDER/FORMAT, a checkpoint for each format.
"""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM


def llama():
    torch.manual_seed(20261125)
    config = LlamaConfig(
        architectures=["LlamaForCausalLM"],
        hidden_size=256,
        intermediate_size=384,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_hidden_layers=2,
        vocab_size=64,
        max_position_embeddings=128,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16)


def torchao(folder):
    from torchao.prototype.mx_formats.inference_workflow import (
        MXDynamicActivationMXWeightConfig,
        NVFP4WeightOnlyConfig,
    )
    from torchao.quantization.quantize_.common import KernelPreference
    from transformers import TorchAoConfig

    fp4 = torch.float4_e2m1fn_x2
    cases = {
        "mxfp4_torchao": MXDynamicActivationMXWeightConfig(
            activation_dtype=fp4, weight_dtype=fp4, kernel_preference=KernelPreference.EMULATED
        ),
        "nvfp4_torchao": NVFP4WeightOnlyConfig(),
    }
    llama().save_pretrained(f"{folder}/floats")
    for case, config in cases.items():
        quantization = TorchAoConfig(config, modules_to_not_convert=["lm_head"])
        model = AutoModelForCausalLM.from_pretrained(
            f"{folder}/floats", dtype=torch.bfloat16, quantization_config=quantization
        )
        model.save_pretrained(f"{folder}/{case}", max_shard_size="400KB")


def modelopt(folder):
    import modelopt.torch.quantization as mtq
    from modelopt.torch.export import export_hf_checkpoint

    cases = {
        "mxfp4_modelopt": mtq.MXFP4_DEFAULT_CFG,
        "nvfp4_modelopt": mtq.W4A16_NVFP4_CFG,
        "int4_modelopt": mtq.INT4_BLOCKWISE_WEIGHT_ONLY_CFG,
    }
    for case, config in cases.items():
        model = mtq.quantize(llama(), config, lambda m: m(torch.arange(32).reshape(1, 32)))
        export_hf_checkpoint(model, export_dir=f"{folder}/{case}")


{"torchao": torchao, "modelopt": modelopt}[sys.argv[1]](sys.argv[2])
