/**
 * compressed_tensors against checkpoints that compressed-tensors 0.20 and 0.12
 * wrote: read bit for bit, written as 0.20 does, and refused where they contradict
 * themselves.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize } from "../../mod.ts";
import { compressed_tensors } from "../../src/formats/compressed_tensors.ts";
import type { Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import {
  assertReads,
  assertWrites,
  type GoldenCase,
  goldenEntries,
  numbersOf,
} from "./golden.ts";
import { candidateOf, goldenJson } from "./safetensors_vectors.ts";

const CASES = await goldenJson(
  "compressed_tensors/manifest.json",
) as (GoldenCase & { version: string })[];
const convention = compressed_tensors.convention!;

for (const one of CASES) {
  Deno.test(`compressed_tensors: ${one.case} is recognized and read as the library does`, async () => {
    const entries = await goldenEntries(compressed_tensors, one);
    assert(entries.length > 0);
    for (const { tensor, candidate, parts, expected, values } of entries) {
      const { shape, options } = convention.recognize(candidate)!;
      assertEquals(shape[0] * shape[1], values.length);
      const golden = { label: `${one.case} ${tensor}`, shape, options, parts };
      assertReads(compressed_tensors, golden, expected);
      // Without a look into weight_shape, and without a config.
      const { numbers: _, ...blind } = candidate;
      const guess = convention.recognize(blind)!;
      if (shape[1] % 8 === 0) assertEquals(guess, { shape, options });
      else {
        // Full words are the guess, and reading refuses it.
        const read = () =>
          assertReads(compressed_tensors, { ...golden, ...guess }, expected);
        assertThrows(read, RangeError, "weight_shape");
      }
      const { config: __, ...bare } = candidate;
      assertEquals(convention.recognize(bare), { shape, options });
      if (one.version.startsWith("0.20")) {
        assertWrites(compressed_tensors, golden, values);
      }
    }
  });
}

const shape = [10, 64], values = adversarial(640).gauss;
const made = (options: object = {}) =>
  quantize(values, {
    format: "compressed_tensors",
    shape,
    groupSize: 32,
    ...options,
  });
const partsOf = (options?: object) => made(options).parts as unknown as Parts;

Deno.test("compressed_tensors: settings that are written are the ones that are read", () => {
  for (const groupSize of [32, "row"]) {
    for (const symmetric of [true, false]) {
      for (const actOrder of [true, false]) {
        const { parts, options } = made({ groupSize, symmetric, actOrder });
        const candidate = candidateOf(
          parts as unknown as Parts,
          { quantization_config: convention.config!(options) },
        );
        assertEquals(convention.recognize(candidate), { shape, options });
      }
    }
  }
});

Deno.test("compressed_tensors: contradictions are told, other layouts are not taken for it", () => {
  const good = partsOf();
  const config = convention.config!(made().options);
  const recognize = (parts: Parts, settings: unknown = config) =>
    convention.recognize({
      ...candidateOf(parts, settings),
      numbers: numbersOf(parts),
    });
  assertEquals(recognize(good)?.shape, shape);
  const other = (weights: object) => ({
    config_groups: { group_0: { weights } },
  });
  assertEquals(
    recognize(good, other({ num_bits: 8, group_size: 32 })),
    undefined,
  );
  assertEquals(
    recognize(good, other({ num_bits: 4, type: "float", group_size: 32 })),
    undefined,
  );
  const { weight_packed, weight_scale, weight_shape } = good;
  const bytes = new Uint8Array(320);
  assertEquals(
    recognize({
      ...good,
      weight_packed: { dtype: "U8", shape: [10, 32], data: bytes },
    }),
    undefined,
  );
  for (
    const [parts, settings, message] of [
      [good, other({ num_bits: 4, group_size: 64 }), "group_size is 64"],
      [good, other({ num_bits: 4, strategy: "channel" }), "group_size is 64"],
      [
        { ...good, weight_packed: { ...weight_packed, shape: [2, 5, 8] } },
        config,
        "stacks",
      ],
      [
        { ...good, weight_scale: { ...weight_scale, shape: [20, 1] } },
        config,
        "weight_scale",
      ],
      [
        {
          ...good,
          weight_shape: { ...weight_shape, data: BigInt64Array.of(10n, 99n) },
        },
        config,
        "99 inputs",
      ],
    ] as [Parts, unknown, string][]
  ) assertThrows(() => recognize(parts, settings), RangeError, message);
});

Deno.test("compressed_tensors: a shape that the parts do not say is refused", () => {
  const q = made();
  assert(dequantize(q).every(Number.isFinite));
  q.parts.weight_shape.data[1] = 63n;
  assertThrows(
    () => dequantize(q),
    RangeError,
    "by shape and options it must be 64",
  );
});

Deno.test("compressed_tensors: columns of groups that there are not are refused", () => {
  const q = made({ actOrder: true }), groups = q.parts.weight_g_idx!.data;
  const natural = dequantize(q);
  groups[3] = 1;
  const moved = dequantize(q);
  assert(moved.some((x, i) => x !== natural[i] && i % 64 === 3));
  assert(moved.every((x, i) => x === natural[i] || i % 64 === 3));
  for (const bad of [2, -1]) {
    groups[3] = bad;
    assertThrows(() => dequantize(q), RangeError, `has ${bad} for input 3`);
  }
});

Deno.test("compressed_tensors: scales that no writer makes are refused", () => {
  const q = made();
  for (const bad of [NaN, -0.5]) {
    q.parts.weight_scale.data[3] = bad;
    assertThrows(() => dequantize(q), RangeError, "for group [1, 1]");
  }
});

Deno.test("compressed_tensors: rows that are no whole groups are refused", () => {
  assertEquals(partsOf({ groupSize: 16 }).weight_scale.shape, [10, 4]);
  assertThrows(() => made({ groupSize: 48 }), RangeError, "groupSize 48");
  assertThrows(() => made({ shape: [2, 5, 64] }), RangeError, "[2,5,64]");
});

Deno.test("compressed_tensors: values beyond float16 are refused, or cut", () => {
  const large = values.slice();
  large[100] = 1e6;
  const options = {
    format: "compressed_tensors",
    shape,
    groupSize: 32,
    scaleDtype: "F16",
  } as const;
  assertThrows(() => quantize(large, options), RangeError, "group 3,");
  const cut = dequantize(quantize(large, { ...options, nonFinite: "clamp" }));
  assert(cut.every(Number.isFinite) && cut[100] > 60000);
});
