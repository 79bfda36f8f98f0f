/**
 * How formats store scales: what a search may choose from, made of the data that
 * formats have of it (stored_plan.ts).
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { decodeE4M3 } from "../numeric/e4m3.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import type { Tile } from "../words/tile.ts";
import type { ListedPlan, RoundedPlan, StoredPlan } from "./stored_plan.ts";

/** Scales in a float type: so many that the nearest one is looked up, not found by trying. */
export interface RoundedScales {
  /** Tells it from the other kind. */
  readonly kind: "rounded";
  /** The type. */
  readonly dtype: ComputeDtype;
  /** The largest scale. */
  readonly largest: number;
  /** The nearest scale that can be stored, of two the larger one; not beyond the largest. For positive numbers. */
  nearest(scale: number): number;
  /** Whether scales may be negative. */
  readonly signed: boolean;
  /** The number that stands for a scale, where that is not the scale. */
  fieldOf?(scale: number): number;
}

/** Scales of 8 bits: few enough to try those in question. Positive. */
export interface ListedScales {
  /** Tells it from the other kind. */
  readonly kind: "listed";
  /** What values are multiplied by, ascending. */
  readonly scales: ArrayLike<number>;
  /** The field that stands for each. */
  readonly fields: ArrayLike<number>;
}

/** Either. */
export type StoredScales = RoundedScales | ListedScales;

const LARGEST: Readonly<Record<ComputeDtype, number>> = {
  F32: (2 - 2 ** -23) * 2 ** 127,
  F16: 65504,
  BF16: (2 - 2 ** -7) * 2 ** 127,
};

/** Scales that were made before: formats ask with the same plan again and again. */
const known = new WeakMap<StoredPlan, StoredScales>();

/**
 * Makes what tells the scales that there are by the other fields of a tile: they are
 * made anew where the number of the tensor is another.
 */
export function storedBy(plan: StoredPlan): (tile: Tile) => StoredScales {
  if (!("numbers" in plan) || plan.ofTensor === undefined) {
    return () => storedScales(plan);
  }
  const { ofTensor } = plan;
  let number: number | undefined, scales: StoredScales;
  return ({ fields }) => {
    if (fields[ofTensor][0] !== number) {
      number = fields[ofTensor][0];
      scales = listedBy(plan, number);
    }
    return scales;
  };
}

/** The scales of a plan that needs no number of a tensor. */
export function storedScales(plan: StoredPlan): StoredScales {
  let scales = known.get(plan);
  if (!scales) {
    scales = "numbers" in plan ? listedBy(plan, 1) : roundedBy(plan);
    known.set(plan, scales);
  }
  return scales;
}

function listedBy(
  { numbers, scaleOf = (number) => number, holds }: ListedPlan,
  ofTensor: number,
): ListedScales {
  return listedScales(
    numbers === "E4M3" ? E4M3_NUMBERS : E8M0_EXPONENTS,
    (number) => scaleOf(number, ofTensor),
    (scale) => holds === undefined || holdsE2M1(scale, holds),
  );
}

/** Scales in a float type. */
export function roundedBy(plan: RoundedPlan): RoundedScales {
  return plan.asInverses ? inversesIn(plan) : scalesIn(plan);
}

function scalesIn(
  { dtype, signed = false, level = 1, compute = "F32" }: RoundedPlan,
): RoundedScales {
  const round = roundTo(dtype);
  // A little less than what makes the largest value: neither rounding leads beyond.
  const largest = Math.min(
    LARGEST[dtype],
    level > 1 || compute !== "F32"
      ? round(LARGEST[compute] / level * (1 - 2 ** -8))
      : Infinity,
  );
  return {
    kind: "rounded",
    dtype,
    largest,
    signed,
    nearest(scale): number {
      if (scale >= largest) return largest;
      const near = round(scale), twin = 2 * scale - near;
      // Where the one on the other side is as near, rounding to even may have gone down.
      return twin > near && twin <= largest && round(twin) === twin
        ? twin
        : near;
    },
  };
}

/** Scales that are kept as what values are divided by. */
function inversesIn(plan: RoundedPlan): RoundedScales {
  const { largest, dtype, ...scales } = scalesIn(plan);
  const inverse = (divisor: number) => Math.fround(1 / divisor);
  const fieldOf = (scale: number) => {
    const middle = Math.min(roundTo(dtype)(1 / scale), LARGEST[dtype]);
    // One of the neighbours may have the nearer inverse; of equal ones the larger scale.
    return neighbours(middle, dtype).reduce((best, divisor) =>
      Math.abs(inverse(divisor) - scale) < Math.abs(inverse(best) - scale)
        ? divisor
        : best
    );
  };
  return {
    ...scales,
    dtype,
    largest,
    nearest: (scale) => inverse(fieldOf(Math.min(scale, largest))),
    fieldOf,
  };
}

/** A positive number and those below and above, of the finite ones of a float type, ascending. */
function neighbours(x: number, dtype: ComputeDtype): number[] {
  const [bits] = new Int32Array(Float32Array.of(x).buffer);
  const step = dtype === "F32" ? 1 : 1 << 16;
  const all = Int32Array.of(bits - step, bits, bits + step);
  return Array.from(new Float32Array(all.buffer))
    .filter((y) => y > 0 && y <= LARGEST[dtype]);
}

/**
 * Scales that are the numbers of a field and what they stand for. Of numbers that stand
 * for the same the last is used.
 *
 * @param fields The numbers, by ascending scale.
 * @param scaleOf What values are multiplied by.
 * @param holds Whether values up to a magnitude are finite; the largest levels are checked by it.
 */
export function listedScales(
  fields: ArrayLike<number>,
  scaleOf: (field: number) => number = (field) => field,
  holds: (scale: number) => boolean = () => true,
): ListedScales {
  const usable = Array.from(fields).filter((field, i) => {
    const scale = scaleOf(field);
    return scale > 0 && holds(scale) &&
      !(i + 1 < fields.length && scaleOf(fields[i + 1]) === scale);
  });
  return {
    kind: "listed",
    fields: Float32Array.from(usable),
    scales: Float64Array.from(usable, scaleOf),
  };
}

/** The positive numbers of E4M3. */
const E4M3_NUMBERS: readonly number[] = /* @__PURE__ */ Array.from(
  { length: 126 },
  (_, i) => decodeE4M3(i + 1),
);

/** The numbers of E8M0, that of NaN left out. */
const E8M0_EXPONENTS: readonly number[] = /* @__PURE__ */ Array.from(
  { length: 255 },
  (_, e) => e,
);

/** Whether the largest level of E2M1 is finite at a scale, in the type that values are rounded to. */
function holdsE2M1(scale: number, dtype: ComputeDtype): boolean {
  return Number.isFinite(roundTo(dtype)(Math.fround(6 * scale)));
}

/** Index of the listed scale that is nearest to a positive number, of two the larger one. */
export function nearestListed(
  { scales }: ListedScales,
  scale: number,
): number {
  let low = 0, high = scales.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale >= (scales[middle] + scales[middle + 1]) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The nearest scale that can be stored. */
export function nearestStored(stored: StoredScales, scale: number): number {
  return stored.kind === "rounded"
    ? stored.nearest(scale)
    : stored.scales[nearestListed(stored, scale)];
}
