/**
 * What lies in a record, in few words.
 *
 * @module
 */
import type { BitsItem, Codec, CodesItem, FieldItem } from "../words/layout.ts";

/**
 * Codes in a record.
 *
 * @param at Offset of the first byte.
 * @param nibbles Where each value has its code.
 */
export function codesAt(at: number, nibbles: readonly number[]): CodesItem {
  return { kind: "codes", at, nibbles };
}

/**
 * Bits of codes in a record, where codes do not have four.
 *
 * @param at Offset of the first byte.
 * @param width How many bits of a code lie here.
 * @param places Where each value has them.
 * @param above How many bits of the code are below these.
 */
export function bitsAt(
  at: number,
  width: BitsItem["width"],
  places: readonly number[],
  above = 0,
): BitsItem {
  return { kind: "bits", at, width, places, above };
}

/**
 * A field in a record.
 *
 * @param role Which field.
 * @param at Offset of the first byte.
 * @param codec How its numbers are stored.
 */
export function fieldAt(role: string, at: number, codec: Codec): FieldItem {
  return { kind: "field", role, at, codec };
}
