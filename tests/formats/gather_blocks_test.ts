/**
 * gather_blocks against models that onnxruntime's quantizer wrote.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize } from "../../mod.ts";
import { gather_blocks } from "../../src/formats/gather_blocks.ts";
import { adversarial } from "../adversarial.ts";
import { assertReads, assertWrites } from "./golden.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

for (const symmetric of [true, false]) {
  const label = `${symmetric ? "sym" : "asym"}_b32`;
  Deno.test(`gather_blocks: ${label} is read and written as onnxruntime does`, async () => {
    const { input, dequant, ...parts } = Object.fromEntries(
      await goldenTensors(`gather_blocks/${label}.safetensors`),
    );
    const { shape } = input, options = { symmetric };
    const golden = { label, shape, options, parts };
    assertReads(gather_blocks, golden, floatsOf(dequant));
    assertWrites(gather_blocks, golden, floatsOf(input));
  });
}

const shape = [9, 65], values = adversarial(585).gauss;

Deno.test("gather_blocks: codes and zero points run over the ends of odd rows", () => {
  const q = quantize(values, {
    format: "gather_blocks",
    shape,
    symmetric: false,
  });
  assertEquals(q.parts.data.shape, [293]);
  assertEquals(q.parts.scales.shape, [9, 3]);
  assertEquals(q.parts.zero_points!.shape, [14]);
  const all = dequantize(q);
  // Each row alone is a tensor whose codes start at a byte.
  for (let r = 0; r < 9; r++) {
    const row = quantize(values.subarray(65 * r, 65 * (r + 1)), {
      format: "gather_blocks",
      symmetric: false,
    });
    assertEquals(dequantize(row), all.slice(65 * r, 65 * (r + 1)));
  }
});

Deno.test("gather_blocks: numbers and options that nobody writes are refused", () => {
  const made = (options: object) =>
    quantize(values, { format: "gather_blocks", shape, ...options });
  const signed = made({}), unsigned = made({ symmetric: false });
  assert(signed.parts.scales.data.some((s) => s < 0));
  assert(dequantize(signed).every(Number.isFinite));
  signed.parts.scales.data[4] = NaN;
  assertThrows(() => dequantize(signed), RangeError, "for group [1, 1]");
  assert(dequantize(unsigned).every(Number.isFinite));
  unsigned.parts.scales.data[4] = -1;
  assertThrows(
    () => dequantize(unsigned),
    RangeError,
    "has -1 for group [1, 1]",
  );
  assertEquals(made({ blockSize: 16 }).parts.scales.shape, [9, 5]);
  assertThrows(() => made({ blockSize: 8 }), RangeError, "blockSize");
  assertThrows(() => made({ blockSize: 48 }), RangeError, "blockSize");
});
