/**
 * The golden vectors of ggml's formats, as tests/vectors/ggml_generate.ts writes them.
 *
 * @module
 */

import { ggmlData } from "./ggml_data.ts";

/** Each data set is one row of so many values: two super-blocks. */
export const VECTOR_COLUMNS = 512;

/** What index.json beside the blocks holds: SHA-256 in hexadecimal, by name. */
export interface GgmlVectors {
  /** Where the blocks come from. */
  library: string;
  /** Of each data set, in the order of the blocks. */
  data: Record<string, string>;
  /** Of all values of a format's file, every NaN as 0x7FC00000. */
  dequantized: Record<string, string>;
  /** Of the blocks of all data sets, by format and set of importance weights. */
  weighted: Record<string, Record<string, string>>;
  /** Of the values that native ggml reads from the random blocks of each type, every NaN as 0x7FC00000. */
  random: Record<string, string>;
}

const folder = new URL("../vectors/ggml/", import.meta.url);

/** Reads index.json. */
export async function readIndex(): Promise<GgmlVectors> {
  return JSON.parse(await Deno.readTextFile(new URL("index.json", folder)));
}

/** Reads the blocks of a format: all data sets, one after the other. */
export function readBlocks(name: string): Promise<Uint8Array> {
  return Deno.readFile(new URL(`${name}.bin`, folder));
}

/** All data sets, one after the other, a row each. */
export function vectorValues(): Float32Array<ArrayBuffer> {
  const sets = Object.values(ggmlData(VECTOR_COLUMNS));
  const all = new Float32Array(sets.length * VECTOR_COLUMNS);
  sets.forEach((values, i) => all.set(values, i * VECTOR_COLUMNS));
  return all;
}

/** SHA-256 of the bytes of an array, in hexadecimal. */
export async function sha256(
  array: Float32Array | Uint32Array | Uint8Array,
): Promise<string> {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    .slice();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
