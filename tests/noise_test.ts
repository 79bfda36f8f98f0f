// The quick meter against compare, on both backends, extremes included.

import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { compare, NoiseMeter } from "../src/compare.ts";
import { allocate, backend, useBackend } from "../src/kernels/engine.ts";
import { weightLike } from "../src/cli/sample.ts";

const backends = backend() === "wasm"
  ? ["wasm", "js"] as const
  : ["js"] as const;

function noise(expected: Float32Array, actual: Float32Array) {
  const meter = new NoiseMeter(), half = expected.length >> 1 & ~63;
  meter.add(expected.subarray(0, half), actual.subarray(0, half));
  meter.add(expected.subarray(half), actual.subarray(half));
  return meter.result();
}

Deno.test("the quick meter tells what compare tells, whatever the size of values", () => {
  const before = backend();
  try {
    for (const name of backends) {
      useBackend(name);
      for (const length of [0, 1, 15, 16, 17, 1000, 70_001]) {
        for (const scale of [1, 1e-30, 1e-20, 1e15, 1e25]) {
          const expected = weightLike(1, length, allocate(length));
          const actual = expected.map((x, i) => (x + (i % 7) * 1e-3) * scale);
          expected.forEach((x, i) => expected[i] = x * scale);
          const { sqnr, rmse } = compare(expected, actual);
          const quick = noise(expected, actual);
          const label = `${length} values times ${scale} on ${name}`;
          assert(
            Object.is(sqnr, quick.sqnr) || Math.abs(sqnr - quick.sqnr) < 1e-6,
            label,
          );
          assert(Math.abs(rmse - quick.rmse) <= 1e-6 * rmse, label);
        }
      }
    }
  } finally {
    useBackend(before);
  }
});

Deno.test("the quick meter tells no error of equal arrays, and refuses unequal lengths", () => {
  const values = weightLike(1, 100);
  assertEquals(noise(values, values), { rmse: 0, sqnr: Infinity });
  const zeros = new Float32Array(50);
  assertEquals(noise(zeros, zeros), { rmse: 0, sqnr: Infinity });
  assertThrows(
    () => new NoiseMeter().add(values, zeros),
    RangeError,
    "Cannot compare 100 values with 50",
  );
});
