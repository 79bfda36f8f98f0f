/** Products of quantized weights, judged by dequantizing and multiplying in float64. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { backend, dequantize, quantize, useBackend } from "../../mod.ts";
import { packActivations } from "../../src/search/activations.ts";
import { dot, matmul, type QuantizedTensor } from "../../src/search/mod.ts";
import { multiplyPlain } from "../../src/search/matmul.ts";
import { weightsOf } from "../../src/search/weights.ts";
import {
  dot as dotOf,
  gaussianRows,
  printedSeed,
  randomNumbers,
} from "./support.ts";

const seed = printedSeed("matmul_test");
const { normal, uniform } = randomNumbers(seed);

/** Formats and options, and a number of columns that they take. */
const CASES: [options: Record<string, unknown>, columns: number][] = [
  [{ format: "int4", groupSize: 32 }, 32],
  [{ format: "int4", groupSize: 32 }, 224],
  [{ format: "int4", groupSize: 64 }, 448],
  [{ format: "int4", groupSize: 128, scaleMethod: "minmax" }, 640],
  [{ format: "int4", groupSize: 32, scaleMethod: "affine" }, 352],
  [{ format: "int4", groupSize: 96, scaleMethod: "affine" }, 288],
  [{ format: "int4", groupSize: "row" }, 160],
  [{ format: "int4", groupSize: "tensor", scaleMethod: "affine" }, 256],
  [{ format: "q4_0" }, 32],
  [{ format: "q4_0" }, 416],
  [{ format: "q4_k" }, 256],
  [{ format: "q4_k" }, 768],
];

function quantized(
  values: Float32Array,
  shape: number[],
  options: Record<string, unknown>,
): QuantizedTensor {
  return quantize(
    values,
    { format: "int4", ...options, shape } as { format: "int4" },
  ) as unknown as QuantizedTensor;
}

function restored(tensor: QuantizedTensor): Float32Array {
  return dequantize(tensor as unknown as Parameters<typeof dequantize>[0]);
}

for (const [options, columns] of CASES) {
  const name = `${JSON.stringify(options)}, ${columns} columns`;
  // Rows beyond a tile, an odd number of them.
  const rows = 37, batch = 3;
  const weights = gaussianRows(rows, columns, seed).map((x) => x + 0.3);
  const tensor = quantized(weights, [rows, columns], options);
  const activations = Float32Array.from(
    { length: batch * columns },
    (_, i) => i % 97 === 5 ? 0 : normal() * (i % 33 === 0 ? 20 : 1),
  );
  activations.fill(0, 0, Math.min(64, columns / 2));

  Deno.test(`${name}: within the bound of dequantizing and multiplying`, () => {
    const out = matmul(tensor, activations), floats = restored(tensor);
    assertEquals(out.length, rows * batch);
    for (let b = 0; b < batch; b++) {
      const vector = activations.subarray(b * columns, (b + 1) * columns);
      for (let row = 0; row < rows; row++) {
        const own = floats.subarray(row * columns, (row + 1) * columns);
        let bound = 1e-30, whole = 0;
        for (let block = 0; block < columns; block += 32) {
          const largest = Math.max(
            ...vector.subarray(block, block + 32).map(Math.abs),
          );
          // q4_k adds scale and minimum apart, so both count.
          const apart =
            options.format === "q4_k" || options.scaleMethod === "affine"
              ? 4
              : 1;
          for (let i = block; i < block + 32; i++) {
            bound += Math.abs(own[i]) * largest / 65534 * apart;
            whole += (Math.abs(own[i]) + 1) * Math.abs(vector[i]);
          }
        }
        bound += 2 ** -23 * (columns / 32 + 8) * whole;
        const error = Math.abs(out[b * rows + row] - dotOf(own, vector));
        assert(error <= bound, `vector ${b}, row ${row}: ${error} > ${bound}`);
      }
    }
  });

  Deno.test(`${name}: the same bits from the kernels and from plain JS`, () => {
    const out = matmul(tensor, activations), own = weightsOf("it", tensor);
    for (let b = 0; b < batch; b++) {
      const vector = activations.subarray(b * columns, (b + 1) * columns);
      const plain = new Float32Array(rows);
      multiplyPlain(own, packActivations(vector, own.order), plain);
      assertEquals(out.subarray(b * rows, (b + 1) * rows), plain);
    }
    const before = backend();
    useBackend("js");
    assertEquals(matmul(tensor, activations), out);
    useBackend(before);
  });
}

Deno.test("weights of many tiles, and results in an array of the caller's", () => {
  const columns = 1024, rows = 1500;
  const tensor = quantized(gaussianRows(rows, columns, seed), [rows, columns], {
    format: "q4_0",
  });
  const vector = gaussianRows(1, columns, seed + 1);
  const into = new Float32Array(rows);
  assertEquals(matmul(tensor, vector, { into }), into);
  const own = weightsOf("it", tensor), plain = new Float32Array(rows);
  multiplyPlain(own, packActivations(vector, own.order), plain);
  assertEquals(into, plain);
  assertEquals(matmul(tensor, []).length, 0);
});

Deno.test("dot products of packed vectors, in any two formats", () => {
  const values = () =>
    Float32Array.from({ length: 512 }, () => normal() + uniform());
  for (const [one] of CASES) {
    for (const [other] of CASES) {
      if ([one, other].some(({ groupSize }) => groupSize === 96)) continue;
      const a = quantized(values(), [512], one),
        b = quantized(values(), [512], other);
      const [x, y] = [restored(a), restored(b)];
      const whole = x.reduce(
        (sum, v, i) => sum + (Math.abs(v) + 1) * (Math.abs(y[i]) + 1),
        0,
      );
      const error = Math.abs(dot(a, b) - dotOf(x, y));
      assert(error <= 2 ** -22 * whole, `${error} of ${whole}`);
    }
  }
});

Deno.test("what cannot be multiplied is refused, and its neighbour taken", () => {
  const values = gaussianRows(2, 64, seed);
  const good = quantized(values, [2, 64], { format: "q4_0" });
  const refusals: [work: () => unknown, message: string][] = [
    [
      () => matmul(quantized(values, [2, 64], { format: "iq4_nl" }), values),
      'format is "iq4_nl"',
    ],
    [
      () =>
        matmul(
          quantized(values.subarray(0, 96), [2, 48], { format: "int4" }),
          values,
        ),
      "48 values",
    ],
    [
      () =>
        matmul(
          quantized(values, [2, 64], { format: "int4", groupSize: 16 }),
          values,
        ),
      "groups of a multiple of 32",
    ],
    [() => matmul(good, values.subarray(1)), "no multiple"],
    [() => matmul(good, values.slice().fill(NaN, 3, 4)), "NaN at index 3"],
    [
      () => matmul(good, values, { into: new Float32Array(3) }),
      "it has 3 elements",
    ],
    [
      () => matmul({ ...good, parts: {} }, values),
      "part blocks has no elements",
    ],
    [() => matmul({ ...good, shape: [4, 64] }, values), "its shape takes 144"],
    [() => dot(good, good), "2 rows"],
    [
      () =>
        dot(
          quantized(values, [128], { format: "q4_0" }),
          quantized(values.subarray(64), [64], { format: "q4_0" }),
        ),
      "128 and 64 values",
    ],
  ];
  for (const [work, message] of refusals) {
    assertThrows(work, RangeError, message);
  }
  assertEquals(matmul(good, values).length, 4);
  const vector = quantized(values, [128], { format: "q4_0" });
  assert(dot(vector, vector) > 0);
});
