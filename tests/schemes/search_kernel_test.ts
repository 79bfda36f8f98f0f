/** Searched scales by kernel and in plain JS: the same bytes, for values and weights of every kind. */
import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { quantize } from "../../src/quantize.ts";
import type { Part } from "../../src/words/format.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const seed = Math.floor(Math.random() * 2 ** 32);
console.log(`search_kernel_test: seed ${seed}`);
const next = random(seed);

const ROWS = 4, COLUMNS = 256;

const VALUES: Readonly<
  Record<string, (_: unknown, index: number) => number>
> = {
  normal: () => next() + next() + next() - 1.5,
  peaked: () => (next() - 0.5) ** 7,
  "whole numbers": () => Math.floor(next() * 9) - 4,
  // At a scale and at its double, and at both signs, they are as good.
  "a few levels": () => [-3, -2, 0, 1, 2, 3][Math.floor(next() * 6)] / 2,
  sparse: () => next() < 0.9 ? 0 : next() - 0.4,
  tiny: () => (next() - 0.5) * 1e-37,
  large: () => (next() - 0.5) * 60000,
  "of every size": () => (next() - 0.5) * 2 ** Math.floor(next() * 60 - 45),
  // Beside each other in the same vectors: every other group is of 0 or of another size.
  "groups of every size": (_, index) =>
    (next() - 0.5) * [0, 1e-30, 1, 1e5, 1e-3, 1][(index >> 4) % 6],
  // Every range of scales has the same codes at both ends, but at one scale.
  "all the same": () => 0.7,
};

const WEIGHTS: Readonly<Record<string, (() => number) | undefined>> = {
  none: undefined,
  "some of 0": () => next() < 0.2 ? 0 : next() * 3,
  "most of 0": () => next() < 0.9 ? 0 : next() * 3,
  "of many sizes": () => 10 ** (next() * 10 - 5),
};

/** Options of a format; the shape is that of {@linkcode ROWS} and {@linkcode COLUMNS} by default. */
type Options =
  & { readonly shape?: readonly number[] }
  & Readonly<Record<string, unknown>>;

const FORMATS: readonly Options[] = [
  { format: "int4", groupSize: 32 },
  { format: "int4", groupSize: 37 },
  { format: "q4_0" },
  { format: "iq4_nl" },
  { format: "mxfp4" },
  // Rows of five groups, of which a vector takes four.
  { format: "mxfp4", shape: [6, 160] },
  { format: "nvfp4" },
  { format: "nf4" },
  { format: "fp4" },
  { format: "nf4", nested: true },
  { format: "fp4", nested: true, blockSize: 32, computeDtype: "F16" },
  { format: "openvino", mode: "cb4", groupSize: 32 },
  { format: "nvfp4_modelopt" },
  { format: "matmul_nbits" },
];

function partsBy(
  name: "wasm" | "js",
  values: Float32Array,
  options: object,
): [string, Part][] {
  const before = backend();
  useBackend(name);
  try {
    const { parts } = quantize(values, options as never);
    return Object.entries({ ...parts });
  } finally {
    useBackend(before);
  }
}

/** With a zero point for each group. */
const WITH_ZEROS: readonly Options[] = [
  { format: "int4", groupSize: 32, scaleMethod: "affine" },
  { format: "matmul_nbits", symmetric: false },
  { format: "gptq", symmetric: false, version: 2, groupSize: 4 },
  { format: "gptq", symmetric: false, version: 1, groupSize: 4 },
];

/** With a bias for each group, or numbers for blocks of groups. */
const WITH_BIASES: readonly Options[] = [
  { format: "q4_1" },
  { format: "mlx", groupSize: 32 },
  { format: "mlx", groupSize: 128, scaleDtype: "BF16" },
  { format: "q4_k" },
  { format: "iq4_xs" },
  { format: "hqq" },
  { format: "hqq", groupSize: 128, computeDtype: "BF16", roundZero: true },
  { format: "hqq", groupSize: 16, computeDtype: "F32", axis: 0 },
  // Groups that no vector divides.
  { format: "hqq", groupSize: "row", shape: [8, 37] },
];

const CASES: readonly (readonly [Options, readonly string[]])[] = [
  ...FORMATS.map((format) => [format, ["fast", "optimal"]] as const),
  ...WITH_ZEROS.map((format) => [format, ["fast", "optimal", "best"]] as const),
  ...WITH_BIASES.map((format) => [format, ["fast", "best"]] as const),
];

for (const [format, searches] of CASES) {
  Deno.test(`${JSON.stringify(format)} is searched by kernel as in plain JS`, () => {
    for (const search of searches) {
      for (const [kind, make] of Object.entries(VALUES)) {
        for (const [weighed, weigh] of Object.entries(WEIGHTS)) {
          const { shape = [ROWS, COLUMNS] } = format;
          const [rows, columns] = shape;
          const values = Float32Array.from({ length: rows * columns }, make);
          const importance = weigh &&
            Float32Array.from({ length: columns }, weigh);
          const options = { ...format, search, shape, importance };
          const inJs = new Map(partsBy("js", values, options));
          for (const [part, { data }] of partsBy("wasm", values, options)) {
            const which = `${search}, ${kind}, weights ${weighed}: ${part}`;
            assertSameBytes(data, inJs.get(part)!.data, which);
          }
        }
      }
    }
  });
}
