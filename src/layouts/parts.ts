/**
 * Plans of the parts that many layouts have.
 *
 * @module
 */
import { bytesPerElement, type Dtype } from "../words/dtypes.ts";
import type { Codec, PartPlan, PartSpec } from "../words/layout.ts";
import { everywhere, type Span } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { highFirst, lowFirst } from "./orders.ts";

/** How codes of a row are packed. */
export interface PackedRows {
  /** Element type. */
  readonly dtype: Dtype;
  /** Dimensions of the part. */
  readonly shape: readonly number[];
  /** Values that go together; two by default. */
  readonly columns?: number;
  /** Which of two values is in the low nibble. */
  readonly first?: "low" | "high";
  /** See {@linkcode CodesItem.flip}. */
  readonly flip?: number;
  /** See {@linkcode CodesItem.padding}. */
  readonly padding?: number;
  /** See {@linkcode CodesItem.stale}. */
  readonly stale?: number;
}

/** Codes of neighbours in a row, two to a byte. */
export function packedRows(
  { dtype, shape, columns = 2, first = "low", flip, padding, stale }:
    PackedRows,
): PartPlan {
  const nibbles = first === "low" ? lowFirst(columns) : highFirst(columns);
  return {
    dtype,
    shape,
    unit: { rows: 1, columns, bytes: columns / 2 },
    order: "rows",
    holds: [{ kind: "codes", at: 0, nibbles, flip, padding, stale }],
  };
}

/**
 * A part whose bytes follow from shape and options.
 *
 * @param matrix The tensor.
 * @param part What the part looks like.
 * @param bytes Its bytes.
 * @param checked Its name, where other bytes contradict the tensor.
 */
export function constantPart<D extends Dtype>(
  matrix: Matrix,
  { dtype, shape }: PartSpec<D>,
  bytes: Uint8Array,
  checked?: string,
): PartPlan<D> {
  return {
    dtype,
    shape,
    unit: { ...everywhere(matrix), bytes: bytes.length },
    order: "rows",
    holds: [{ kind: "constant", bytes, checked }],
  };
}

/**
 * A field with a part of its own.
 *
 * @param role Which field.
 * @param span What area shares a number.
 * @param dtype Element type of the part.
 * @param shape Dimensions of the part.
 * @param codec How numbers are stored.
 * @param order Which numbers lie together.
 */
export function fieldPart(
  role: string,
  span: Span,
  dtype: Dtype,
  shape: readonly number[],
  codec: Codec,
  order: "rows" | "columns" = "rows",
): PartPlan {
  const unit = {
    rows: span.rows * codec.areas.rows,
    columns: span.columns * codec.areas.columns,
    bytes: codec.bytes,
  };
  if (codec.bytes % bytesPerElement(dtype) !== 0) {
    throw new Error(`Numbers of ${role} are no whole elements of ${dtype}`);
  }
  return {
    dtype,
    shape,
    unit,
    order,
    holds: [{ kind: "field", role, at: 0, codec }],
  };
}
