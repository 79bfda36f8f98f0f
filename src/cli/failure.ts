/**
 * What to say where values of a tensor cannot be quantized.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { firstNonFinite, ScaleOverflow } from "../numeric/finite.ts";
import { rowLength } from "../numeric/shape.ts";
import type { Layout, Piece } from "./pieces.ts";

/** Where quantizing failed. */
export interface Failure {
  /** What was thrown. */
  readonly error: unknown;
  /** The tensor's name. */
  readonly name: string;
  /** The whole tensor. */
  readonly layout: Layout;
  /** The piece of it. */
  readonly piece: Piece;
  /** The values of the piece, as they are in the file. */
  readonly values: Float32Array;
  /** Whether NaN and infinities were allowed. */
  readonly clamp: boolean;
  /** Quantizes a stretch of a row by itself, as it was done before. */
  attempt(values: Float32Array): void;
}

const CLAMP = "--non-finite clamp";

/**
 * The same error, with the tensor and the place in it, and what to do next.
 *
 * @param failure What failed.
 * @returns What to throw; errors that are not about values are left as they are.
 */
export function located(failure: Failure): unknown {
  const { error, name, clamp, values } = failure;
  if (!(error instanceof RangeError)) return error;
  const at = clamp ? -1 : firstNonFinite(values);
  const reason = at >= 0 ? nonFiniteReason(failure, at) : groupReason(failure);
  return new RangeError(
    `Cannot quantize tensor ${quote(name)}: ${reason}; nothing is written`,
    { cause: error },
  );
}

function nonFiniteReason(
  { layout: { shape }, piece: { first }, values }: Failure,
  at: number,
): string {
  const index = first + at;
  return `${values[at]} at index ${index} ([${
    coordinates(index, shape).join(", ")
  }]); pass ${CLAMP} to take NaN as 0 and an infinity as the largest magnitude of its group`;
}

/** Which groups of finite values cannot be quantized, and why. */
function groupReason(failure: Failure): string {
  const { layout, piece, clamp, error } = failure;
  const found = failingStretch(failure) ?? { first: 0, count: 1, error };
  if (!(found.error instanceof ScaleOverflow)) {
    return (found.error as RangeError).message;
  }
  // Its own group and index are those of the stretch.
  const { stored } = found.error;
  const index = piece.first + found.first;
  const first = groupAt(layout, index);
  const last = groupAt(layout, index + found.count - 1);
  const which = last > first ? `groups ${first} to ${last}` : `group ${first}`;
  const next = `; pass ${CLAMP} to cut its values to what that can hold`;
  return `${which}, from index ${index} ([${
    coordinates(index, layout.shape).join(", ")
  }]): its scale overflows ${stored}${clamp ? "" : next}`;
}

/** Number of the group that a value lies in. */
function groupAt({ format, shape, options }: Layout, index: number): number {
  const columns = rowLength(shape), group = format.group(shape, options);
  if (group > columns) return Math.floor(index / group);
  return Math.floor(index / columns) * Math.ceil(columns / group) +
    Math.floor(index % columns / group);
}

/** The first stretch of a row that fails by itself; undefined where no stretch can be quantized apart. */
function failingStretch(
  { layout: { format, shape, options }, piece, values, attempt }: Failure,
): { first: number; count: number; error: RangeError } | undefined {
  const columns = rowLength(piece.shape);
  const span = format.span(shape, options);
  if (span > columns) return undefined;
  for (let first = 0; first < values.length;) {
    const count = Math.min(span, columns - first % columns);
    try {
      attempt(values.subarray(first, first + count));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { first, count, error };
    }
    first += count;
  }
  return undefined;
}

function coordinates(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return shape.toReversed().map((dimension) => {
    const at = rest % dimension;
    rest = Math.floor(rest / dimension);
    return at;
  }).reverse();
}
