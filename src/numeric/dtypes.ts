/**
 * The element types that files have, under the names of safetensors: the one
 * place that knows how wide they are.
 *
 * @module
 */

/** What the bits of an element mean. */
export type DtypeKind = "boolean" | "integer" | "float" | "complex";

/** An element type. */
export interface DtypeFacts {
  /** Bits of an element. */
  readonly bits: number;
  /** What they mean. */
  readonly kind: DtypeKind;
}

const table: readonly (readonly [string, number, DtypeKind])[] = [
  ["BOOL", 8, "boolean"],
  ["F4", 4, "float"],
  ["F6_E2M3", 6, "float"],
  ["F6_E3M2", 6, "float"],
  ["U8", 8, "integer"],
  ["I8", 8, "integer"],
  ["F8_E5M2", 8, "float"],
  ["F8_E4M3", 8, "float"],
  ["F8_E8M0", 8, "float"],
  ["F8_E4M3FNUZ", 8, "float"],
  ["F8_E5M2FNUZ", 8, "float"],
  ["I16", 16, "integer"],
  ["U16", 16, "integer"],
  ["F16", 16, "float"],
  ["BF16", 16, "float"],
  ["I32", 32, "integer"],
  ["U32", 32, "integer"],
  ["F32", 32, "float"],
  ["C64", 64, "complex"],
  ["F64", 64, "float"],
  ["I64", 64, "integer"],
  ["U64", 64, "integer"],
];

/**
 * Every element type by name, in the order of safetensors' library: its writer
 * sorts by it, last first, so that wide elements lie aligned.
 */
export const dtypes: ReadonlyMap<string, DtypeFacts> = new Map(
  table.map(([name, bits, kind]) => [name, { bits, kind }]),
);

/**
 * Bytes of an element.
 *
 * @param dtype A name of {@linkcode dtypes} whose elements fill whole bytes.
 * @returns How many.
 * @throws {RangeError} If there is no such type, or its elements share bytes.
 */
export function dtypeBytes(dtype: string): number {
  const bytes = (dtypes.get(dtype)?.bits ?? NaN) / 8;
  if (Number.isInteger(bytes)) return bytes;
  throw new RangeError(`No dtype of whole bytes is named ${dtype}`);
}
