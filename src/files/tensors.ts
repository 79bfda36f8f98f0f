/**
 * The view of a file that the rest works with: a list of tensors with ranges.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/** A tensor inside a file. */
export interface TensorEntry {
  /** Its name; a bare `.npy` or raw file has one tensor, named after the file without its ending. */
  readonly name: string;
  /** Element type as the container spells it, in capitals: F32, BF16, I64, Q4_0 … */
  readonly dtype: string;
  /** Dimensions, slowest first (GGUF's are reversed on the way in). */
  readonly shape: readonly number[];
  /** Absolute offset of its first byte in the file. */
  readonly offset: number;
  /** Its size in bytes. */
  readonly byteLength: number;
  /** True when the bytes are big-endian (.npy only). */
  readonly bigEndian?: boolean;
  /** True when the first dimension is the fastest in memory (.npy only). */
  readonly fortranOrder?: boolean;
}

/** An opened and checked container. */
export interface TensorFile {
  /** Which container it is. */
  readonly container: "npy" | "safetensors" | "raw" | "gguf" | "onnx";
  /** The bytes. */
  readonly source: ByteSource;
  /** Tensors in file order, names unique. */
  readonly tensors: readonly TensorEntry[];
  /** The files that it consists of, in order, where they are several. */
  readonly paths?: readonly string[];
  /** Tensors that belong to something quantized that is not read, by name, and why: they are left as they are. */
  readonly bound?: ReadonlyMap<string, string>;
  /** safetensors' `__metadata__`; empty elsewhere. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The settings of quantization in the config file beside it, parsed; absent where a file stands alone. */
  config?(): Promise<unknown>;
}
