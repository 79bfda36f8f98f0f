/**
 * The range of a whole tensor.
 *
 * @module
 */
import { measureRange } from "../kernels/grouped.ts";
import type { Prepass, Ranges } from "../words/scheme.ts";

/** A prepass that finds the range of a whole tensor. */
export function wholeRange(): Prepass {
  let min = Infinity, max = -Infinity;
  return {
    checks: true,
    add(values): void {
      if (values.length === 0) return;
      const [low, high] = measureRange(values);
      min = Math.min(min, low);
      max = Math.max(max, high);
    },
    result(): { ranges: Ranges } {
      const any = min <= max;
      return {
        ranges: {
          min: Float32Array.of(any ? min : 0),
          max: Float32Array.of(any ? max : 0),
        },
      };
    },
  };
}
