// inspect tells which library has quantized a checkpoint.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { json, run, vectorPath } from "./support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { weightLike, writeNpy } from "./support.ts";

const folder = new URL("../vectors/", import.meta.url).pathname;

/** Checkpoints, and who has quantized them. */
const MADE: readonly (readonly [path: string, by: string])[] = [
  ["gptq/gptqmodel-v2-sym-g64-desc_act", "gptqmodel 7.7.0"],
  ["gptq/autogptq-v1-asym-g32", "GPTQModel or AutoGPTQ"],
  ["awq/awq-gemm-g32", "AutoAWQ"],
  ["compressed_tensors/pack-g32-asym-bf16", "compressed-tensors 0.20.0"],
  ["hqq/hqq-axis1-g64-noopt-f16", "HQQ"],
  ["mlx/lm_affine", "MLX"],
  ["nf4/nf4-b64-bf16-nested", "bitsandbytes"],
  ["mxfp4_hf/quantized", "transformers"],
  ["mxfp4_torchao/mxfp4-even-bf16", "torchao"],
  ["nvfp4_modelopt/f16", "modelopt 0.47.0"],
];

for (const [path, by] of MADE) {
  Deno.test(`inspect: ${path} was quantized by ${by}`, async () => {
    const file = `${folder}${path}/model.safetensors`;
    const { quantizedBy } = await json("inspect", file);
    assertEquals(quantizedBy, [by]);
    const { out } = await run("inspect", file);
    assertStringIncludes(out.replaceAll(/ +/g, " "), `quantized by ${by}\n`);
  });
}

Deno.test("inspect: what nothing has quantized was so by nobody, and what this program has by it", async () => {
  assertEquals(
    (await json("inspect", vectorPath("mixed.safetensors"))).quantizedBy,
    [],
  );
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weightLike(32, 64), [32, 64]);
    await json(
      "quantize",
      path("w.npy"),
      "-o",
      path("w.safetensors"),
      "--format",
      "awq",
      "--group-size",
      "32",
    );
    const { quantizedBy } = await json("inspect", path("w.safetensors"));
    assertEquals(quantizedBy, ["nibblewise"]);
  });
});
