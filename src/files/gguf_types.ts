/**
 * The names and sizes that GGUF takes from ggml: tensor types and file types.
 *
 * Sizes are those of ggml's `type_traits` table; a test compares them with the native library.
 *
 * @module
 */
import { dtypeBytes } from "../numeric/dtypes.ts";
import type { GgufValue } from "./gguf_value.ts";
import { GGUF_ALIGNMENT } from "./limits.ts";
import { countElements } from "./shapes.ts";

/** How ggml stores a tensor: blocks of `blockSize` values, `blockBytes` bytes each. */
export interface GgmlType {
  /** The number in the file; never reused by ggml. */
  readonly id: number;
  /** ggml's name in capitals: F32, Q4_0, Q4_K, IQ4_NL … */
  readonly name: string;
  /** Values in a block; a row holds a whole number of blocks. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
}

type Row = readonly [
  id: number,
  name: string,
  blockSize: number,
  blockBytes: number,
];

/** A type whose blocks are single elements. */
function plain(id: number, name: string): Row {
  return [id, name, 1, dtypeBytes(name)];
}

const table: readonly Row[] = [
  plain(0, "F32"),
  plain(1, "F16"),
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  plain(24, "I8"),
  plain(25, "I16"),
  plain(26, "I32"),
  plain(27, "I64"),
  plain(28, "F64"),
  [29, "IQ1_M", 256, 56],
  plain(30, "BF16"),
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18],
  [42, "Q2_0", 64, 18],
];

/** Every tensor type that ggml has today, by name. */
export const ggmlTypes: ReadonlyMap<string, GgmlType> = new Map(
  table.map((
    [id, name, blockSize, blockBytes],
  ) => [name, { id, name, blockSize, blockBytes }]),
);

/** The same types by the number that files carry. */
export const ggmlTypesById: ReadonlyMap<number, GgmlType> = new Map(
  [...ggmlTypes.values()].map((type) => [type.id, type]),
);

/** Types that ggml once had and reads no more, with what to use instead. */
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
 * `general.file_type` (llama.cpp's `llama_ftype`) for a file whose matrices have one format.
 *
 * The key is a format name of this package or a float dtype. `q4_k` maps to Q4_K_S: the mixed
 * Q4_K_M would promise some tensors in Q6_K.
 */
export const ggufFileTypes: ReadonlyMap<string, number> = new Map([
  ["f32", 0],
  ["f16", 1],
  ["q4_0", 2],
  ["q4_1", 3],
  ["q4_k", 14],
  ["iq4_nl", 25],
  ["iq4_xs", 30],
  ["bf16", 32],
  ["mxfp4", 38],
  ["nvfp4", 39],
]);

/** `general.quantization_version` of every block layout above (`GGML_QNT_VERSION`). */
export const ggufQuantizationVersion = 2;

/** What tensor data is aligned to when the file does not say. */
export const ggufDefaultAlignment = 32;

/** The smallest multiple of `alignment` that is not below `offset`. Exact up to 2^53. */
export function padTo(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/**
 * The number that `general.alignment` holds.
 *
 * @param where The file, for the message.
 * @param value The metadata value.
 * @returns A power of two.
 * @throws {RangeError} If it is no u32, no power of two or beyond the limit.
 */
export function checkAlignment(where: string, value: GgufValue): number {
  if (value.type !== "u32") {
    throw new RangeError(
      `${where}: general.alignment is of type ${value.type}; it must be u32`,
    );
  }
  const alignment = value.value as number;
  if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
    throw new RangeError(
      `${where}: general.alignment is ${alignment}, not a power of two`,
    );
  }
  if (alignment > GGUF_ALIGNMENT) {
    throw new RangeError(
      `${where}: general.alignment is ${alignment}; at most ${GGUF_ALIGNMENT} is read`,
    );
  }
  return alignment;
}

/**
 * How many bytes a tensor takes in a GGUF file.
 *
 * @param where Says which file and tensor, for the message.
 * @param type Its ggml type.
 * @param shape Dimensions, slowest first; an empty shape is one value.
 * @returns The size in bytes, without padding.
 * @throws {RangeError} If a dimension is below 1, if a row is no whole number of blocks, or if the
 * size passes 2^53.
 */
export function ggmlByteLength(
  where: () => string,
  type: GgmlType,
  shape: readonly number[],
): number {
  const values = countValues(where, shape);
  const row = shape.at(-1) ?? 1;
  if (row % type.blockSize !== 0) {
    throw new RangeError(
      `${where()} has rows of ${row} values; ${type.name} needs a multiple of ${type.blockSize}`,
    );
  }
  const blocks = values / type.blockSize;
  if (blocks > Number.MAX_SAFE_INTEGER / type.blockBytes) {
    throw new RangeError(
      `${where()} has shape [${shape}], more than 2^53 bytes as ${type.name}`,
    );
  }
  return blocks * type.blockBytes;
}

function countValues(where: () => string, shape: readonly number[]): number {
  let values: number;
  try {
    values = countElements(shape);
  } catch (error) {
    throw new RangeError(
      `${where()} has shape [${shape}]: ${(error as Error).message}`,
    );
  }
  // ggml reads a zero since 2026 only: older readers divide by it.
  if (values === 0) {
    throw new RangeError(
      `${where()} has shape [${shape}]; GGUF holds no tensor without values, leave it out`,
    );
  }
  return values;
}
