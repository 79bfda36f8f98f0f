/** Searches with options that change what is searched for: scales along other axes, kept as inverses, as products, in 8 bits, beside float zero points. */
import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import { assert, assertEquals } from "@std/assert";
import { formats } from "../src/formats.ts";
import { dequantize, quantize } from "../src/quantize.ts";
import { FROM_BITS } from "../src/numeric/compute.ts";
import { roundedBy } from "../src/schemes/stored_scale.ts";
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
  { format: "nf4", nested: true },
  { format: "fp4", nested: true, blockSize: 32 },
  { format: "hqq", ...F32 },
  { format: "hqq", axis: 0, ...F32 },
  { format: "hqq", roundZero: true, groupSize: 16, ...F32 },
];

/** The strongest search of a format. */
function strongest(format: unknown): string {
  const { search } = formats.get(format as "nf4")!.options;
  const names = search.kind === "choice" ? search.choices : [];
  return names.includes("optimal") ? "optimal" : "best";
}

const ROWS = 36, COLUMNS = 128;

for (const options of OPTIONS) {
  const strong = strongest(options.format);
  Deno.test(`${JSON.stringify(options)}: no search leaves more error than the reference, ${strong} the least`, () => {
    const values = Float32Array.from({ length: ROWS * COLUMNS }, normal);
    const random = Float32Array.from({ length: COLUMNS }, next);
    for (const weights of [new Float32Array(COLUMNS).fill(1), random]) {
      const given = { ...options, shape: [ROWS, COLUMNS] };
      const importance = weights;
      const reference = errorOf(values, weights, given);
      const by = (search: string) =>
        errorOf(values, weights, { ...given, search, importance });
      const least = by(strong), fast = by("fast");
      assert(least < reference, `${strong} ${least}, not ${reference}`);
      assert(least <= fast * (1 + 1e-6), `${strong} ${least}, fast ${fast}`);
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
  const scales = roundedBy({ dtype: "BF16", level: 8, asInverses: true });
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

/** The squared errors of groups in a row. */
function errorsOf(values: Float32Array, options: Options, size: number) {
  const back = dequantize(quantized(values, options));
  const errors = new Float64Array(Math.ceil(values.length / size));
  values.forEach((x, i) => errors[Math.floor(i / size)] += (x - back[i]) ** 2);
  return errors;
}

for (const format of ["nf4", "fp4"]) {
  Deno.test(`${format} with nested scales: of the 256 scales of a block the best is found`, () => {
    // A nested block and a part of another, the last block cut short; loud and quiet ones.
    const values = Float32Array.from(
      { length: 32 * 290 + 7 },
      (_, i) => normal() * (1 + (i >> 5) % 5),
    );
    values.fill(0, 320, 384);
    const options = { format, nested: true, blockSize: 32 };
    const { parts } = quantized(values, options) as unknown as {
      parts: Record<string, { data: Float32Array }>;
    };
    const text = new TextDecoder().decode(
      parts.quant_state.data as unknown as Uint8Array,
    );
    const mean = JSON.parse(text).nested_offset;
    const levels = parts.quant_map.data, map = parts.nested_quant_map.data;
    const found = errorsOf(values, { ...options, search: "optimal" }, 32);
    for (let block = 0; block < found.length; block++) {
      const nested = parts.nested_absmax.data[block >> 8];
      const own = values.subarray(32 * block, 32 * block + 32);
      let least = own.reduce((sum, x) => sum + x * x, 0);
      for (const entry of map) {
        const scale = Math.fround(Math.fround(entry * nested) + mean);
        if (!(scale > 0)) continue;
        let error = 0;
        for (const x of own) {
          let off = Infinity;
          for (const level of levels) {
            off = Math.min(off, Math.abs(x - level * scale));
          }
          error += off * off;
        }
        least = Math.min(least, error);
      }
      const off = Math.abs(found[block] - least);
      assert(off <= 1e-5 * least, `block ${block}: ${found[block]}, ${least}`);
    }
  });
}

for (const computeDtype of ["F16", "BF16", "F32"]) {
  for (const roundZero of [false, true]) {
    Deno.test(`hqq in ${computeDtype}: no group gets worse, wherever it lies, roundZero: ${roundZero}`, () => {
      // Far from zero, a zero point is so large that codes vanish in its roundings.
      const groups = Array.from({ length: 64 }, () => {
        const middle = (next() - 0.5) * 10 ** (next() * 4 - 1);
        return [middle, middle * 10 ** (0.5 - next() * 3)];
      });
      const values = Float32Array.from({ length: 64 * 16 }, (_, i) => {
        const [middle, width] = groups[i >> 4];
        return middle + width * normal();
      });
      const given = { format: "hqq", groupSize: 16, computeDtype, roundZero };
      const before = errorsOf(values, given, 16);
      for (const search of ["fast", "best"]) {
        const after = errorsOf(values, { ...given, search }, 16);
        after.forEach((error, g) =>
          assert(error <= before[g], `${search}, group ${g}: ${error}`)
        );
        assert(after.some((error, g) => error < 0.9 * before[g]), search);
      }
      if (!roundZero) return;
      const { parts } = quantized(values, { ...given, search: "best" }) as {
        parts: unknown;
      };
      const zeros = (parts as { zero: { data: ArrayLike<number> } }).zero.data;
      const decode = FROM_BITS[computeDtype as "F16"];
      for (const zero of Array.from(zeros, (bits) => decode(bits))) {
        assert(Number.isInteger(zero), `${zero}`);
      }
    });
  }
}

for (const nested of [false, true]) {
  Deno.test(`nf4 in float16: a searched scale leads to no infinity, nested: ${nested}`, () => {
    // The best scale for these lies above the largest magnitude, and beyond float16.
    const values = Float32Array.from(
      { length: 256 },
      (_, i) => i % 64 === 0 ? 64_000 : 48_000,
    );
    const given = { format: "nf4", nested, computeDtype: "F16" };
    const before = errorsOf(values, given, 256);
    const after = errorsOf(values, { ...given, search: "optimal" }, 256);
    assert(after[0] <= before[0], `${after[0]}, not ${before[0]}`);
    const wide = { ...given, computeDtype: "F32", search: "optimal" };
    const { parts } = quantized(values, { ...wide, nested: false }) as {
      parts: unknown;
    };
    const { absmax } = parts as { absmax: { data: Float32Array } };
    assert(absmax.data[0] > 65_520, `${absmax.data[0]} is not beyond`);
  });
}
