import { assertEquals } from "@std/assert";
import { floatModules, hasLayer, moduleOf } from "../../src/files/modules.ts";

const of = (name: string, shape: number[] = [64, 64]) => ({ name, shape });

Deno.test("a module is the name up to the last point", () => {
  assertEquals(["a.b.weight", "weight", ""].map(moduleOf), ["a.b", "", ""]);
});

Deno.test("libraries have layers for linear modules inside a model", () => {
  const linear = [
    "model.layers.0.mlp.gate_proj.weight",
    "model.layers.0.mlp.experts.3.w1.weight",
    "encoder.layer.0.attention.output.dense.weight",
    "h.0.attn.c_attn.weight",
    "time_embedder.linear_1.weight",
  ];
  const others = [
    "model.embed_tokens.weight",
    "transformer.wte.weight",
    "bert.embeddings.word_embeddings.weight",
    "shared.weight",
    "lm_head.weight",
    "embed_out.weight",
    "output.weight",
    "score.weight",
    "model.layers.0.mlp.gate.weight",
    "model.layers.0.mlp.shared_expert_gate.weight",
    "model.layers.0.mlp.router.weight",
    "model.layers.0.mlp.experts.gate_up_proj_bias",
  ];
  assertEquals(linear.filter((name) => !hasLayer(of(name), "linear")), []);
  assertEquals(others.filter((name) => hasLayer(of(name), "linear")), []);
  const conv = of("conv.weight", [8, 8, 3]);
  assertEquals(hasLayer(conv, "linear"), false);
});

Deno.test("or for stacks of experts", () => {
  const name = "model.layers.0.mlp.experts.gate_up_proj";
  assertEquals(hasLayer(of(name, [4, 64, 64]), "experts"), true);
  assertEquals(hasLayer(of(`${name}_bias`, [4, 64]), "experts"), false);
  assertEquals(hasLayer(of("layers.0.q_proj.weight"), "experts"), false);
});

Deno.test("modules that stay floats are named as far as a library looks at them", () => {
  const tensors = [
    of("b.weight"),
    { ...of("a.weight"), quantized: {} },
    of("a.bias", [64]),
    of("wte.weight"),
    of("conv.weight", [8, 8, 3]),
  ];
  assertEquals(floatModules(tensors, "linear"), ["b", "lm_head"]);
  assertEquals(floatModules(tensors), ["b", "conv", "wte"]);
  const head = { ...of("lm_head.weight"), quantized: {} };
  assertEquals(floatModules([...tensors, head], "linear"), ["b"]);
});
