/**
 * What to say where values of a tensor cannot be quantized.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { firstNonFinite } from "../numeric/finite.ts";
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
  const reason = at >= 0
    ? nonFiniteReason(failure, at)
    : stretchReason(failure) ?? error.message;
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

/** Which groups of finite values cannot be quantized; undefined where that takes the whole piece. */
function stretchReason(failure: Failure): string | undefined {
  const { layout, piece, clamp } = failure;
  const { format, shape, options } = layout;
  const group = format.group(shape, options);
  const found = failingStretch(failure);
  if (!found) return undefined;
  const columns = rowLength(shape);
  const index = piece.first + found.first;
  const number = Math.floor(index / columns) * Math.ceil(columns / group) +
    Math.floor(index % columns / group);
  const last = number + Math.ceil(found.count / group) - 1;
  const which = last > number
    ? `groups ${number} to ${last}`
    : `group ${number}`;
  const next = clamp
    ? ""
    : `; pass ${CLAMP} to take the largest scale there is`;
  return `${which}, from index ${index} ([${
    coordinates(index, shape).join(", ")
  }]): ${found.reason}${next}`;
}

/** The first stretch that is quantized apart from others and fails. */
function failingStretch(
  { layout: { format, shape, options }, piece, values, attempt }: Failure,
): { first: number; count: number; reason: string } | undefined {
  const columns = rowLength(piece.shape);
  const span = format.span(shape, options);
  if (span > columns) return undefined;
  for (let first = 0; first < values.length;) {
    const count = Math.min(span, columns - first % columns);
    try {
      attempt(values.subarray(first, first + count));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { first, count, reason: error.message };
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
