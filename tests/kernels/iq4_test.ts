// What the loops over all formats cannot see of the kernels of IQ4_NL and
// IQ4_XS: that they do ordinary data themselves, decide exactly at the
// boundaries of every candidate, and manage any number of blocks and columns.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BlockFormat } from "../../src/model/block_format.ts";
import { iq4_nl } from "../../src/formats/iq4_nl.ts";
import { iq4_xs } from "../../src/formats/iq4_xs.ts";
import { tileInstance } from "../../src/kernels/arena.ts";
import { IQ4_KERNELS } from "../../src/kernels/modules.ts";
import { IQ4_VALUES, nearestIq4 } from "../../src/numeric/codebooks.ts";
import { adversarial, nudge, random, randomInteger } from "../adversarial.ts";
import {
  blockSize,
  firstDifference,
  quantizeBy,
} from "../formats/ggml_cases.ts";
import { importanceData } from "../formats/ggml_data.ts";

const { fround } = Math;
const COLUMNS = 512;
const formats: readonly BlockFormat[] = [iq4_nl, iq4_xs];

/** What the kernels themselves return: 1 where the reference has to look. */
function flags(
  format: BlockFormat,
  values: Float32Array,
): { plain: number; weighted: number } {
  const source = 65536, weights = source + values.byteLength;
  const blocks = weights + 4 * COLUMNS;
  const bytes = blocks + values.byteLength;
  const { memory, kernels } = tileInstance(bytes, IQ4_KERNELS);
  new Float32Array(memory.buffer, source).set(values);
  new Float32Array(memory.buffer, weights, COLUMNS).fill(1);
  const n = values.length, { name } = format;
  return {
    plain: kernels[`${name}_quantize`](n, source, blocks),
    weighted: kernels[`${name}_weigh`](n, source, weights, blocks, COLUMNS),
  };
}

function assertAsReference(
  format: BlockFormat,
  values: Float32Array,
  columns: number,
  label: string,
): void {
  for (const weights of [undefined, importanceData(columns).random]) {
    const by = (way: "wasm" | "reference") =>
      quantizeBy(way, format, values, columns, weights);
    assertEquals(
      firstDifference(format, by("wasm"), by("reference")),
      "equal",
      `${format.name} ${label}${weights ? " with importance" : ""}`,
    );
  }
}

const boundaries = [...IQ4_VALUES.slice(1)].map((high, i) =>
  (IQ4_VALUES[i] + high) / 2
);

Deno.test("the grid of iq4 has its boundaries at the midpoints, to the last bit", () => {
  boundaries.forEach((boundary, i) => {
    for (let ulps = -8; ulps <= 8; ulps++) {
      const x = nudge(boundary, Math.sign(boundary) * ulps);
      assertEquals(nearestIq4(x), ulps < 0 ? i : i + 1, `${x}`);
    }
  });
});

/** Values that some candidate of the search puts on a boundary of the grid, or next to it. */
function nearCandidates(seed: number, ulps: number): Float32Array {
  const next = random(seed);
  let largest = 1;
  return new Float32Array(4 * COLUMNS).map((_, i) => {
    if (i % 32 === 0) {
      const unit = seed % 2 ? 2 ** randomInteger(next, -9, 9) : next() + 0.1;
      return largest = fround(next() < 0.5 ? -unit : unit);
    }
    const boundary = boundaries[randomInteger(next, 0, boundaries.length - 1)];
    const inverse = fround(randomInteger(next, -134, -120) / largest);
    const x = nudge(
      fround(boundary / inverse),
      randomInteger(next, -ulps, ulps),
    );
    return Math.abs(x) < Math.abs(largest) ? x : 0;
  });
}

for (const format of formats) {
  const { name } = format;

  Deno.test(`${name}'s kernels do ordinary data themselves and pass on what they cannot do`, () => {
    const sets = adversarial(2 * COLUMNS);
    const ordinary = ["gauss", "weights", "offset", "zero", "negativeZero"];
    const more = ["positive", "negative", "constant", "constantNegative"];
    for (const set of [...ordinary, ...more, "zeroGroups", "powersOfTwo"]) {
      assertEquals(flags(format, sets[set]), { plain: 0, weighted: 0 }, set);
    }
    assertEquals(flags(format, sets.huge), { plain: 1, weighted: 1 });
  });

  Deno.test(`${name} decides at the boundaries of every candidate as the reference does`, () => {
    for (let seed = 1; seed <= 16; seed++) {
      for (const ulps of [0, 1, 2]) {
        const values = nearCandidates(seed, ulps);
        const label = `seed ${seed}, ${ulps} ulps`;
        assertEquals(flags(format, values).plain, 0, label);
        assertAsReference(format, values, COLUMNS, label);
      }
    }
  });

  Deno.test(`${name} quantizes any number of blocks in rows of any number`, () => {
    const size = blockSize(format), { gauss } = adversarial(40 * size);
    for (let blocks = 1; blocks <= 8; blocks++) {
      for (const rows of [1, 2, 3, 5]) {
        const values = gauss.slice(0, rows * blocks * size);
        const label = `${rows} rows of ${blocks} blocks`;
        assertAsReference(format, values, blocks * size, label);
      }
    }
  });

  Deno.test(`${name} leaves single blocks among others to the reference`, () => {
    const size = blockSize(format), ordinary = adversarial(9 * size).weights;
    const oddities: Record<string, (i: number) => number> = {
      subnormal: (i) => (i % 5) * 2 ** -149,
      negligible: (i) => (i % 7 - 3) * 3.3e-16,
      hardlyNegligible: (i) => (i % 7 - 3) * 3.4e-16,
      overflowingSquares: (i) => (i % 9 - 4) * 1e19,
      largest: (i) => (i % 3 - 1) * 3.4e38,
      bothSigns: (i) => i % 2 === 0 ? 1 : -1,
      onlyOne: (i) => i === 17 ? -2 : -0,
    };
    for (const [label, oddity] of Object.entries(oddities)) {
      for (let block = 0; block < 9; block++) {
        const values = ordinary.slice();
        for (let i = 0; i < size; i++) values[block * size + i] = oddity(i);
        const where = `${label} in block ${block}`;
        assertAsReference(format, values, 9 * size, where);
      }
    }
  });

  Deno.test(`${name}'s search equals the reference's on groups of any spread`, () => {
    const group = fc.record({
      exponent: fc.integer({ min: -48, max: 20 }),
      levels: fc.constantFrom(2, 3, 16, 240, 2 ** 24),
      seed: fc.nat(),
    });
    const groups = fc.array(group, { minLength: 16, maxLength: 16 });
    let done = 0, all = 0;
    fc.assert(
      fc.property(groups, (made) => {
        const values = new Float32Array(COLUMNS);
        made.forEach(({ exponent, levels, seed }, g) => {
          const next = random(seed);
          for (let j = 0; j < 32; j++) {
            const x = randomInteger(next, 0, levels) / levels - 0.5;
            values[32 * g + j] = x * 2 ** exponent;
          }
        });
        all++;
        done += 1 - flags(format, values).plain;
        assertAsReference(format, values, COLUMNS, "groups");
      }),
      { numRuns: 150 },
    );
    assert(done > all / 2, `the kernel left ${all - done} of ${all} rows`);
  });
}
