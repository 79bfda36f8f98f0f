/**
 * Every tensor type that ggml has: number, name, and how many bytes hold how many values.
 *
 * Numbers and sizes are those of ggml's `type_traits` table; tests compare them with the
 * native library, and with the fields of each block added up.
 *
 * @module
 */

import { dtypeBytes } from "../numeric/dtypes.ts";

/** What the values of a type are. */
export type GgmlKind =
  /** Floats, each by itself. */
  | "float"
  /** Integers, each by itself. */
  | "integer"
  /** Quantized values, a whole block at a time. */
  | "blocks";

/** How ggml stores a tensor: blocks of `blockSize` values, `blockBytes` bytes each. */
export interface GgmlLayout {
  /** The number in the file; never reused by ggml. */
  readonly id: number;
  /** ggml's name in capitals: F32, Q4_0, Q4_K, IQ4_NL … */
  readonly name: string;
  /** Values in a block; a row holds a whole number of blocks. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** What the values are. */
  readonly kind: GgmlKind;
  /**
   * `general.file_type` (llama.cpp's `llama_ftype`) of a file whose matrices all have
   * the type; absent where there is none that this package writes. That of Q4_K is
   * Q4_K_S and that of Q5_K Q5_K_S: the mixed Q4_K_M would promise some tensors in Q6_K.
   */
  readonly fileType?: number;
}

type Row = readonly [
  id: number,
  name: string,
  blockSize: number,
  blockBytes: number,
  fileType?: number,
];

/** A type whose blocks are single elements. */
function single(id: number, name: string, fileType?: number): Row {
  return [id, name, 1, dtypeBytes(name), fileType];
}

const floats: readonly Row[] = [
  single(0, "F32", 0),
  single(1, "F16", 1),
  single(28, "F64"),
  single(30, "BF16", 32),
];

const integers: readonly Row[] = [
  single(24, "I8"),
  single(25, "I16"),
  single(26, "I32"),
  single(27, "I64"),
];

const blocks: readonly Row[] = [
  [2, "Q4_0", 32, 18, 2],
  [3, "Q4_1", 32, 20, 3],
  [6, "Q5_0", 32, 22, 8],
  [7, "Q5_1", 32, 24, 9],
  [8, "Q8_0", 32, 34, 7],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144, 14],
  [13, "Q5_K", 256, 176, 16],
  [14, "Q6_K", 256, 210, 18],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18, 25],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136, 30],
  [29, "IQ1_M", 256, 56],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17, 38],
  [40, "NVFP4", 64, 36, 39],
  [41, "Q1_0", 128, 18],
  [42, "Q2_0", 64, 18],
];

function* layouts(kind: GgmlKind, rows: readonly Row[]): Generator<GgmlLayout> {
  for (const [id, name, blockSize, blockBytes, fileType] of rows) {
    const layout = { id, name, blockSize, blockBytes, kind };
    yield fileType === undefined ? layout : { ...layout, fileType };
  }
}

/** Every type that ggml has today, by the number that files carry. */
export const ggmlLayoutsById: ReadonlyMap<number, GgmlLayout> = new Map(
  [
    ...layouts("float", floats),
    ...layouts("integer", integers),
    ...layouts("blocks", blocks),
  ].sort((a, b) => a.id - b.id).map((layout) => [layout.id, layout]),
);

/** The same types by name. */
export const ggmlLayouts: ReadonlyMap<string, GgmlLayout> = new Map(
  [...ggmlLayoutsById.values()].map((layout) => [layout.name, layout]),
);

/** Types that ggml once had and reads no more. */
export const removedGgmlTypes: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [36, "IQ4_NL_4_4"],
  [37, "IQ4_NL_4_8"],
  [38, "IQ4_NL_8_8"],
]);

/**
 * What a type that is not in the table is called: its number, and what ggml called it once.
 *
 * @param id The number in the file.
 * @returns `type 144`, `type 31 (Q4_0_4_4)`.
 */
export function strangerName(id: number): string {
  const removed = removedGgmlTypes.get(id);
  return removed === undefined ? `type ${id}` : `type ${id} (${removed})`;
}

/**
 * The number of a type that is not in the table, by what {@linkcode strangerName} calls it.
 *
 * @param name Any name of a type.
 * @returns The number; undefined for other names.
 */
export function strangerId(name: string): number | undefined {
  const digits = /^type (\d{1,10})(?: \(\w+\))?$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
