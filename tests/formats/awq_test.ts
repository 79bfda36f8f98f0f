/**
 * awq against checkpoints that AutoAWQ wrote: read bit for bit, written alike, and
 * refused where they contradict themselves.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize } from "../../mod.ts";
import { awq } from "../../src/formats/awq.ts";
import type { Part, Parts } from "../../src/words/format.ts";
import { f16ToF32 } from "../../src/numeric/f16.ts";
import { adversarial } from "../adversarial.ts";
import {
  assertReads,
  assertWrites,
  type GoldenCase,
  goldenEntries,
} from "./golden.ts";
import { candidateOf, goldenJson } from "./safetensors_vectors.ts";

const CASES = await goldenJson("awq/manifest.json") as GoldenCase[];
const convention = awq.convention!;

for (const one of CASES) {
  Deno.test(`awq: ${one.case} is read and written as AutoAWQ does`, async () => {
    const inputDtype = one.input_dtype.toUpperCase();
    const entries = await goldenEntries(awq, one);
    assert(entries.length > 0);
    for (const { tensor, candidate, parts, expected, values } of entries) {
      const { shape, options } = convention.recognize(candidate)!;
      const golden = { label: `${one.case} ${tensor}`, shape, options, parts };
      assertReads(awq, golden, expected);
      assertWrites(
        awq,
        { ...golden, options: { ...options, inputDtype } },
        values,
      );
      // The shapes of the parts tell as much as the config does, but for names.
      const bare = convention.recognize(candidateOf(parts))!;
      assertEquals(bare.shape, shape);
      assertReads(awq, { ...golden, ...bare }, expected);
    }
  });
}

const shape = [32, 64], values = adversarial(32 * 64).gauss;
const made = () => quantize(values, { format: "awq", shape, groupSize: 32 });

/** The parts of a good tensor with another shape for one of them. */
function reshaped(name: string, shape: number[], dtype?: "I32"): Parts {
  const parts = made().parts as unknown as Parts;
  const part = { ...parts[name], shape } as Part;
  return { ...parts, [name]: dtype ? { ...part, dtype } as Part : part };
}

Deno.test("awq: contradictions are told, other layouts are not taken for it", () => {
  const config = { quant_method: "awq", bits: 4, group_size: 32 };
  const recognize = (parts: Parts, settings: object = config) =>
    convention.recognize(candidateOf(parts, settings));
  const good = made().parts as unknown as Parts;
  assertEquals(recognize(good), { shape, options: { groupSize: 32 } });
  assertEquals(recognize(good, { quantization_config: config })?.shape, shape);
  for (
    const settings of [
      { ...config, version: "gemv" },
      { ...config, bits: 8 },
      { quant_method: "gptq" },
    ]
  ) assertEquals(recognize(good, settings), undefined);
  // gptq packs along the inputs.
  assertEquals(recognize(reshaped("qweight", [8, 32])), undefined);
  for (
    const [parts, settings] of [
      [good, { ...config, group_size: 64 }],
      [good, { ...config, group_size: -1 }],
      [good, { ...config, group_size: "32" }],
      [reshaped("qzeros", [1, 4]), config],
      [reshaped("scales", [3, 32]), config],
    ] as const
  ) {
    assertThrows(() => recognize(parts, settings), RangeError, "as awq");
  }
});

Deno.test("awq: settings that are written are the ones that are read", () => {
  for (const groupSize of [32, "row"] as const) {
    const { parts, options } = quantize(values, {
      format: "awq",
      shape,
      groupSize,
    });
    const config = convention.config!(options);
    const found = convention.recognize(
      candidateOf(parts as unknown as Parts, config),
    );
    assertEquals(found, { shape, options: { groupSize } });
  }
});

Deno.test("awq: shapes that the library does not take are refused by name", () => {
  const sized = (shape: number[], groupSize: number) => () =>
    quantize(new Float32Array(shape.reduce((a, b) => a * b)), {
      format: "awq",
      shape,
      groupSize,
    });
  assertEquals(sized([32, 64], 64)().parts.scales.shape, [1, 32]);
  assertThrows(sized([32, 64], 48), RangeError, "groupSize 48");
  assertThrows(sized([24, 64], 64), RangeError, "24 outputs");
  assertThrows(sized([2, 32, 64], 64), RangeError, "[2,32,64]");
});

Deno.test("awq: scales that no writer makes are refused", () => {
  const q = made();
  assert(dequantize(q).every(Number.isFinite));
  for (const bits of [0x7e00, 0xbc00]) {
    q.parts.scales.data[33] = bits;
    assertThrows(
      () => dequantize(q),
      RangeError,
      'part "scales" has ' + (bits === 0x7e00 ? "NaN" : "-1") +
        " for group [1, 1]",
    );
  }
});

Deno.test("awq: a group whose scale overflows is refused, or cut", () => {
  const large = values.slice();
  large[40] = 1e6;
  const options = { format: "awq", shape, groupSize: 32 } as const;
  assertThrows(() => quantize(large, options), RangeError, "group 1,");
  const cut = quantize(large, { ...options, nonFinite: "clamp" });
  assert(dequantize(cut).every(Number.isFinite));
  assert(dequantize(cut)[40] > 30000);
});

Deno.test("awq: quantizing what was dequantized moves no value by more than half a step", () => {
  const first = dequantize(made());
  const again = dequantize(
    quantize(first, { format: "awq", shape, groupSize: 32 }),
  );
  // Where a range starts between two multiples of its scale, only fifteen codes are used.
  const scales = quantize(first, { format: "awq", shape, groupSize: 32 })
    .parts.scales.data;
  first.forEach((x, i) => {
    const group = Math.floor(i % 64 / 32) * 32 + Math.floor(i / 64);
    const step = f16ToF32(scales[group]);
    assert(Math.abs(x - again[i]) <= 0.51 * step, `${x} ${again[i]} ${step}`);
  });
});
