/**
 * What lies in a record, in few words.
 *
 * @module
 */
import type { Codec, CodesItem, FieldItem } from "../words/layout.ts";

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
 * A field in a record.
 *
 * @param role Which field.
 * @param at Offset of the first byte.
 * @param codec How its numbers are stored.
 */
export function fieldAt(role: string, at: number, codec: Codec): FieldItem {
  return { kind: "field", role, at, codec };
}
