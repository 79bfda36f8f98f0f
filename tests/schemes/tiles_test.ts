// The steps of schemes by kernels and in plain JS, bit for bit: over places of
// tiles among groups, data that is hard on them, and numbers that kernels leave alone.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assertEquals } from "@std/assert";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { NF4 } from "../../src/schemes/grids.ts";
import {
  type E2M1Steps,
  encodeE2M1,
  encodeQuotientRanks,
  encodeRanks,
  encodeSteps,
  type Rounding,
  type Thresholds,
} from "../../src/schemes/tile_codes.ts";
import {
  encodeMiddles,
  widenColumns,
} from "../../src/schemes/vector_columns.ts";
import { encodeInType } from "../../src/schemes/tile_rounded.ts";
import { decodeGroups } from "../../src/schemes/tile_values.ts";
import {
  areFinite,
  fitGroups,
  magnitudesOfGroups,
  rangesOfGroups,
  roundedValues,
} from "../../src/schemes/tiles.ts";
import { midpoints } from "../../src/numeric/codebooks.ts";
import { roundTo } from "../../src/numeric/compute.ts";
import {
  evenE2M1,
  lowE2M1,
  nearestE2M1,
  signedE2M1,
} from "../../src/numeric/e2m1.ts";
import type { ComputeDtype } from "../../src/words/scheme.ts";
import {
  fieldLength,
  runs,
  type Span,
  type Tile,
  tileOf,
} from "../../src/words/tile.ts";
import { adversarial, random, randomInteger } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** A tile, the span of its groups, and memory of one backend for both. */
interface Place {
  readonly tile: Tile;
  readonly span: Span;
  readonly room: Room;
}

type Work = (place: Place) => Record<string, Float32Array | Uint8Array>;

/** Windows among groups: short, odd, starting within a group, over several rows, sharing one number. */
const PLACES: readonly (readonly [
  rows: number,
  column: number,
  columns: number,
  span: Span,
])[] = [
  [1, 0, 64, { rows: 1, columns: 16 }],
  [3, 0, 96, { rows: 1, columns: 32 }],
  [2, 0, 77, { rows: 1, columns: 20 }],
  [1, 40, 100, { rows: 1, columns: 64 }],
  [1, 5, 9, { rows: 1, columns: 1 }],
  [4, 0, 31, { rows: 1, columns: 64 }],
  [2, 0, 128, { rows: 9, columns: 500 }],
  [3, 0, 160, { rows: 1, columns: 32 }],
  [1, 48, 144, { rows: 1, columns: 64 }],
  [5, 3, 41, { rows: 3, columns: 1 }],
  [2, 0, 64, { rows: 9, columns: 1 }],
  [7, 100, 16, { rows: 2, columns: 1 }],
];

/** Whole rows, whose columns have numbers of their own. */
const COLUMNS: typeof PLACES = [
  [6, 0, 77, { rows: 9, columns: 1 }],
  [7, 0, 48, { rows: 9, columns: 1 }],
  [2, 0, 500, { rows: 9, columns: 1 }],
  [1, 0, 21, { rows: 9, columns: 1 }],
];

/** What some work gives on both backends, over every place. */
function onBoth(work: Work, label: string, places = PLACES): void {
  for (const [rows, column, columns, span] of places) {
    const [wasm, js] = (["wasm", "js"] as const).map((name) => {
      const before = backend();
      useBackend(name);
      const room = new Room();
      room.open(new Uint8Array(0));
      const tile = tileOf(
        { rows: 9, columns: 500 },
        { row: 2, rows, column, columns },
        {},
        room.bytes(rows * columns),
        room.floats,
      );
      const results = Object.entries(work({ tile, span, room }));
      const copies = results.map(([key, a]) => [key, a.slice()] as const);
      useBackend(before);
      return Object.fromEntries(copies);
    });
    for (const key of Object.keys(js)) {
      const place =
        `[${rows}, ${column}+${columns}] of ${span.rows} × ${span.columns}`;
      assertSameBytes(wasm[key], js[key], `${label} ${place} ${key}`);
    }
  }
}

function numbers({ tile, span, room }: Place): Float32Array {
  return room.floats(fieldLength(tile, { span })).fill(0);
}

function copied({ room }: Place, values: ArrayLike<number>): Float32Array {
  const copy = room.floats(values.length);
  copy.set(values);
  return copy;
}

/** Values of every kind, and the groups' numbers from the same source. */
const SETS = adversarial(1024);

Deno.test("ranges and magnitudes of groups are the same by kernels, signs of zeros too", () => {
  const zeros = Float32Array.from({ length: 1024 }, (_, i) => i % 3 ? 0 : -0);
  const mixed = SETS.gauss.map((x, i) => i % 7 ? Math.abs(x) : -0);
  for (const [set, values] of Object.entries({ ...SETS, zeros, mixed })) {
    onBoth((place) => {
      const { tile, span } = place;
      const input = copied(place, values.subarray(0, tile.codes.length));
      const mins = numbers(place), maxs = numbers(place), most = numbers(place);
      rangesOfGroups(input, tile, span, mins, maxs);
      magnitudesOfGroups(input, tile, span, most);
      return { mins, maxs, most };
    }, set);
  }
});

const ROUNDINGS: Rounding[] = [
  "divide",
  "shift",
  "shiftByBias",
  "reciprocal",
  "add",
  "addSigned",
  "multiply",
  "multiplyAdd",
];

/** Windows of whole vectors, which is what some kernels take, and another. */
const VECTORS: typeof PLACES = [
  [1, 0, 64, { rows: 1, columns: 16 }],
  [3, 0, 96, { rows: 1, columns: 32 }],
  [2, 48, 176, { rows: 1, columns: 64 }],
  [2, 0, 128, { rows: 9, columns: 500 }],
  [2, 0, 77, { rows: 1, columns: 20 }],
];

const DTYPES: ComputeDtype[] = ["F32", "F16", "BF16"];

/** Scales and offsets: ordinary ones, ties, and such as kernels leave alone. */
function scalesAndOffsets(seed: number, count: number): [number[], number[]] {
  const next = random(seed);
  const odd = [0, Infinity, NaN, 1e-45, -0.5, 3e38];
  const scales: number[] = [], offsets: number[] = [];
  for (let i = 0; i < count; i++) {
    const isOdd = seed % 2 === 1 && i === count - 1;
    scales.push(isOdd ? odd[(seed >> 1) % odd.length] : 2 ** -(i % 5));
    offsets.push(isOdd && seed % 3 ? 2.5 : randomInteger(next, 0, 15));
  }
  return [scales, offsets];
}

Deno.test("codes on an even grid are the same by kernels, at ties and beyond the ends", () => {
  for (let seed = 1; seed <= 24; seed++) {
    const next = random(seed);
    const ties = Float32Array.from(
      { length: 1024 },
      () => randomInteger(next, -40, 40) / 4 * (next() < 0.1 ? 1e30 : 1),
    );
    for (const rounding of ROUNDINGS) {
      for (const dtype of DTYPES) {
        onBoth((place) => {
          const { tile, span } = place;
          const input = copied(place, ties.subarray(0, tile.codes.length));
          const count = numbers(place).length;
          const [scales, offsets] = scalesAndOffsets(seed, count);
          const s = copied(place, scales), o = copied(place, offsets);
          encodeSteps(input, tile, span, s, o, rounding, dtype);
          return { codes: tile.codes };
        }, `seed ${seed} ${rounding} ${dtype}`);
      }
    }
  }
});

/** Numbers of every exponent and sign: ties of both types of 16 bits, and their neighbours. */
function nearTies(seed: number, count: number): Float32Array {
  const next = random(seed), bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const tail = [0x1000, 0x8000, 0, 1][i % 4] + randomInteger(next, -1, 1);
    bits[i] = randomInteger(next, 0, 0xffff) * 0x10000 +
      (randomInteger(next, 0, 7) * 0x2000 + tail);
  }
  const floats = new Float32Array(bits.buffer);
  return floats.map((x) => Number.isFinite(x) ? x : 65520);
}

Deno.test("values rounded to a type and to codes in one go get the codes that they get one after the other", () => {
  const edges = [0, -0, 1e-45, 2 ** -25, 3 * 2 ** -26, 2 ** -24, 2 ** -14];
  const ends = [65504, 65519, -65519, 2049, 1 + 2 ** -11, 1 + 3 * 2 ** -11];
  for (const dtype of ["F16", "BF16"] as const) {
    for (const rounding of ["divide", "addSigned", "shift"] as const) {
      for (let seed = 0; seed < 20; seed++) {
        onBoth(
          (place) => {
            const { tile, span } = place, next = random(seed);
            const isLarge = seed % 4 === 3;
            const values = copied(
              place,
              Array.from(tile.codes, (_, i) => {
                const edge = [...edges, ...isLarge ? ends : []][i >> 2];
                return i % 4 === 0 && edge !== undefined
                  ? edge
                  : (next() - 0.5) * (isLarge ? 1e5 : 4);
              }),
            );
            // What is beyond the largest number of the type is left alone.
            const mins = copied(place, [Math.min(...values)]);
            const maxs = copied(place, [Math.max(...values)]);
            const round = roundTo(dtype);
            for (const end of [mins, maxs]) end[0] = round(end[0]);
            const scales = numbers(place), offsets = numbers(place);
            scales.forEach((_, i) => {
              scales[i] = round((isLarge ? 1e4 : 0.3) * (next() + 0.1));
              offsets[i] = rounding === "divide" && seed % 2
                ? randomInteger(next, 0, 15)
                : seed % 3
                ? 8
                : randomInteger(next, 0, 15);
            });
            if (seed % 7 === 6) scales[0] = 0;
            const roundsSteps = seed % 2 === 0;
            const steps = roundsSteps ? dtype : "F32";
            const operands = [tile, span, scales, offsets, rounding] as const;
            const isDone = encodeInType(
              values,
              ...operands,
              dtype,
              roundsSteps,
              [mins, maxs],
            );
            if (isDone) assertEquals(backend(), "wasm");
            else {
              const rounded = roundedValues(values, dtype, Infinity, tile);
              encodeSteps(rounded, ...operands, steps);
            }
            return { codes: tile.codes };
          },
          `${dtype} ${rounding} ${seed}`,
          VECTORS,
        );
      }
    }
  }
});

Deno.test("values are rounded to 16 bits the same by kernels, and cut", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const values = nearTies(seed, 1024);
    for (const dtype of DTYPES) {
      for (const largest of [Infinity, 65504]) {
        onBoth((place) => {
          const { tile } = place, n = tile.codes.length;
          const input = copied(place, values.subarray(0, n));
          return { rounded: roundedValues(input, dtype, largest, tile) };
        }, `seed ${seed} ${dtype} ${largest}`);
      }
    }
  }
});

/** Thresholds by products, by cells and by halving, and by quotients. */
const THRESHOLDS: Readonly<Record<string, Thresholds>> = {
  cells: {
    at: midpoints(Float32Array.from(NF4.values)),
    codes: Array.from({ length: 16 }, (_, k) => k),
  },
  halving: {
    at: Array.from({ length: 15 }, (_, k) => (k - 7) / 64),
    codes: Array.from({ length: 16 }, (_, k) => 15 - k),
  },
};

Deno.test("codes by thresholds are the same by kernels, at and next to every threshold", () => {
  const bits = new Int32Array(1), float = new Float32Array(bits.buffer);
  for (const [name, thresholds] of Object.entries(THRESHOLDS)) {
    const near = Array.from(thresholds.at).flatMap((threshold) =>
      [-1, 0, 1].map((ulps) => {
        float[0] = threshold;
        bits[0] += ulps;
        return float[0];
      })
    );
    near.push(0, -0, 1, -1);
    onBoth((place) => {
      const { tile, span } = place;
      const input = copied(
        place,
        Float32Array.from(tile.codes, (_, i) => near[i % near.length]),
      );
      const factors = numbers(place).fill(1);
      encodeRanks(input, tile, span, factors, thresholds);
      return { codes: tile.codes };
    }, name);
    for (const [set, values] of Object.entries(SETS)) {
      onBoth((place) => {
        const { tile, span } = place;
        const input = copied(place, values.subarray(0, tile.codes.length));
        const most = numbers(place);
        magnitudesOfGroups(input, tile, span, most);
        const factors = most.map((x) => Math.max(x, 1e-38));
        const used = copied(place, factors.map((x) => 1 / x));
        encodeRanks(input, tile, span, used, thresholds);
        return { codes: tile.codes };
      }, `${name} ${set}`);
    }
  }
});

Deno.test("codes by thresholds of quotients are the same by kernels, beyond the thresholds too", () => {
  for (const [name, thresholds] of Object.entries(THRESHOLDS)) {
    for (const [set, values] of Object.entries(SETS)) {
      onBoth((place) => {
        const { tile, span } = place;
        const input = copied(place, values.subarray(0, tile.codes.length));
        const scales = numbers(place);
        magnitudesOfGroups(input, tile, span, scales);
        scales.forEach((x, i) => scales[i] = Math.max(x, 1e-30) / (i % 3 + 1));
        encodeQuotientRanks(input, tile, span, scales, thresholds);
        const codes = tile.codes.slice();
        const quotients = Array.from(runs(tile, span)).flatMap(
          ({ first, count, area }) =>
            Array.from(
              input.subarray(first, first + count),
              (x) => Math.fround(x / scales[area]),
            ),
        );
        const ranks = quotients.map((x) =>
          Array.from(thresholds.at).filter((at) => x > at).length
        );
        assertEquals([...codes], ranks.map((rank) => thresholds.codes[rank]));
        return { codes };
      }, `${name} ${set}`);
    }
  }
});

/** The rules of E2M1 by one value at a time. */
const E2M1_CODES: Readonly<Record<E2M1Steps["rule"], (x: number) => number>> = {
  even: (x) => evenE2M1(Math.abs(x)) | (x < 0 ? 8 : 0),
  signed: signedE2M1,
  low: (x) => lowE2M1(Math.abs(x)) | (x > 0 ? 0 : 8),
  toZero: (x) => nearestE2M1(x, 0.5),
};

Deno.test("codes of E2M1 by kernels are those of their rules, at and next to every tie", () => {
  const before = backend();
  useBackend("wasm");
  const float = new Float32Array(1), bits = new Int32Array(float.buffer);
  const near = [0, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6, 7, 60000].flatMap(
    (tie) =>
      [-1, 0, 1].flatMap((ulps) => {
        float[0] = tie;
        bits[0] = Math.max(0, bits[0] + ulps);
        return [float[0], -float[0]];
      }),
  );
  // No format has E2M1 values in groups in columns, and no kernel finds their codes.
  const places = PLACES.filter(([, , , { rows, columns }]) =>
    rows === 1 || columns > 1
  );
  for (const [rows, column, columns, span] of places) {
    const room = new Room();
    room.open(new Uint8Array(0));
    const tile = tileOf(
      { rows: 9, columns: 500 },
      { row: 0, rows, column, columns },
      {},
      room.bytes(rows * columns),
      room.floats,
    );
    const place = { tile, span, room };
    for (const rule of ["even", "signed", "low", "toZero"] as const) {
      for (const product of [false, true]) {
        for (const dtype of DTYPES) {
          const factor = product ? 0.5 : 2, round = roundTo(dtype);
          const input = copied(
            place,
            Float32Array.from(
              tile.codes,
              (_, i) => near[i % near.length] * 2,
            ),
          );
          const factors = numbers(place).fill(factor);
          for (const times of [1, 0.7]) {
            const steps = { product, dtype, times, rule };
            const isKnown = rule === "low" || rule === "toZero"
              ? !product
              : times === 1;
            const done = encodeE2M1(input, tile, span, factors, steps);
            const label = `${rule} ${product} ${dtype} ${times} ${columns}`;
            assertEquals(done, isKnown, label);
            if (!done) continue;
            const expected = Uint8Array.from(
              input,
              (x) =>
                E2M1_CODES[rule](
                  Math.fround(
                    round(Math.fround(x / 2)) * Math.fround(times),
                  ),
                ),
            );
            assertSameBytes(tile.codes, expected, label);
          }
        }
      }
    }
  }
  useBackend(before);
});

Deno.test("values are the same by kernels in every type, for any scale, NaN bits included", () => {
  const grids = {
    even: Array.from({ length: 16 }, (_, k) => k),
    nf4: NF4.values,
  };
  const odd = [0, -0, 1e-45, -3e-8, 65520, 3.4e38, Infinity, -Infinity, NaN];
  for (const [name, values] of Object.entries(grids)) {
    for (const computeDtype of DTYPES) {
      for (const offset of [undefined, "zero", "bias", "step"] as const) {
        onBoth((place) => {
          const { tile, span, room } = place, next = random(tile.codes.length);
          tile.codes.forEach((_, i) =>
            tile.codes[i] = randomInteger(next, 0, 15)
          );
          const scales = numbers(place), offsets = numbers(place);
          scales.forEach((_, i) => {
            scales[i] = i % 2 ? odd[(i >> 1) % odd.length] : next() - 0.5;
            if (offset) offsets[i] = i % 5 ? 3 * next() : odd[i % odd.length];
          });
          const out = room.floats(tile.codes.length);
          decodeGroups(tile, span, scales, offsets, {
            values,
            offset,
            computeDtype,
          }, out);
          return { out };
        }, `${name} ${computeDtype} ${offset}`);
      }
    }
  }
});

Deno.test("tables of ordinary groups are the same by kernels in types of 16 bits, down to their smallest normal numbers and up to the largest", () => {
  const grids = {
    even: Array.from({ length: 16 }, (_, k) => k),
    signed: Array.from({ length: 16 }, (_, k) => k - 8),
    nf4: NF4.values,
  };
  const edges = [2 ** -14, 2 ** -14 * 1.37, 2 ** -13, 1, 0, -0, 2 ** -15, 4094];
  for (const [name, values] of Object.entries(grids)) {
    for (const computeDtype of ["F16", "BF16"] as const) {
      for (const offset of [undefined, "zero", "bias", "step"] as const) {
        for (let seed = 0; seed < 24; seed++) {
          onBoth((place) => {
            const { tile, span, room } = place, next = random(seed + 1);
            tile.codes.forEach((_, i) => tile.codes[i] = i % 16);
            const scales = numbers(place), offsets = numbers(place);
            scales.forEach((_, i) => {
              const isEdge = seed % 3 === 0 && i === seed % scales.length;
              scales[i] = isEdge
                ? edges[seed / 3 % edges.length]
                : (next() - 0.5) / 8;
              if (offset === "bias") {
                const bias = (next() - 0.5) * 2 ** (seed % 2 ? 0 : -10);
                offsets[i] = seed % 5 === 4
                  ? bias
                  : roundTo(computeDtype)(bias);
              } else if (offset) {
                offsets[i] = randomInteger(next, 0, 15) +
                  (seed % 7 === 6 ? 0.25 : 0);
              }
            });
            const out = room.floats(tile.codes.length);
            const lookup = { values, offset, computeDtype };
            decodeGroups(tile, span, scales, offsets, lookup, out);
            return { out };
          }, `${name} ${computeDtype} ${offset} ${seed}`);
        }
      }
    }
  }
});

Deno.test("tables of steps are the same by kernels in types of 16 bits: zero points between whole numbers and near them, products too small to be normal, overflow", () => {
  const values = Array.from({ length: 16 }, (_, k) => k);
  const sizes = [
    1,
    2 ** -6,
    2 ** -12,
    2 ** -18,
    2 ** -24,
    2 ** -30,
    6000,
    1e38,
  ];
  const zeros = [
    0,
    -0,
    15,
    7,
    2 ** -24,
    2 ** -14,
    -(2 ** -20),
    32768,
    65504,
    -400,
  ];
  for (const computeDtype of ["F16", "BF16"] as const) {
    const round = roundTo(computeDtype);
    for (let seed = 0; seed < 4 * sizes.length; seed++) {
      onBoth((place) => {
        const { tile, span, room } = place, next = random(seed + 1);
        tile.codes.forEach((_, i) => tile.codes[i] = i % 16);
        const scales = numbers(place), offsets = numbers(place);
        scales.forEach((_, i) => {
          scales[i] = (next() - 0.25) * sizes[seed >> 2];
          const zero = randomInteger(next, 0, 15) +
            (next() - 0.5) * 2 ** -(i % 24);
          const isOther = seed % 4 === 2 && i % 4 === 0;
          const exact = isOther ? zeros[(i >> 2) % zeros.length] : zero;
          offsets[i] = seed % 4 === 3 ? zero : round(exact);
        });
        const out = room.floats(tile.codes.length);
        const lookup = { values, offset: "step", computeDtype } as const;
        decodeGroups(tile, span, scales, offsets, lookup, out);
        return { out };
      }, `${computeDtype} ${seed}`);
    }
  }
});

Deno.test("ranges of columns are the same by kernels, signs of zeros too, and no value is missed that is not finite", () => {
  const zeros = Float32Array.from({ length: 1024 }, (_, i) => i % 3 ? 0 : -0);
  const mixed = SETS.gauss.map((x, i) => i % 7 ? Math.abs(x) : -0);
  for (const [set, values] of Object.entries({ ...SETS, zeros, mixed })) {
    onBoth(
      (place) => {
        const { tile, span } = place;
        const input = copied(place, values.subarray(0, tile.codes.length));
        const mins = numbers(place).fill(Infinity);
        const maxs = numbers(place).fill(-Infinity);
        if (!widenColumns(input, tile.columns, mins, maxs)) {
          rangesOfGroups(input, tile, span, mins, maxs);
          return { mins, maxs };
        }
        assertEquals(backend(), "wasm");
        const others = [numbers(place), numbers(place)] as const;
        for (const [i, x] of input.entries()) {
          if (i % 13) continue;
          input[i] = [NaN, Infinity, -Infinity][i % 3];
          const isDone = widenColumns(input, tile.columns, ...others);
          assertEquals(isDone, false, `${set} ${i}`);
          input[i] = x;
        }
        return { mins, maxs };
      },
      set,
      COLUMNS,
    );
  }
});

Deno.test("the fifteenth of a range that a value lies in is found by a kernel, next to every edge", () => {
  const edges = Array.from({ length: 16 }, (_, k) => Math.fround(k / 15));
  const words = new Int32Array(Float32Array.from(edges).buffer);
  const near = [-2, -1, 0, 1, 2].flatMap((
    by,
  ) => [...new Float32Array(words.map((word) => word + by).buffer)]).filter((
    x,
  ) => !Number.isNaN(x));
  onBoth(
    (place) => {
      const { tile, span } = place, next = random(7);
      const smallest = numbers(place), widths = numbers(place);
      smallest.forEach((_, c) => {
        smallest[c] = c % 3 ? next() - 0.5 : 0;
        widths[c] = c % 11 === 5 ? 0 : c % 3 ? next() : 1;
      });
      const values = copied(
        place,
        Array.from({ length: tile.codes.length }, (_, i) => {
          const column = i % tile.columns % smallest.length;
          const part = i % 5 ? near[i % near.length] : 3 * next() - 1;
          return smallest[column] + part * (widths[column] || 1);
        }),
      );
      if (!encodeMiddles(values, tile, smallest, widths)) {
        for (const { first: i, area } of runs(tile, span)) {
          const part = Math.fround(
            Math.fround(values[i] - smallest[area]) / widths[area],
          );
          tile.codes[i] = widths[area] === 0
            ? 0
            : Math.floor(Math.min(1, Math.max(0, part)) * 15);
        }
      } else assertEquals(backend(), "wasm");
      return { codes: tile.codes };
    },
    "middles",
    COLUMNS,
  );
});

Deno.test("a NaN or an infinity is found at every place, and ordinary values are none", () => {
  const before = backend();
  for (const name of ["wasm", "js"] as const) {
    useBackend(name);
    const room = new Room();
    room.open(new Uint8Array(0));
    const values = room.floats(77).fill(3.4e38);
    assertEquals(areFinite(values), true);
    for (let i = 0; i < values.length; i++) {
      values[i] = [NaN, Infinity, -Infinity][i % 3];
      assertEquals(areFinite(values), false, `${name} at ${i}`);
      values[i] = 0;
    }
  }
  useBackend(before);
});

Deno.test("who measures groups says whether all values are finite, however large", () => {
  onBoth((place) => {
    const { tile, span } = place;
    const input = copied(place, SETS.gauss.subarray(0, tile.codes.length));
    const mins = numbers(place), maxs = numbers(place);
    const found = () => [
      rangesOfGroups(input, tile, span, mins, maxs),
      magnitudesOfGroups(input, tile, span, maxs),
    ];
    assertEquals(found(), [true, true]);
    for (const [i, x] of input.entries()) {
      input[i] = [NaN, Infinity, -Infinity][i % 3];
      assertEquals(found(), [false, false], `${input[i]} at ${i}`);
      input[i] = x;
    }
    input.fill(3.4e38);
    assertEquals(found(), [true, true]);
    return { maxs };
  }, "finite");
});

Deno.test("a scale that its type may not hold is left to the scalar way, and others are fitted", () => {
  const before = backend();
  useBackend("wasm");
  const room = new Room();
  room.open(new Uint8Array(0));
  const fit = (max: number) => {
    const mins = room.floats(4).fill(-1), maxs = room.floats(4).fill(max);
    const scales = room.floats(4), offsets = room.floats(4);
    const done = fitGroups("fromZero", "F16", mins, maxs, scales, offsets);
    return { done, scale: scales[0], offset: offsets[0] };
  };
  assertEquals(fit(2), { done: true, scale: Math.fround(0.2), offset: 5 });
  assertEquals(fit(1e6).done, false);
  useBackend(before);
});
