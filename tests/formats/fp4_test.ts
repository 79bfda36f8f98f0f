/**
 * fp4 against files that bitsandbytes wrote: read bit for bit, and written alike but
 * for the codes at thresholds and around zero, where CPU and GPU differ.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, fp4, quantize } from "../../mod.ts";
import type { Part, Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { goldenTensorsOf, testGolden } from "./golden_checkpoints.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES = [
  { name: "fp4-b64-f32", input: "f32" },
  { name: "fp4-b4096-f32", input: "f32" },
  { name: "fp4-b128-bf16-nested", input: "bf16" },
];

testGolden(fp4, CASES.map(({ name }) => ({ name })));

/** Codes of a part, the first of two in the high nibble. */
function codesOf({ data }: Part): number[] {
  return [...data as Uint8Array].flatMap((byte) => [byte >> 4, byte & 15]);
}

/** Halfway between neighbouring magnitudes. */
const MIDPOINTS = [
  0.0625 / 24,
  1.03125 / 12,
  2.5 / 12,
  3.5 / 12,
  5 / 12,
  7 / 12,
]
  .concat(10 / 12);

for (const { name, input } of CASES) {
  Deno.test(`fp4: ${name} is quantized as bitsandbytes does, but at thresholds`, async () => {
    const inputs = await goldenTensors(`nf4/input-${input}.safetensors`);
    let apart = 0, count = 0;
    for (const tensor of await goldenTensorsOf(fp4, { name })) {
      const { parts, candidate } = tensor;
      const { shape, options } = fp4.convention!.recognize(candidate)!;
      const values = floatsOf(inputs.get(tensor.name)!);
      const made = quantize(values, { format: "fp4", shape, ...options });
      const { absmax, nested_absmax, quant_map } = made.parts;
      assertSameBytes(quant_map.data, parts.quant_map.data);
      if (nested_absmax) {
        assertEquals(
          nested_absmax.data.length,
          parts.nested_absmax.data.length,
        );
      } else assertSameBytes(absmax.data, parts.absmax.data);
      const own = codesOf(made.parts.weight), its = codesOf(parts.weight);
      const { blockSize } = fp4.resolve(options, shape);
      own.forEach((code, i) => {
        count++;
        // Codes 0 and 8 are the same value; others differ at a threshold only.
        if (code === its[i] || code % 8 === 0 && its[i] % 8 === 0) return;
        apart++;
        const block = values.subarray(
          i - i % blockSize,
          i - i % blockSize + blockSize,
        );
        const largest = block.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        const scaled = Math.abs(values[i]) / largest;
        assert(
          MIDPOINTS.some((middle) => Math.abs(scaled / middle - 1) < 2 ** -19),
          `${name} ${i}: ${code} ${its[i]} ${scaled}`,
        );
      });
    }
    assert(count > 1000 && apart < count / 50, `${apart} of ${count}`);
  });
}

Deno.test("fp4: code 8 is for what is below 0, the odd nibble is code 0", () => {
  const values = Float32Array.of(1, 1e-4, -1e-4, 0, -0);
  const { parts } = quantize(values, { format: "fp4" });
  assertEquals(codesOf(parts.weight), [3, 0, 8, 0, 0, 0]);
  const back = dequantize(quantize(values, { format: "fp4" }));
  for (const x of back.subarray(1)) assert(Object.is(x, 0));
});

Deno.test("fp4: magnitudes part just beyond the thresholds of CUDA", () => {
  const thresholds = [0.00260417, 0.0859375, 0.20833333, 0.29166667];
  thresholds.push(0.4166667, 0.583333, 0.8333333);
  const ascending = [0, 1, 6, 7, 4, 5, 2, 3];
  const word = new Float32Array(1), bits = new Uint32Array(word.buffer);
  thresholds.forEach((threshold, i) => {
    word[0] = threshold;
    const at = word[0];
    bits[0]++;
    const values = Float32Array.of(1, at, word[0], -at, -word[0]);
    const codes = codesOf(quantize(values, { format: "fp4" }).parts.weight);
    const [low, high] = [ascending[i], ascending[i + 1]];
    assertEquals(codes.slice(1, 5), [low, high, low | 8, high | 8]);
  });
});

Deno.test("fp4: quantizing what was dequantized gives the same codes and scales", () => {
  for (const [set, values] of Object.entries(adversarial(4096))) {
    const first = quantize(values, { format: "fp4" });
    if (first.parts.absmax.data.some((x) => x > 0 && x < 1e-37)) continue;
    const again = quantize(dequantize(first), { format: "fp4" });
    assertSameBytes(again.parts.absmax.data, first.parts.absmax.data, set);
    assertSameBytes(dequantize(again), dequantize(first), set);
  }
});

Deno.test("fp4: a text that says nf4 and a scale that is none are refused", async () => {
  const [{ parts, candidate }] = await goldenTensorsOf(fp4, CASES[0]);
  const { shape, options } = fp4.convention!.recognize(candidate)!;
  const tensor = { format: "fp4", shape, options } as const;
  dequantize({ ...tensor, parts });
  const text = candidate.text("quant_state")!.replace("fp4", "nf4");
  assertThrows(
    () => fp4.convention!.recognize({ ...candidate, text: () => text }),
    RangeError,
    'its quant_type is "nf4", not "fp4"',
  );
  const data = (parts.absmax.data as Float32Array).slice();
  data[1] = NaN;
  const bad: Parts = { ...parts, absmax: { ...parts.absmax, data } as Part };
  assertThrows(
    () => dequantize({ ...tensor, parts: bad }),
    RangeError,
    'part "absmax": it has NaN at index 1',
  );
});
