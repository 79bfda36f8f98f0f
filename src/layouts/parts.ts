/**
 * Plans of the parts that many layouts have.
 *
 * @module
 */
import { bytesPerElement, type Dtype } from "../words/dtypes.ts";
import type { Codec, PartPlan, PartSpec } from "../words/layout.ts";
import { everywhere, type Span } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { nibbles } from "./codecs.ts";
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
    holds: [{
      kind: "constant",
      at: 0,
      bytes,
      otherwise: checked && `part "${checked}"`,
    }],
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

/**
 * Codes of a whole tensor, two to a byte over the ends of rows, as one list of bytes.
 *
 * @param matrix The tensor.
 * @param item How they are stored.
 */
export function flatCodes(
  { rows, columns }: Matrix,
  { first, flip }: Pick<PackedRows, "first" | "flip">,
): PartPlan {
  const shape = [Math.ceil(rows * columns / 2)];
  if (columns % 2 === 0 || rows <= 1) {
    return packedRows({ dtype: "U8", shape, first, flip });
  }
  // Two rows together fill their bytes.
  const codes = packedRows({
    dtype: "U8",
    shape,
    columns: 2 * columns,
    first,
    flip,
  });
  return { ...codes, unit: { rows: 2, columns, bytes: columns } };
}

/**
 * Whole numbers of 0 … 15 of a whole tensor, two to a byte over the ends of rows,
 * as one list of bytes.
 *
 * @param role Which field.
 * @param span What area shares a number.
 * @param matrix The tensor.
 * @param first Which of two numbers is in the low nibble.
 * @param flip What numbers are combined with by exclusive or.
 */
export function flatNibbles(
  role: string,
  span: Span,
  { rows, columns }: Matrix,
  { first, flip }: Pick<PackedRows, "first" | "flip"> = {},
): PartPlan {
  const down = Math.ceil(rows / span.rows);
  const across = Math.ceil(columns / span.columns);
  const pairs = across % 2 === 0 || down <= 1;
  return fieldPart(
    role,
    span,
    "U8",
    [Math.ceil(down * across / 2)],
    pairs
      ? nibbles(1, 2, 0, { first, flip })
      : nibbles(2, across, 0, { first, flip }),
  );
}
