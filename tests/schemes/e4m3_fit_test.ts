// Scales of E4M3 and factors by the kernel against their rule, one group at a time.

import "../../src/model/install.ts";
import { assertEquals } from "@std/assert";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { roundTo } from "../../src/numeric/compute.ts";
import { decodeE4M3, encodeE4M3 } from "../../src/numeric/e4m3.ts";
import { type E4M3Fit, fitE4M3 } from "../../src/schemes/e4m3_fit.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const { fround, max } = Math;

/** What the kernel finds; undefined where it declines. */
function byKernel(fit: E4M3Fit, given: Float32Array, most = Infinity) {
  const before = backend();
  useBackend("wasm");
  const room = new Room();
  room.open(new Uint8Array(0));
  const [magnitudes, scales, factors] = [0, 1, 2].map(() =>
    room.floats(given.length)
  );
  magnitudes.set(given);
  const isDone = fitE4M3(fit, magnitudes, scales, factors, most);
  useBackend(before);
  return isDone
    ? { scales: scales.slice(), factors: factors.slice() }
    : undefined;
}

function scaleByRule(
  { divisor, dtype = "F32", times = 1, over = 1, ...fit }: E4M3Fit,
  magnitude: number,
): number {
  const { least = 0, ofZero = least, orElse = 0 } = fit;
  const [rule, by] = fit.factor;
  const first = roundTo(dtype)(fround(magnitude / divisor));
  const quotient = rule === "unscaled" ? max(first, by) : first;
  const x = fround(fround(quotient * times) / over);
  return decodeE4M3(encodeE4M3(x === 0 ? ofZero : max(x, least))) || orElse;
}

function factorByRule(
  { factor: [rule, by], divisor }: E4M3Fit,
  scale: number,
  magnitude: number,
): number {
  if (rule === "unscaled") return max(fround(magnitude / divisor), by);
  if (rule === "product") return fround(scale * by);
  return fround(rule === "quotient" ? scale / by : by / scale);
}

const FITS: Readonly<Record<string, E4M3Fit>> = {
  product: { divisor: 1, least: 2 ** -9, ofZero: 1, factor: ["product", 0.75] },
  quotient: {
    divisor: 6,
    dtype: "BF16",
    times: 3,
    orElse: 0.125,
    factor: ["quotient", 3],
  },
  inverse: { divisor: 6, over: 3, least: 2 ** -6, factor: ["inverse", 7] },
  unscaled: { divisor: 6, over: 3, factor: ["unscaled", 2 ** -5] },
  halves: {
    divisor: 2,
    dtype: "F16",
    orElse: 1,
    factor: ["product", 1],
  },
};

Deno.test("scales of E4M3 and factors by the kernel are those of the rule, at and next to every tie", () => {
  const float = new Float32Array(1), bits = new Int32Array(float.buffer);
  const next = random(7);
  const near = Array.from({ length: 126 }, (_, byte) => [
    decodeE4M3(byte),
    (decodeE4M3(byte) + decodeE4M3(byte + 1)) / 2,
  ]).flat().flatMap((x) =>
    [-1, 0, 1].map((steps) => {
      float[0] = x;
      bits[0] = max(0, bits[0] + steps);
      return float[0];
    })
  );
  for (const [name, fit] of Object.entries(FITS)) {
    const factor = fit.divisor / (fit.times ?? 1) * (fit.over ?? 1);
    const given = Float32Array.of(
      ...near.map((x) => x * factor),
      ...near.map(() => 3000 * next()),
      ...[0, 1e-45, 1e-20, 1e5, 6e4],
      ...Array.from({ length: 3 }, () => 1),
    );
    assertEquals(given.length % 4, 0);
    const found = byKernel(fit, given);
    const scales = given.map((x) => scaleByRule(fit, x));
    const factors = scales.map((scale, i) =>
      factorByRule(fit, scale, given[i])
    );
    assertSameBytes(found!.scales, scales, name);
    assertSameBytes(found!.factors, factors, name);
  }
});

Deno.test("a group whose scale or factor is not ordinary is left to the scalar way, and others are fitted", () => {
  const group = (x: number) => Float32Array.of(1, 1, x, 1);
  const plain: E4M3Fit = { divisor: 1, factor: ["product", 1] };
  assertEquals(byKernel(plain, group(0)), undefined);
  const taken: E4M3Fit = { ...plain, factorOfZero: Infinity };
  assertEquals(byKernel(taken, group(0))?.factors[2], Infinity);
  assertEquals(byKernel(taken, group(2))?.factors[2], 2);
  assertEquals(byKernel(plain, group(NaN)), undefined);
  assertEquals(byKernel(plain, group(448 * 9), 9), undefined);
  assertEquals(byKernel(plain, group(448 * 8), 9)?.scales[2], 448);
  const inverse: E4M3Fit = { divisor: 1, factor: ["inverse", 3e38] };
  assertEquals(byKernel(inverse, group(2 ** -9)), undefined);
  assertEquals(byKernel(inverse, group(2))?.factors[2], fround(3e38) / 2);
});
