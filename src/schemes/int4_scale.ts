/**
 * How int4 finds a scale and a zero point from the range of a group.
 *
 * @module
 */
import type { ScaleMethod } from "../kernels/grouped.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";

/** Scale and zero point of a group by its smallest and largest value. */
export function scaleOf(
  method: ScaleMethod,
  min: number,
  max: number,
): [scale: number, zeroPoint: number] {
  if (method === "absmax") {
    return [orOne(Math.fround(Math.max(-min, max) / 7)), 0];
  }
  if (method === "minmax") {
    return [orOne(Math.fround(Math.fround(max - min) / 15)), 0];
  }
  const low = Math.min(min, 0), high = Math.max(max, 0);
  const scale = orOne(Math.fround(Math.fround(high - low) / 15));
  const zeroPoint = roundHalfToEven(Math.fround(-8 - Math.fround(low / scale)));
  return [scale, clamp(zeroPoint, -8, 7) + 0];
}

function orOne(scale: number): number {
  return scale === 0 ? 1 : scale;
}
