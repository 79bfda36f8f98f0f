// What the loops over all formats cannot see of the kernels that search: that
// they do ordinary data themselves, and that the rest is found among it.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { q4_k } from "../../src/formats/q4_k.ts";
import { tileInstance } from "../../src/kernels/arena.ts";
import { Q4_K_KERNELS } from "../../src/kernels/modules.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { adversarial, nudge, random, randomInteger } from "../adversarial.ts";
import {
  emptyParts,
  firstDifference,
  quantizeBy,
  weightedFormats,
} from "../formats/ggml_cases.ts";
import { importanceData } from "../formats/ggml_data.ts";

const { fround } = Math;
const COLUMNS = 512;
const { random: importance } = importanceData(COLUMNS);

/** What the kernels themselves return for rows of {@linkcode COLUMNS}: 1 where the reference has to look. */
function flags(values: Float32Array): { plain: number; weighted: number } {
  const source = 65536, weights = source + values.byteLength;
  const blocks = weights + importance.byteLength;
  const bytes = blocks + values.byteLength;
  const { memory, kernels } = tileInstance(bytes, Q4_K_KERNELS);
  new Float32Array(memory.buffer, source).set(values);
  new Float32Array(memory.buffer, weights).set(importance);
  const n = values.length;
  return {
    plain: kernels.q4_k_quantize(n, source, blocks),
    weighted: kernels.q4_k_weigh(n, source, weights, blocks, COLUMNS),
  };
}

function assertAsReference(values: Float32Array, label: string): void {
  for (const weights of [undefined, importance]) {
    const by = (way: "wasm" | "reference") =>
      quantizeBy(way, q4_k, values, COLUMNS, weights);
    assertEquals(
      firstDifference(q4_k, by("wasm"), by("reference")),
      "equal",
      weights ? `${label} with importance` : label,
    );
  }
}

Deno.test("q4_k's kernels do ordinary data themselves and pass on what they cannot do", () => {
  const sets = adversarial(2 * COLUMNS);
  const ordinary = ["gauss", "weights", "offset", "zero", "negativeZero"];
  const more = ["positive", "negative", "constant", "constantNegative"];
  for (const name of [...ordinary, ...more, "zeroGroups", "powersOfTwo"]) {
    assertEquals(flags(sets[name]), { plain: 0, weighted: 0 }, name);
  }
  for (const name of ["subnormal", "smallestSubnormals", "huge"]) {
    assertEquals(flags(sets[name]), { plain: 1, weighted: 1 }, name);
  }
});

for (const format of weightedFormats) {
  Deno.test(`${format.name} finds a NaN or an infinity at every place, with importance and without`, () => {
    const before = backend();
    useBackend("wasm");
    const shape = [1, COLUMNS], parts = emptyParts(format, shape);
    const values = adversarial(COLUMNS).gauss;
    for (const options of [{}, format.resolve({ importance }, shape)]) {
      for (let at = 0; at < COLUMNS; at++) {
        const value = values[at];
        values[at] = [NaN, Infinity, -Infinity][at % 3];
        assertThrows(
          () => format.quantize(values, shape, options, parts),
          RangeError,
          `at index ${at}:`,
        );
        values[at] = value;
      }
      format.quantize(values, shape, options, parts);
    }
    useBackend(before);
  });
}

Deno.test("q4_k leaves single blocks among others to the reference", () => {
  const ordinary = adversarial(4 * COLUMNS).weights;
  const oddities: Record<string, (i: number) => number> = {
    subnormalRange: (i) => (i % 5) * 2 ** -149,
    tinyRange: (i) => (i % 7) * 1e-39,
    largest: (i) => (i % 3 - 1) * 3.4e38,
    farOffset: (i) => i < 32 ? -1e9 : (i % 3) * 1e-3,
    overflowingScale: (i) => (i % 9) * 1e7,
  };
  for (const [name, oddity] of Object.entries(oddities)) {
    for (const block of [0, 1, 4, 7]) {
      const values = ordinary.slice();
      for (let i = 0; i < 256; i++) values[block * 256 + i] = oddity(i);
      assertAsReference(values, `${name} in block ${block}`);
    }
  }
});

/** Groups whose whole range is 15 steps, with values at or next to the boundaries between codes. */
function nearTies(seed: number, ulps: number): Float32Array {
  const next = random(seed);
  let unit = 1, low = 0;
  return new Float32Array(4 * COLUMNS).map((_, i) => {
    if (i % 32 === 0) {
      unit = ulps === 0
        ? 2 ** randomInteger(next, -8, 3)
        : fround(next() + 0.1);
      low = fround(-unit * randomInteger(next, 0, 15));
      return low;
    }
    if (i % 32 === 1) return fround(low + fround(15 * unit));
    const tie = fround(low + fround(unit * (randomInteger(next, 0, 14) + 0.5)));
    return nudge(tie, randomInteger(next, -ulps, ulps));
  });
}

Deno.test("q4_k rounds values at and next to ties as the reference does", () => {
  for (let seed = 1; seed <= 8; seed++) {
    for (const ulps of [0, 1, 2]) {
      assertAsReference(nearTies(seed, ulps), `seed ${seed}, ${ulps} ulps`);
    }
  }
});

Deno.test("q4_k's search equals the reference's on groups of any spread and place", () => {
  const group = fc.record({
    exponent: fc.integer({ min: -60, max: 12 }),
    place: fc.constantFrom(0, 0, 1, -1, 3, -3, 50),
    levels: fc.constantFrom(2, 3, 16, 1000, 2 ** 24),
    seed: fc.nat(),
  });
  const groups = fc.array(group, { minLength: 16, maxLength: 16 });
  let done = 0, all = 0;
  fc.assert(
    fc.property(groups, (made) => {
      const values = new Float32Array(COLUMNS);
      made.forEach(({ exponent, place, levels, seed }, g) => {
        const next = random(seed);
        for (let j = 0; j < 32; j++) {
          const x = randomInteger(next, 0, levels) / levels - 0.5;
          values[32 * g + j] = (x + place) * 2 ** exponent;
        }
      });
      all++;
      done += 1 - flags(values).plain;
      assertAsReference(values, "groups");
    }),
    { numRuns: 150 },
  );
  assert(done > all / 2, `the kernel left ${all - done} of ${all} rows`);
});
