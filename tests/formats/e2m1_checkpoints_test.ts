/**
 * The E2M1 formats of checkpoints against their libraries: golden files, what their
 * rules do at the edges, what they become of one another, and bad input.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type AnyQuantized,
  dequantize,
  type Format,
  type FormatName,
  mxfp4_ct,
  mxfp4_hf,
  mxfp4_modelopt,
  mxfp4_torchao,
  nvfp4_ct,
  nvfp4_torchao,
  type Part,
  type Parts,
  quantize,
  repack,
} from "../../mod.ts";
import { dequantizeWith } from "../../src/core.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { goldenTensorsOf, testGolden } from "./golden.ts";
import { candidateOf, floatsOf, goldenTensors } from "./safetensors_vectors.ts";

/** transformers gives [experts, in, out]: here as the file has it. */
function untransposed(part: Part): Float32Array {
  const [experts, columns, rows] = part.shape, values = floatsOf(part);
  return values.map((_, i) => {
    const expert = Math.floor(i / (rows * columns)), at = i % (rows * columns);
    const row = Math.floor(at / columns), column = at % columns;
    return values[(expert * columns + column) * rows + row];
  }).subarray(0, experts * rows * columns);
}

testGolden(mxfp4_hf, [
  {
    name: "quantized",
    input: "mxfp4_hf/input.safetensors",
    arrange: untransposed,
  },
  { name: "random-bytes", arrange: untransposed },
]);

Deno.test("mxfp4_hf: in float32 it is what transformers makes in float32", async () => {
  const values = await goldenTensors(
    "mxfp4_hf/random-bytes/dequant.safetensors",
  );
  const golden = await goldenTensorsOf(mxfp4_hf, { name: "random-bytes" });
  assert(golden.length > 0);
  for (const { name, parts, candidate } of golden) {
    const { shape } = mxfp4_hf.convention!.recognize(candidate)!;
    const options = { computeDtype: "F32" };
    const tensor = { format: "mxfp4_hf", shape, options, parts };
    assertSameBytes(
      dequantizeWith(mxfp4_hf, tensor),
      untransposed(values.get(`${name}.f32`)!),
      name,
    );
  }
});

testGolden(
  mxfp4_ct,
  (["BF16", "F16", "F32"] as const).map((inputDtype) => ({
    name: `mxfp4-${inputDtype.toLowerCase()}`,
    input: `mxfp4_ct/input-grouped-${inputDtype.toLowerCase()}.safetensors`,
    options: { inputDtype },
  })),
);

testGolden(
  nvfp4_ct,
  (["BF16", "F32"] as const).map((inputDtype) => ({
    name: `nvfp4-${inputDtype.toLowerCase()}`,
    input: `mxfp4_ct/input-grouped-${inputDtype.toLowerCase()}.safetensors`,
    options: { inputDtype },
  })),
);

testGolden(
  mxfp4_modelopt,
  (["BF16", "F32"] as const).map((computeDtype) => ({
    name: `mxfp4-${computeDtype.toLowerCase()}`,
    input: `mxfp4_modelopt/input-${computeDtype.toLowerCase()}.safetensors`,
    options: { computeDtype },
  })),
);

testGolden(
  mxfp4_torchao,
  ["floor-f32", "floor-bf16", "even-bf16", "ceil-f32", "rceil-f32"].concat(
    "rceil-bf16",
  ).map((name) => {
    const [scaleRule, dtype] = name.split("-");
    const input = `mxfp4_torchao/input-${dtype}.safetensors`;
    return { name: `mxfp4-${name}`, input, options: { scaleRule } };
  }),
);

testGolden(
  nvfp4_torchao,
  ["1level-f32", "1level-bf16", "2level-f32", "2level-bf16"].map((name) => ({
    name: `nvfp4-${name}`,
    input: `mxfp4_torchao/input-${name.split("-")[1]}.safetensors`,
  })),
);
