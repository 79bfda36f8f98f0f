/** Searched scales in every format that has them: never worse, as good as they have to be, refused where they cannot be. */
import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { compare } from "../src/compare.ts";
import { quantizeWith } from "../src/core.ts";
import { formats } from "../src/formats.ts";
import { writableTypes } from "../src/ggml/writable.ts";
import { dequantize, quantize } from "../src/quantize.ts";
import type { Format } from "../src/words/format.ts";
import type { Option } from "../src/words/schema.ts";
import type { ScaleSearch } from "../src/words/search.ts";
import { random } from "./adversarial.ts";
import {
  COLUMNS,
  madeUpSamples,
  miniLmSample,
  type Sample,
} from "./fidelity.ts";

type Options = Readonly<Record<string, unknown>>;

function roundTrip(values: Float32Array, options: Options): Float32Array {
  const shape = [values.length / COLUMNS, COLUMNS];
  return dequantize(quantize(values, { shape, ...options } as never));
}

function decibels(values: Float32Array, options: Options): number {
  return compare(values, roundTrip(values, options)).sqnr;
}

/** Decibels that a search must reach; those of made-up values in the order Gauss, Laplace, t4. */
const WANTED: readonly {
  readonly options: Options;
  readonly miniLm: number;
  readonly madeUp: readonly number[];
}[] = [
  {
    options: { format: "int4", groupSize: 32, search: "optimal" },
    miniLm: 21.0,
    madeUp: [21.3, 19.25, 18.4],
  },
  {
    options: { format: "q4_0", search: "optimal" },
    miniLm: 21.53,
    madeUp: [21.8, 19.8, 18.95],
  },
  {
    options: { format: "q4_1", search: "best" },
    miniLm: 23.0,
    madeUp: [23.2, 21.75, 21.55],
  },
  {
    options: { format: "q4_k", search: "best" },
    miniLm: 23.0,
    madeUp: [23.1, 21.6, 21.4],
  },
  {
    options: { format: "iq4_nl", search: "optimal" },
    miniLm: 22.5,
    madeUp: [22.65, 21.4, 20.85],
  },
  {
    options: { format: "iq4_xs", search: "best" },
    miniLm: 22.48,
    madeUp: [22.6, 21.35, 20.7],
  },
  {
    options: { format: "mxfp4", search: "optimal" },
    miniLm: 18.93,
    madeUp: [19.0, 18.18, 17.7],
  },
  {
    options: { format: "nvfp4", search: "optimal" },
    miniLm: 21.75,
    madeUp: [21.75, 21.6, 21.6],
  },
  {
    options: { format: "nf4", search: "optimal" },
    miniLm: 21.2,
    madeUp: [21.4, 20.2, 19.35],
  },
];

const madeUp = madeUpSamples(32 * COLUMNS);

for (const { options, miniLm, madeUp: wanted } of WANTED) {
  Deno.test(`${options.format} by ${options.search} comes as near as its bytes allow`, async () => {
    const real = await miniLmSample(341 * COLUMNS);
    const cases: [Sample, number][] = madeUp.map((
      sample,
      i,
    ) => [sample, wanted[i]]);
    if (real) cases.push([real, miniLm]);
    for (const [{ name, values }, least] of cases) {
      const found = decibels(values, options);
      assert(found >= least, `${name}: ${found.toFixed(3)} dB, not ${least}`);
    }
  });
}

/** Searches that a format has, by the schema. */
function searchesOf(name: string): ScaleSearch[] {
  const option = formats.get(name as never)?.options["search" as never] as
    | Option<ScaleSearch>
    | undefined;
  return option?.kind === "choice" ? [...option.choices] : [];
}

/** Rows that every layout divides. */
const ROWS = 32;

/** The formats with the searches that they do with default options. */
function* searched(): Generator<[format: string, search: ScaleSearch]> {
  for (const { name } of formats.values()) {
    for (const search of searchesOf(name)) {
      try {
        roundTrip(new Float32Array(ROWS * COLUMNS), { format: name, search });
      } catch (error) {
        assert(error instanceof RangeError && error.message.includes(search));
        continue;
      }
      yield [name, search];
    }
  }
}

function weightedError(
  values: Float32Array,
  back: Float32Array,
  weights: Float32Array,
): number {
  return values.reduce(
    (sum, x, i) => sum + weights[i % COLUMNS] * (x - back[i]) ** 2,
    0,
  );
}

Deno.test("a search leaves less error than the reference, optimal less than fast", () => {
  const { values } = madeUp[0], part = values.subarray(0, ROWS * COLUMNS);
  const found = new Map<string, number>();
  for (const [format, search] of searched()) {
    found.set(`${format} ${search}`, decibels(part, { format, search }));
  }
  for (const [key, reached] of found) {
    const [format, search] = key.split(" ");
    if (search === "reference") continue;
    assert(reached > found.get(`${format} reference`)!, key);
    const fast = found.get(`${format} fast`)!;
    assert(search === "fast" || reached >= fast, key);
  }
  assert(found.size > 25, `${found.size} searches were looked at`);
});

Deno.test("importance moves errors to where they count less, in every format that searches", () => {
  const { values } = madeUp[0], part = values.subarray(0, ROWS * COLUMNS);
  const next = random(11);
  const importance = Float32Array.from({ length: COLUMNS }, () => next() ** 4);
  let looked = 0;
  for (const [format, search] of searched()) {
    if (search === "reference") continue;
    // Where every column has a range of its own, weights of columns change none.
    const own = format === "faiss_qt4" ? { uniform: true } : {};
    const given = { ...own, format, search };
    const even = roundTrip(part, given);
    const weighed = roundTrip(part, { ...given, importance });
    const before = weightedError(part, even, importance);
    const after = weightedError(part, weighed, importance);
    // Of a few starting scales none may suit the weights of a whole tensor better.
    const bound = search === "fast" ? 1.001 * before : before;
    assert(after < bound, `${format} ${search}: ${after} of ${before}`);
    // Weights that are all the same change nothing but the last places.
    const same = roundTrip(part, {
      ...given,
      importance: importance.map(() => 1),
    });
    assertEquals(same, even, `${format} ${search}`);
    looked++;
  }
  assert(looked > 20);
});

Deno.test("weights of 0 alone and zeros alone are searched without harm", () => {
  const { values } = madeUp[0], part = values.slice(0, ROWS * COLUMNS);
  part.fill(0, 256, 512);
  const importance = new Float32Array(COLUMNS).fill(1).fill(0, 512, 1024);
  for (const [format, search] of searched()) {
    if (search === "reference") continue;
    const back = roundTrip(part, { format, search, importance });
    assert(compare(part, back).sqnr > 15, `${format} ${search}`);
  }
});

Deno.test("a block that no search does better on stays the reference's, beside others", () => {
  const { values } = madeUp[0], part = values.slice(0, ROWS * COLUMNS);
  part.fill(0, 256, 512);
  const shape = [ROWS, COLUMNS];
  for (const [format, search] of searched()) {
    if (!["q4_k", "iq4_xs"].includes(format) || search === "reference") {
      continue;
    }
    const [kept, found] = ["reference", search].map((search) => {
      const { parts } = quantize(part, { format, shape, search } as never);
      const [{ data }] = Object.values(parts);
      const blocks = ROWS * COLUMNS / 256, bytes = data.length / blocks;
      return Array.from(
        { length: blocks },
        (_, block) => data.slice(block * bytes, (block + 1) * bytes),
      );
    });
    assertEquals(found[1], kept[1], `${format} ${search}`);
    assertNotEquals(found[0], kept[0], `${format} ${search}`);
    assertNotEquals(found[2], kept[2], `${format} ${search}`);
  }
});

Deno.test("a search that a format cannot do is refused, and those that it can are named", () => {
  const values = new Float32Array(COLUMNS).fill(1);
  const refused = (options: Options, text: string) =>
    assertThrows(() => quantize(values, options as never), RangeError, text);
  refused(
    { format: "q4_0", search: "best" },
    'it must be "reference", "fast" or "optimal", not the string "best"',
  );
  refused({ format: "q4_1", search: "optimal" }, '"fast" or "best"');
  refused(
    { format: "mlx", search: "optimal" },
    'Cannot use search "optimal" with mode "affine": it can be "reference", "fast", "best"',
  );
  refused(
    { format: "nf4", search: "best", nested: true },
    'it must be "reference", "fast" or "optimal", not the string "best"',
  );
  refused(
    { format: "int4", search: "fast", range: [-1, 1] },
    'Cannot use search "fast" with a given range',
  );
  refused(
    { format: "openvino", search: "best", mode: "nf4" },
    'Cannot use search "best" with mode "nf4": it can be "reference", "fast", "optimal"',
  );
  refused(
    { format: "onnx_int4", search: "best" },
    'Cannot use search "best" with symmetric: true',
  );
  refused(
    { format: "keras", search: "best", groupSize: "row" },
    'Cannot use search "best" with groupSize row',
  );
  refused(
    { format: "tflite", search: "best" },
    'Cannot use search "best" with symmetric: true',
  );
  const taken: Options[] = [
    { format: "openvino", search: "best", mode: "int4_asym" },
    { format: "openvino", search: "optimal", mode: "nf4" },
    { format: "onnx_int4", search: "best", symmetric: false },
    { format: "keras", search: "best" },
    { format: "tflite", search: "best", symmetric: false },
    { format: "q4_0", search: "optimal" },
    { format: "q4_1", search: "best" },
    { format: "mlx", search: "optimal", mode: "mxfp4" },
    { format: "nf4", search: "optimal" },
    { format: "nf4", search: "optimal", nested: true },
    { format: "hqq", search: "best" },
    { format: "int4", search: "fast" },
  ];
  for (const options of taken) {
    assertEquals(
      dequantize(quantize(values, options as never)).length,
      COLUMNS,
    );
  }
});

Deno.test("a format without searches says why, and is quantized without one", () => {
  const all: Format[] = [...formats.values(), ...writableTypes.values()];
  const without = all.filter(({ options }) => !("search" in options));
  for (const format of all) {
    // Either it searches or it says why not.
    assertEquals("search" in format.options, !format.lacks?.search);
  }
  const shape = [8, 256], values = madeUp[0].values.subarray(0, 8 * 256);
  for (const format of without) {
    const { name, lacks } = format, { search: why } = lacks!;
    assertThrows(
      () => quantizeWith(format, values, { shape, search: "optimal" } as never),
      RangeError,
      `Format ${name} has no option "search": ${why}`,
    );
    quantizeWith(format, values, { shape });
  }
  const names = without.map(({ name }) => name);
  assert(names.includes("ml_dtypes") && names.includes("q8_0"), `${names}`);
  // Other options that it lacks are told as everywhere.
  assertThrows(
    () => quantize(values, { format: "ml_dtypes", groupSize: 32 } as never),
    RangeError,
    'Format ml_dtypes has no option "groupSize": it has kind',
  );
});

Deno.test("importance is refused where the reference weighs nothing, and taken where it does or a search weighs", () => {
  const values = new Float32Array(64).fill(1), importance = values;
  for (const format of ["mxfp4", "nvfp4", "int4", "nf4", "matmul_nbits"]) {
    assertThrows(
      () => quantize(values, { format, importance } as never),
      RangeError,
      `the reference of ${format} weighs no columns`,
    );
    quantize(values, { format, importance, search: "optimal" } as never);
  }
  quantize(values, { format: "q4_0", importance });
});

Deno.test("how a tensor was searched is no part of it", () => {
  const { options } = quantize(new Float32Array(64), {
    format: "q4_0",
    search: "optimal",
  });
  assertEquals(options, {});
});

Deno.test("a group of a whole tensor is searched as one", () => {
  const { values } = madeUp[2], part = values.subarray(0, 20 * COLUMNS);
  for (const groupSize of ["row", "tensor", 20_000]) {
    const given = { format: "int4", groupSize };
    const reference = decibels(part, given);
    const optimal = decibels(part, { ...given, search: "optimal" });
    assert(optimal > reference + 2, `${groupSize}: ${reference}, ${optimal}`);
  }
});
