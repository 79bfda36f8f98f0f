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
  /** Whether integers are taken as values: where they may be, the caller says so (.npy only). */
  readonly numbers?: boolean;
}

/** One file of a checkpoint. */
export interface Shard {
  /** Its name in the folder. */
  readonly name: string;
  /** Where its first byte is in the source of the whole. */
  readonly start: number;
  /** Its `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The folder of a model: tensors in one file or more, and what belongs to them. */
export interface Checkpoint {
  /** Where it is. */
  readonly folder: string;
  /** The name of the file that says which tensor is in which shard; absent where there is none. */
  readonly index?: string;
  /** The shards, in the order of their names. */
  readonly shards: readonly Shard[];
}

/** An opened and checked container. */
export interface TensorFile {
  /** Which container it is. */
  readonly container:
    | "npy"
    | "npz"
    | "safetensors"
    | "raw"
    | "gguf"
    | "onnx"
    | "faiss"
    | "lucene"
    | "openvino"
    | "tflite"
    | "keras";
  /** The bytes. */
  readonly source: ByteSource;
  /** Tensors in file order, names unique. */
  readonly tensors: readonly TensorEntry[];
  /** The files that it consists of, in order, where they are several. */
  readonly paths?: readonly string[];
  /** Tensors that belong to something quantized that is not read, by name, and why: they are left as they are. */
  readonly bound?: ReadonlyMap<string, string>;
  /** The checkpoint that was opened, where the input is a folder or an index. */
  readonly checkpoint?: Checkpoint;
  /** safetensors' `__metadata__`, of several shards together, or what another container says of its tensors that conversions keep; empty elsewhere. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The settings of quantization in the config file beside it, parsed; absent where a file stands alone. */
  config?(): Promise<unknown>;
}
