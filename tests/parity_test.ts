// Every format on every backend against its scalar reference, bit for bit, over
// lengths, offsets and option sets. A format is tested the moment it is registered.

import { formats } from "../src/formats/registry.ts";
import { allocateParts } from "../src/quantize.ts";
import {
  allocate,
  type Backend,
  backend as backendInForce,
  useBackend,
} from "../src/kernels/engine.ts";
import type { Format } from "../src/types.ts";
import { adversarial } from "./adversarial.ts";
import { blockSize, weightedFormats } from "./formats/ggml_cases.ts";
import { importanceData } from "./formats/ggml_data.ts";
import { assertSameBytes } from "./same_bytes.ts";

const BACKENDS: Backend[] = ["wasm", "js"];

/** What each test puts back: the suite also runs with plain JS forced. */
const INITIAL = backendInForce();

/** Shapes and options worth a try, beyond the defaults on one axis. */
const CASES: Record<string, { shape: number[]; options: object }[]> = {
  int4: ["absmax", "minmax", "affine"].flatMap((scaleMethod) => [
    ...[0, 1, 2, 7, 31, 32, 33, 63, 64, 65, 1000, 2047, 4099, 9001].map((
      n,
    ) => ({
      shape: [n],
      options: { scaleMethod, groupSize: "tensor" },
    })),
    ...[1, 2, 3, 5, 16, 20, 32, 48, 64, 100, 128, 1024, "row", "tensor"]
      .flatMap((groupSize) =>
        [
          [1],
          [31],
          [4096],
          [3, 100],
          [5, 129],
          [2, 3, 64],
          [40, 1],
          [7, 2, 33],
          [0, 4],
          [3, 2600],
        ]
          .map((shape) => ({ shape, options: { scaleMethod, groupSize } }))
      ),
    { shape: [2, 20000], options: { scaleMethod, groupSize: "row" } },
    { shape: [2, 17001], options: { scaleMethod, groupSize: 16999 } },
    { shape: [40001], options: { scaleMethod, groupSize: 16386 } },
  ]),
};

/** Importance for the formats that take it. */
function importanceOf(format: Format, columns: number): object[] {
  if (!weightedFormats.some(({ name }) => name === format.name)) return [];
  const { random, withZeros } = importanceData(columns);
  return [{ importance: random }, { importance: withZeros }];
}

/** Shapes for a format whose values go in blocks: none, one, and more than a tile of them. */
function blockCases(format: Format): { shape: number[]; options: object }[] {
  const n = blockSize(format);
  const shapes = [[0], [0, n], [n], [2, n], [3, 2, 2 * n], [3, 2560], [
    2,
    4096,
  ]];
  return [
    ...[512, 5 * n].flatMap((columns) =>
      importanceOf(format, columns).map((options) => ({
        shape: [3, columns],
        options,
      }))
    ),
    ...shapes.map((shape) => ({ shape, options: {} })),
  ];
}

function size(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Options in short: an array of weights by its length. */
function labelOf(options: object): string {
  return JSON.stringify(
    options,
    (_, value) =>
      value instanceof Float32Array ? `${value.length} weights` : value,
  );
}

function check(
  format: Format,
  values: Float32Array,
  shape: number[],
  given: object,
  label: string,
): void {
  // Overflowing scales too: the reference writes them as upstream does.
  const options = { ...format.resolve(given, shape), overflow: "keep" },
    specs = format.parts(shape, options);
  const expected = allocateParts(specs), actual = allocateParts(specs);
  format.reference.quantize(values, shape, options, expected);
  for (const part of Object.values(actual)) {
    new Uint8Array(part.data.buffer).fill(0xaa);
  }
  format.quantize(values, shape, options, actual);
  for (const [name, { data }] of Object.entries(expected)) {
    assertSameBytes(actual[name].data, data, `${label} quantize ${name}`);
  }
  const back = new Float32Array(values.length), out = back.slice().fill(NaN);
  format.reference.dequantize(expected, shape, options, back);
  format.dequantize(expected, shape, options, out);
  assertSameBytes(out, back, `${label} dequantize`);
}

for (const [name, format] of formats) {
  const cases = CASES[name] ?? blockCases(format);
  for (const backend of BACKENDS) {
    Deno.test(`${name} on ${backend} equals its scalar reference`, () => {
      useBackend(backend);
      for (const { shape, options } of cases) {
        const sets = adversarial(size(shape));
        for (const [set, values] of Object.entries(sets)) {
          check(
            format,
            values,
            shape,
            options,
            `${name} ${backend} [${shape}] ${labelOf(options)} ${set}`,
          );
        }
      }
      useBackend(INITIAL);
    });

    Deno.test(`${name} on ${backend} works at every alignment and in WebAssembly memory`, () => {
      useBackend(backend);
      const { shape, options } = cases[cases.length - 1];
      const n = size(shape),
        values = adversarial(n).gauss,
        inside = allocate(n + 16);
      for (let offset = 0; offset < 5; offset++) {
        const outside = new Float32Array(n + offset).subarray(offset);
        const zeroCopy = inside.subarray(offset, offset + n);
        for (const place of [outside, zeroCopy]) {
          place.set(values);
          check(
            format,
            place,
            shape,
            options,
            `${name} ${backend} offset ${offset}`,
          );
        }
      }
      useBackend(INITIAL);
    });
  }
}
