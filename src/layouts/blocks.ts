/**
 * Packing and unpacking whole blocks that follow each other without gaps: what is
 * left of pack.ts where no window cuts a unit.
 *
 * @module
 */
import type { CodesItem, FieldItem } from "../words/layout.ts";
import type { Fields } from "../words/tile.ts";
import { halvesOf } from "./halves.ts";
import { packFours, unpackFours } from "./unit_codes.ts";

/** What blocks are. */
export interface BlockLayout {
  /** Values in a block. */
  readonly values: number;
  /** Bytes in a block. */
  readonly bytes: number;
  /** What lies in one: codes in fours, as `inFours` of halves.ts has it. */
  readonly record: readonly (CodesItem | FieldItem)[];
}

/** Codes, one to a byte, and the numbers beside them, block after block. */
export interface BlockNumbers {
  /** The codes, from a whole word on. */
  readonly codes: Uint8Array;
  /** The numbers by role. */
  readonly fields: Fields;
}

/** Puts codes and numbers of blocks into bytes. */
export function packBlocks(
  { values, bytes, record }: BlockLayout,
  { codes, fields }: BlockNumbers,
  out: Uint8Array,
): void {
  for (const item of record) {
    if (item.kind === "codes") packCodes(item, values, bytes, codes, out);
    else packField(item, bytes, fields[item.role], out);
  }
}

/** Takes codes and numbers of blocks out of bytes. */
export function unpackBlocks(
  { values, bytes, record }: BlockLayout,
  from: Uint8Array,
  { codes, fields }: BlockNumbers,
): void {
  for (const item of record) {
    if (item.kind === "codes") unpackCodes(item, values, bytes, from, codes);
    else unpackField(item, bytes, from, fields[item.role]);
  }
}

/** Codes as words of four. */
function wordsOf({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length >> 2);
}

function packCodes(
  { at, nibbles }: CodesItem,
  values: number,
  bytes: number,
  codes: Uint8Array,
  out: Uint8Array,
): void {
  const halves = halvesOf(nibbles);
  const words = wordsOf(codes);
  for (let k = 0, to = at; k < codes.length; k += values, to += bytes) {
    packFours(words, k, halves, 0, out, to);
  }
}

function unpackCodes(
  { at, nibbles }: CodesItem,
  values: number,
  bytes: number,
  from: Uint8Array,
  codes: Uint8Array,
): void {
  const halves = halvesOf(nibbles);
  const words = wordsOf(codes);
  for (let k = 0, byte = at; k < codes.length; k += values, byte += bytes) {
    unpackFours(from, byte, halves, 0, words, k);
  }
}

/** How many numbers of a field a block has. */
function numbersOf({ codec: { areas, length = 1 } }: FieldItem): number {
  return areas.rows * areas.columns * length;
}

function packField(
  item: FieldItem,
  bytes: number,
  field: Float32Array,
  out: Uint8Array,
): void {
  const { codec, at } = item, count = numbersOf(item);
  if (codec.storeRun && count === 1) {
    return codec.storeRun(field, 0, field.length, out, at, bytes, 1);
  }
  const entries = new Float32Array(count);
  for (let i = 0, to = at; i < field.length; i += count, to += bytes) {
    for (let k = 0; k < count; k++) entries[k] = field[i + k];
    codec.store(entries, out, to);
  }
}

function unpackField(
  item: FieldItem,
  bytes: number,
  from: Uint8Array,
  field: Float32Array,
): void {
  const { codec, at } = item, count = numbersOf(item);
  if (codec.loadRun && count === 1) {
    return codec.loadRun(from, at, bytes, field, 0, field.length, 1);
  }
  const entries = new Float32Array(count);
  for (let i = 0, byte = at; i < field.length; i += count, byte += bytes) {
    codec.load(from, byte, entries);
    for (let k = 0; k < count; k++) field[i + k] = entries[k];
  }
}
