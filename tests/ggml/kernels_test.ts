// What the loops over all formats cannot see of the kernels of ggml's types beside
// four bits: that they do ordinary data themselves, and the rest as the reference does.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { BlockFormat } from "../../src/model/block_format.ts";
import { q4_k } from "../../src/formats/q4_k.ts";
import { ggmlKernel } from "../../src/ggml/kernels.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { q5_0 } from "../../src/ggml/q5_0.ts";
import { q5_1 } from "../../src/ggml/q5_1.ts";
import { q5_k } from "../../src/ggml/q5_k.ts";
import { q6_k } from "../../src/ggml/q6_k.ts";
import { q8_0 } from "../../src/ggml/q8_0.ts";
import { tileInstance } from "../../src/kernels/arena.ts";
import { allocate, backend, useBackend } from "../../src/kernels/engine.ts";
import { adversarial, bits, random, randomInteger } from "../adversarial.ts";
import {
  blockSize,
  dequantizeBy,
  emptyParts,
  firstDifference,
  quantizeBy,
  weightedFormats,
} from "../formats/ggml_cases.ts";
import { importanceData } from "../formats/ggml_data.ts";

const COLUMNS = 512;
const { random: importance } = importanceData(COLUMNS);
const formats: readonly BlockFormat[] = [q5_0, q5_1, q5_k, q6_k, q8_0];
const searching: readonly BlockFormat[] = [q5_k, q6_k];

function weighs(format: BlockFormat): boolean {
  return weightedFormats.includes(format);
}

/** What the kernels themselves return for rows of {@linkcode COLUMNS}: 1 where the reference has to look. */
function flags(format: BlockFormat, values: Float32Array): number[] {
  const { name } = format, { module } = ggmlKernel(name);
  const source = 65536, weights = source + values.byteLength;
  const blocks = weights + importance.byteLength;
  const { memory, kernels } = tileInstance(blocks + values.byteLength, module);
  new Float32Array(memory.buffer, source).set(values);
  new Float32Array(memory.buffer, weights).set(importance);
  const n = values.length;
  const plain = kernels[`${name}_quantize`](n, source, blocks);
  return weighs(format)
    ? [plain, kernels[`${name}_weigh`](n, source, weights, blocks, COLUMNS)]
    : [plain];
}

function assertAsReference(
  format: BlockFormat,
  values: Float32Array,
  label: string,
): void {
  for (
    const weights of weighs(format) ? [undefined, importance] : [undefined]
  ) {
    const by = (way: "wasm" | "reference") =>
      quantizeBy(way, format, values, COLUMNS, weights);
    assertEquals(
      firstDifference(format, by("wasm"), by("reference")),
      "equal",
      weights ? `${label} with importance` : label,
    );
  }
}

for (const format of formats) {
  Deno.test(`${format.name}'s kernels do ordinary data themselves and pass on what they cannot do`, () => {
    const sets = adversarial(2 * COLUMNS);
    for (
      const name of ["gauss", "weights", "offset", "positive", "powersOfTwo"]
    ) {
      for (const flag of flags(format, sets[name])) {
        assertEquals(flag, 0, name);
      }
    }
    const nan = sets.gauss.slice();
    nan[700] = NaN;
    for (const flag of flags(format, nan)) assertEquals(flag, 1, "NaN");
    for (const flag of flags(format, sets.huge)) assertEquals(flag, 1, "huge");
  });

  Deno.test(`${format.name} does any number of blocks`, () => {
    const size = blockSize(format);
    const all = adversarial(11 * 256).gauss;
    for (let blocks = 1; blocks <= 11; blocks++) {
      const values = all.subarray(0, blocks * size);
      const by = (way: "wasm" | "reference") =>
        quantizeBy(way, format, values, values.length);
      assertEquals(
        firstDifference(format, by("wasm"), by("reference")),
        "equal",
        `${blocks} blocks`,
      );
    }
  });

  Deno.test(`${format.name} leaves single blocks among others to the reference`, () => {
    const ordinary = adversarial(4 * COLUMNS).weights;
    const oddities: Record<string, (i: number) => number> = {
      zero: () => 0,
      subnormal: (i) => (i % 5 - 2) * 2 ** -149,
      tiny: (i) => (i % 7 - 3) * 1e-39,
      negligible: (i) => (i % 7 - 3) * 1e-16,
      largest: (i) => (i % 3 - 1) * 3.4e38,
      overflowingScale: (i) => (i % 9) * 1e8,
      oneLarge: (i) => i % 32 === 5 ? -70000 : (i % 3 - 1) * 1e-6,
    };
    for (const [name, oddity] of Object.entries(oddities)) {
      for (const block of [0, 1, 7]) {
        const values = ordinary.slice();
        for (let i = 0; i < 256; i++) values[block * 256 + i] = oddity(i);
        assertAsReference(format, values, `${name} in block ${block}`);
      }
    }
  });
}

for (const format of searching) {
  Deno.test(`${format.name}'s search equals the reference's on groups of any spread and place`, () => {
    const group = fc.record({
      exponent: fc.integer({ min: -60, max: 12 }),
      place: fc.constantFrom(0, 0, 1, -1, 3, -3, 50),
      levels: fc.constantFrom(2, 3, 32, 63, 1000, 2 ** 24),
      seed: fc.nat(),
    });
    const groups = fc.array(group, { minLength: 32, maxLength: 32 });
    let done = 0, all = 0;
    fc.assert(
      fc.property(groups, (made) => {
        const values = new Float32Array(COLUMNS);
        made.forEach(({ exponent, place, levels, seed }, g) => {
          const next = random(seed);
          for (let j = 0; j < 16; j++) {
            const x = randomInteger(next, 0, levels) / levels - 0.5;
            values[16 * g + j] = (x + place) * 2 ** exponent;
          }
        });
        all++;
        done += 1 - flags(format, values)[0];
        assertAsReference(format, values, "groups");
      }),
      { numRuns: 100 },
    );
    assert(done > all / 2, `the kernel left ${all - done} of ${all} rows`);
  });
}

Deno.test("q8_0 finds a NaN or an infinity at every place", () => {
  const before = backend();
  useBackend("wasm");
  const shape = [1, COLUMNS], parts = emptyParts(q8_0, shape);
  const values = adversarial(COLUMNS).gauss;
  for (let at = 0; at < COLUMNS; at++) {
    const value = values[at];
    values[at] = [NaN, Infinity, -Infinity][at % 3];
    assertThrows(
      () => q8_0.quantize(values, shape, {}, parts),
      RangeError,
      `at index ${at}:`,
    );
    values[at] = value;
  }
  q8_0.quantize(values, shape, {}, parts);
  useBackend(before);
});

Deno.test("kernels of both modules take turns in one arena", () => {
  const before = backend();
  useBackend("wasm");
  const values = allocate(4 * COLUMNS), out = allocate(4 * COLUMNS);
  values.set(adversarial(4 * COLUMNS).weights);
  const plain = values.slice();
  for (let round = 0; round < 2; round++) {
    for (const format of [q4_k, ...formats]) {
      const label = `${format.name}, round ${round}`;
      const blocks = quantizeBy("wasm", format, values, COLUMNS);
      assertEquals(
        firstDifference(
          format,
          blocks,
          quantizeBy("reference", format, plain, COLUMNS),
        ),
        "equal",
        label,
      );
      ggmlTypes.get(format.name.toUpperCase())!.dequantize(blocks, out);
      assertEquals(
        bits(out),
        bits(dequantizeBy("reference", format, blocks)),
        label,
      );
    }
  }
  assertEquals(values, plain, "the input was written");
  useBackend(before);
});
