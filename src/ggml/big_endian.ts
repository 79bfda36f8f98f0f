/**
 * Blocks as a big-endian machine lays them out, turned into what little-endian ones have:
 * every field of more than one byte has its bytes the other way round.
 *
 * Of IQ1 to IQ3 there is no such layout: ggml packs indices as words and reads them as
 * bytes, so a big-endian machine cannot read what it wrote.
 *
 * Source: ggml-org/ggml, src/ggml-common.h at d99724f (the types of the fields), and
 * llama.cpp's gguf_convert_endian.py.
 *
 * @module
 */

/** Fields of one width that follow each other: where in a block, how wide, how many. */
type Fields = readonly (readonly [at: number, width: number, count: number])[];

const SINGLE: Fields = [[0, 2, 1]];
const PAIR: Fields = [[0, 2, 2]];

/** The fields of more than one byte of each type. */
const fields: ReadonlyMap<string, Fields> = new Map<string, Fields>([
  ["F32", [[0, 4, 1]]],
  ["F16", SINGLE],
  ["BF16", SINGLE],
  ["F64", [[0, 8, 1]]],
  ["I8", []],
  ["I16", SINGLE],
  ["I32", [[0, 4, 1]]],
  ["I64", [[0, 8, 1]]],
  ["Q1_0", SINGLE],
  ["Q2_0", SINGLE],
  ["Q4_0", SINGLE],
  ["Q4_1", PAIR],
  ["Q5_0", [[0, 2, 1], [2, 4, 1]]],
  ["Q5_1", [[0, 2, 2], [4, 4, 1]]],
  ["Q8_0", SINGLE],
  ["Q8_1", PAIR],
  ["Q2_K", [[80, 2, 2]]],
  ["Q3_K", [[108, 2, 1]]],
  ["Q4_K", PAIR],
  ["Q5_K", PAIR],
  ["Q6_K", [[208, 2, 1]]],
  ["Q8_K", [[0, 4, 1], [260, 2, 16]]],
  ["IQ4_NL", SINGLE],
  ["IQ4_XS", PAIR],
  ["TQ1_0", [[52, 2, 1]]],
  ["TQ2_0", [[64, 2, 1]]],
  ["MXFP4", []],
  ["NVFP4", []],
]);

/** Whether it is known how a big-endian machine lays out blocks of a type. */
export function hasBigEndian(name: string): boolean {
  return fields.has(name);
}

/** Turns the bytes of one field round; millions of times, so without a view. */
function reverse(bytes: Uint8Array, at: number, width: number): void {
  for (let low = at, high = at + width - 1; low < high; low++, high--) {
    const byte = bytes[low];
    bytes[low] = bytes[high];
    bytes[high] = byte;
  }
}

/**
 * Reverses the fields of whole blocks in place.
 *
 * @param name A type that {@linkcode hasBigEndian}.
 * @param blockBytes Bytes of a block.
 * @param blocks Whole blocks.
 */
export function swapBlocks(
  name: string,
  blockBytes: number,
  blocks: Uint8Array,
): void {
  for (const [at, width, count] of fields.get(name)!) {
    for (let block = at; block < blocks.length; block += blockBytes) {
      for (let field = 0; field < count; field++) {
        reverse(blocks, block + field * width, width);
      }
    }
  }
}
