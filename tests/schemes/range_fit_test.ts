// Scales and zero points by the kernel against their rule, one group at a time.

import "../../src/model/install.ts";
import { assert, assertEquals } from "@std/assert";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { roundTo } from "../../src/numeric/compute.ts";
import { clamp, roundHalfToEven } from "../../src/numeric/rounding.ts";
import { fitRanges, type RangeFit } from "../../src/schemes/range_fit.ts";
import type { ComputeDtype } from "../../src/words/scheme.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const { abs, fround, max, min } = Math;

type Range = readonly [least: number, largest: number];

/** What the kernel finds; undefined where it declines. */
function byKernel(
  fit: RangeFit,
  ranges: readonly Range[],
  stored: ComputeDtype = "F32",
) {
  const before = backend();
  useBackend("wasm");
  const room = new Room();
  room.open(new Uint8Array(0));
  const [mins, maxs, scales, offsets] = [0, 1, 2, 3].map(() =>
    room.floats(ranges.length)
  );
  ranges.forEach(([a, b], i) => [mins[i], maxs[i]] = [a, b]);
  const isDone = fitRanges(fit, stored, mins, maxs, scales, offsets);
  useBackend(before);
  return isDone
    ? { scales: scales.slice(), offsets: offsets.slice() }
    : undefined;
}

function byRule(fit: RangeFit, [least, largest]: Range): Range {
  const { of, dtype = "F32", divisor = 15, home = 0 } = fit;
  const { rangeDtype = dtype, scaleDtype = dtype, stepDtype = dtype } = fit;
  const round = roundTo(stepDtype), isWide = of === "widened";
  const low = isWide ? min(least, 0) : least;
  const high = isWide ? max(largest, 0) : largest;
  const { leastRange = 0, plus = 0 } = fit;
  const range = fround(
    max(roundTo(rangeDtype)(fround(high - low)), leastRange) + plus,
  );
  const magnitude = of === "magnitude"
    ? max(abs(low), abs(high))
    : of === "top"
    ? max(high, 0)
    : abs(low) >= high
    ? abs(low)
    : -high;
  const hasRange = of === "range" || isWide;
  const quotient = fround((hasRange ? range : magnitude) / divisor);
  const x = roundTo(scaleDtype)(
    abs(quotient) < (fit.least ?? 0) ? fit.least! : quotient,
  );
  const scale = roundTo(fit.again ?? "F32")(x || (fit.ofZero ?? 0));
  if (!hasRange) return [scale, fit.zero ?? 8];
  if (x === 0) return [scale, fit.zero ?? home];
  const steps = round(fround(-home - round(fround(low / x))));
  const zero = roundHalfToEven(clamp(steps, -home, 15 - home));
  return [scale, (zero || 0) + home];
}

const FITS: Readonly<Record<string, RangeFit>> = {
  range: { of: "range", plus: fround(1e-7) },
  "range of halves": {
    of: "range",
    dtype: "F16",
    leastRange: roundTo("F16")(1e-5),
  },
  widened: { of: "widened", least: 2 ** -23 },
  "widened from the middle": {
    of: "widened",
    dtype: "BF16",
    ofZero: 2 ** -7,
    home: 8,
  },
  magnitude: { of: "magnitude", divisor: 7.5, dtype: "F16", ofZero: 2 ** -10 },
  "least magnitude": { of: "magnitude", divisor: 7, least: fround(1e-8) },
  signed: { of: "signed", divisor: 8, least: 2 ** -23 },
  top: { of: "top", scaleDtype: "BF16", ofZero: 1, zero: 0 },
  "scale of halves": { of: "widened", scaleDtype: "F16", ofZero: 1, zero: 3 },
  "range of bfloat16": { of: "range", rangeDtype: "BF16", plus: fround(1e-7) },
  "steps of halves": { of: "widened", stepDtype: "F16", least: 2 ** -14 },
  "bfloat16 in halves": {
    of: "magnitude",
    divisor: 7,
    scaleDtype: "BF16",
    again: "F16",
  },
};

/** Ranges of every kind: about 0, beside it, points, half steps, tiny ones. */
function rangesOf(seed: number, round: (x: number) => number): Range[] {
  const next = random(seed);
  const drawn = Array.from({ length: 500 }, (_, i): Range => {
    const a = round((next() - 0.5) * 2 ** (i % 9 - 4));
    const b = i % 11 === 0 ? a : round((next() - 0.5) * 2 ** (i % 7 - 3));
    return [min(a, b), max(a, b)];
  });
  const even = Array.from(
    { length: 30 },
    (_, i): Range => [-i / 2, 15 - i / 2],
  );
  return [
    ...drawn,
    ...even,
    ...[[0, 0], [-1, 1], [-0, 0], [0, 1], [-1, -0], [-0, -0]] as Range[],
    ...[[-2, 1], [-1, 2], [1000, 1000], [-1000, -999], [0, 1e-6]] as Range[],
    ...[[0, 2 ** -24], [-(2 ** -20), 0], [7, 7]] as Range[],
  ];
}

Deno.test("scales and zero points by the kernel are those of the rule", () => {
  for (const [name, fit] of Object.entries(FITS)) {
    const ranges = rangesOf(5, roundTo(fit.dtype ?? fit.scaleDtype ?? "F32"));
    assertEquals(ranges.length % 4, 0);
    const found = byKernel(fit, ranges),
      wanted = ranges.map((range) => byRule(fit, range));
    assert(found, name);
    const numbers = (k: 0 | 1) => Float32Array.from(wanted, (pair) => pair[k]);
    assertSameBytes(found.scales, numbers(0), `${name}: scales`);
    assertSameBytes(found.offsets, numbers(1), `${name}: zero points`);
  }
});

Deno.test("a scale that its type may not hold, and one of 0 for some range, are left to the scalar way", () => {
  const plain: RangeFit = { of: "widened" };
  const four = (range: Range): Range[] => [[-1, 1], [-1, 1], range, [0, 0]];
  assertEquals(byKernel(plain, four([-9e5, 0]), "F16")?.scales[2], 6e4);
  assertEquals(byKernel(plain, four([-1e6, 0]), "F16"), undefined);
  assertEquals(byKernel(plain, four([-Infinity, 0])), undefined);
  assertEquals(byKernel(plain, four([0, 1e-45]))?.scales[2], 0);
  assertEquals(byKernel(plain, four([-1e-45, 0])), undefined);
});
