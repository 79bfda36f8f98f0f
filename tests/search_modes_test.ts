/** Searches with options that change what is searched for: scales along other axes, kept as inverses, as products. */
import "../src/kernels/install.ts";
import "../src/kernels/install_scales.ts";
import { assert, assertEquals } from "@std/assert";
import { dequantize, quantize } from "../src/quantize.ts";
import { inverseScalesIn } from "../src/schemes/stored_scale.ts";
import { random } from "./adversarial.ts";

type Options = Readonly<Record<string, unknown>>;

const seed = Math.floor(Math.random() * 2 ** 32);
console.log(`search_modes_test: seed ${seed}`);
const next = random(seed);
const normal = () => next() + next() + next() + next() - 2;

function quantized(values: Float32Array, options: Options) {
  return quantize(values, options as never);
}

function errorOf(
  values: Float32Array,
  weights: Float32Array,
  options: Options,
): number {
  const back = dequantize(quantized(values, options));
  const { length } = weights;
  return values.reduce(
    (sum, x, i) => sum + weights[i % length] * (x - back[i]) ** 2,
    0,
  );
}

const F32 = { computeDtype: "F32" } as const;

/** Values are not rounded after they were computed, so that errors are what a search sees. */
const OPTIONS: readonly Options[] = [
  { format: "onnx_int4" },
  { format: "onnx_int4", axis: 0, blockSize: 16 },
  { format: "onnx_int4", axis: 0, blockSize: 24, symmetric: false },
  { format: "onnx_int4", blockSize: 0 },
  { format: "onnx_int4", axis: "tensor" },
  { format: "onnx_uint4" },
  { format: "onnx_uint4", axis: 0, blockSize: 0 },
  { format: "onnx_uint4", symmetric: true },
  { format: "keras", groupSize: 48 },
  { format: "keras", groupSize: "row" },
  { format: "tflite" },
  { format: "tflite", symmetric: false },
  { format: "tflite", granularity: 32 },
  { format: "tflite", granularity: "tensor" },
  { format: "openvino", groupSize: 32 },
  { format: "openvino", mode: "int4_asym", groupSize: 32 },
  { format: "openvino", mode: "nf4", groupSize: 32 },
  { format: "openvino", mode: "cb4", groupSize: "row" },
  { format: "openvino", mode: "fp4", groupSize: 32 },
  { format: "openvino", mode: "mxfp4" },
  { format: "openvino", mode: "nvfp4" },
  { format: "nvfp4_ct", inputDtype: "F32", ...F32 },
  { format: "nvfp4_torchao", ...F32 },
  { format: "nvfp4_torchao", perTensorScale: false, ...F32 },
];

const ROWS = 36, COLUMNS = 128;

for (const options of OPTIONS) {
  Deno.test(`${JSON.stringify(options)}: no search leaves more error than the reference, optimal the least`, () => {
    const values = Float32Array.from({ length: ROWS * COLUMNS }, normal);
    const random = Float32Array.from({ length: COLUMNS }, next);
    for (const weights of [new Float32Array(COLUMNS).fill(1), random]) {
      const given = { ...options, shape: [ROWS, COLUMNS] };
      const importance = weights;
      const reference = errorOf(values, weights, given);
      const by = (search: string) =>
        errorOf(values, weights, { ...given, search, importance });
      const optimal = by("optimal"), fast = by("fast");
      assert(optimal < reference, `optimal ${optimal}, not ${reference}`);
      assert(optimal <= fast * (1 + 1e-6), `optimal ${optimal}, fast ${fast}`);
    }
  });
}

function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  return Float32Array.from(
    values,
    (_, i) => values[i % rows * columns + Math.floor(i / rows)],
  );
}

for (const symmetric of [true, false]) {
  Deno.test(`groups along columns are searched as those along rows, cut short or not, symmetric: ${symmetric}`, () => {
    const values = Float32Array.from({ length: 50 * 7 }, normal);
    const turned = transposed(values, 50);
    for (const blockSize of [0, 10, 16]) {
      const both = { format: "onnx_int4", search: "optimal", symmetric };
      const along = { ...both, blockSize: blockSize || 50 };
      const size = blockSize === 0 ? { blockSize: 0, axis: 1 } : {
        blockSize,
        axis: 0,
      };
      const down = quantized(values, { ...both, ...size, shape: [50, 7] });
      const right = quantized(turned, { ...along, shape: [7, 50] });
      assertEquals(transposed(dequantize(down), 50), dequantize(right));
    }
  });
}

Deno.test("the nearest scale of those that are kept as inverses is found", () => {
  const scales = inverseScalesIn("BF16", 8);
  for (let i = 0; i < 500; i++) {
    const exact = 2 ** (next() * 40 - 20), found = scales.nearest(exact);
    assertEquals(Math.fround(1 / scales.fieldOf!(found)), found);
    // Every bfloat16 around the inverse.
    const [bits] = new Int32Array(Float32Array.of(1 / exact).buffer);
    for (let step = -3; step <= 3; step++) {
      const around = Int32Array.of(((bits >> 16) + step) << 16);
      const other = Math.fround(1 / new Float32Array(around.buffer)[0]);
      const off = Math.abs(found - exact);
      assert(off <= Math.abs(other - exact), `${exact}: ${other} is nearer`);
    }
  }
});
