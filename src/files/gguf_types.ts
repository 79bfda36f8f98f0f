/**
 * What GGUF takes from ggml beside the types of tensors: file types, alignment, sizes.
 *
 * @module
 */
import { type GgmlLayout, ggmlLayouts } from "../ggml/table.ts";
import type { GgufValue } from "./gguf_value.ts";
import { GGUF_ALIGNMENT } from "./limits.ts";
import { countElements } from "./shapes.ts";

/** `general.file_type` by the names of formats and float dtypes; see `fileType` of {@linkcode GgmlLayout}. */
export const ggufFileTypes: ReadonlyMap<string, number> = new Map(
  [...ggmlLayouts.values()].flatMap(({ name, fileType }) =>
    fileType === undefined ? [] : [[name.toLowerCase(), fileType]]
  ),
);

/** `general.quantization_version` of every layout of blocks (`GGML_QNT_VERSION`). */
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
  type: GgmlLayout,
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

/**
 * How many values a tensor of a GGUF file has.
 *
 * @param where Says which file and tensor, for the message.
 * @param shape Dimensions, slowest first.
 * @returns The number, from 1 to 2^53 - 1.
 * @throws {RangeError} If there are none, or more.
 */
export function countValues(
  where: () => string,
  shape: readonly number[],
): number {
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
