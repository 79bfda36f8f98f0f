/**
 * int4_modelopt against a checkpoint whose codes ModelOpt packed.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize } from "../../mod.ts";
import { int4_modelopt } from "../../src/formats/int4_modelopt.ts";
import type { Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertReads, assertWrites, goldenEntries } from "./golden.ts";
import { candidateOf, goldenJson } from "./safetensors_vectors.ts";

const convention = int4_modelopt.convention!;
const CASE = { case: "int4_awq-export-bf16", input: "input-bf16.safetensors" };

Deno.test("int4_modelopt: the export is recognized, read and written", async () => {
  const settings = await goldenJson(
    `int4_modelopt/${CASE.case}/hf_quant_config.json`,
  );
  const entries = await goldenEntries(int4_modelopt, CASE);
  assert(entries.length > 0);
  for (const { tensor, parts, expected, values } of entries) {
    const found = convention.recognize(candidateOf(parts, settings))!;
    const golden = { label: tensor, ...found, parts };
    assertReads(int4_modelopt, golden, expected);
    // The library leaves out the last of an odd number of outputs.
    const [outputs, inputs] = found.shape;
    assertWrites(int4_modelopt, golden, values.subarray(0, outputs * inputs));
  }
});

const shape = [6, 64], values = adversarial(384).gauss;
const made = (options: object = {}, size = shape) =>
  quantize(values, {
    format: "int4_modelopt",
    shape: size,
    groupSize: 32,
    ...options,
  });

Deno.test("int4_modelopt: contradictions are told, other layouts are not taken for it", () => {
  const q = made(), good = q.parts as unknown as Parts;
  const config = convention.config!(q.options).quantization_config as object;
  const recognize = (parts: Parts, settings: unknown = config) =>
    convention.recognize(candidateOf(parts, settings));
  assertEquals(recognize(good), { shape, options: q.options });
  assertEquals(
    recognize(good, { quantization_config: config }),
    recognize(good, undefined),
  );
  assertEquals(recognize(good, { quant_algo: "NVFP4" }), undefined);
  const { weight, weight_scale } = good;
  const bytes = { ...weight_scale, dtype: "U8" } as typeof weight;
  assertEquals(recognize({ ...good, weight_scale: bytes }), undefined);
  for (
    const [parts, settings] of [
      [good, { ...config, group_size: 64 }],
      [{ ...good, weight_scale: { ...weight_scale, shape: [4, 3] } }, config],
      [{ ...good, weight_scale: { ...weight_scale, shape: [6, 5] } }, config],
    ] as [Parts, unknown][]
  ) {
    assertThrows(
      () => recognize(parts, settings),
      RangeError,
      "as int4_modelopt",
    );
  }
});

Deno.test("int4_modelopt: outputs are packed in pairs, whole groups only", () => {
  const { parts } = made();
  assertEquals(parts.weight.shape, [3, 64]);
  assertThrows(() => made({}, [3, 128]), RangeError, "3 outputs");
  assertThrows(() => made({ groupSize: 48 }), RangeError, "groupSize 48");
  assertThrows(() => made({}, [2, 3, 64]), RangeError, "[2,3,64]");
});

Deno.test("int4_modelopt: scales that no writer makes are refused", () => {
  const q = made();
  assert(dequantize(q).every(Number.isFinite));
  for (const bad of [NaN, -1]) {
    q.parts.weight_scale.data[3] = bad;
    assertThrows(() => dequantize(q), RangeError, "for group [1, 1]");
  }
});
