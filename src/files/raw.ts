/**
 * Raw little-endian float32 without a header (`.f32`, `.bin`).
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import type { TensorFile } from "./tensors.ts";

/**
 * Takes a whole file as float32 values of one axis.
 *
 * @param source The file.
 * @param name What to call its tensor.
 * @returns Its one tensor.
 * @throws {SyntaxError} If its size is no multiple of 4.
 */
export function openRaw(source: ByteSource, name: string): TensorFile {
  if (source.size % 4 !== 0) {
    throw new SyntaxError(
      `Cannot read ${source.name} as float32: its ${source.size} bytes are no multiple of 4`,
    );
  }
  const shape = [source.size / 4];
  const tensor = {
    name,
    dtype: "F32",
    shape,
    offset: 0,
    byteLength: source.size,
  };
  return { container: "raw", source, tensors: [tensor], metadata: new Map() };
}
