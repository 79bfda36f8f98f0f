/**
 * Formats and quantized tensors.
 *
 * @module
 */
import type { Dtype, DtypeArrays } from "./dtypes.ts";
import type { Layout, PartSpec } from "./layout.ts";
import type { Schema } from "./schema.ts";
import type { EncodeContext, Scheme } from "./scheme.ts";

/** One named array of a quantized tensor, ready to be an entry of a file. */
export interface Part<D extends Dtype = Dtype> extends PartSpec<D> {
  /** The elements in row-major order. */
  readonly data: DtypeArrays[D];
}

/** The parts of a quantized tensor by name. */
export type Parts = Record<string, Part>;

/** A tensor in 4 bits: what format, what shape, and the arrays that hold it. */
export interface QuantizedTensor<
  Name extends string = string,
  Options extends object = object,
  P extends object = Parts,
> {
  /** The name of the format, a key of `formats`. */
  readonly format: Name;
  /** The logical shape, slowest dimension first. */
  readonly shape: readonly number[];
  /** The options that it takes to read the parts back. */
  readonly options: Options;
  /** The arrays. */
  readonly parts: P;
}

/** Turns floats into parts and parts into floats, for a whole tensor in memory. */
export interface Coder<P extends object, R extends object> {
  /**
   * Quantizes into parts of the right size. Throws a RangeError that names the
   * index of a NaN or infinity, or the group whose scale cannot be stored.
   */
  quantize(
    values: Float32Array,
    shape: readonly number[],
    options: R,
    parts: P,
    context?: EncodeContext,
  ): void;
  /** Dequantizes parts into `out`, one float32 per value. */
  dequantize(
    parts: P,
    shape: readonly number[],
    options: R,
    out: Float32Array,
  ): void;
}

/** Entries of a file that may be the parts of one tensor, and what lies beside them. */
export interface Candidate {
  /** What each part looks like, by the part's name. */
  readonly parts: Readonly<Record<string, PartSpec>>;
  /** What `{stem}` stands for in the names of the entries; absent where they have none. */
  readonly stem?: string;
  /** The text of a part that is one, such as JSON in bytes; undefined where it is none. */
  text(part: string): string | undefined;
  /** The numbers of a part that holds a few whole ones, such as a shape; undefined where it does not, or cannot be looked into. */
  numbers?(part: string): readonly number[] | undefined;
  /** The bytes of a part that is small, such as a number; undefined where it is none. */
  bytes?(part: string): Uint8Array | undefined;
  /** What the file says of itself in words (`__metadata__` of safetensors). */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The config file of the checkpoint, or the settings of quantization in it, parsed. */
  readonly config?: unknown;
}

/** What a candidate turned out to be. */
export interface Recognized {
  /** The logical shape. */
  readonly shape: readonly number[];
  /** Options, to be checked by {@linkcode Format.resolve}. */
  readonly options: object;
}

/** How checkpoints name the parts of a format, and how it is recognized in one. */
export interface Convention {
  /**
   * The name of each part's entry. `{name}` stands for the name of the tensor,
   * `{stem}` for the same without a final `.weight`. Parts that not every tensor
   * has are listed too.
   */
  readonly entries: Readonly<Record<string, string>>;
  /** Parts without which a candidate is not this format. */
  readonly needed: readonly string[];
  /**
   * Tells shape and options of a candidate that has the needed parts; undefined
   * where it is another format. Throws a RangeError where it is this one, but its
   * parts or the config contradict each other, or where it cannot be told apart.
   */
  recognize(candidate: Candidate): Recognized | undefined;
  /**
   * The only modules that the library has quantized layers for: all else in its
   * checkpoints has to stay floats. Absent where it has them for embeddings too.
   */
  readonly layers?: "linear" | "experts";
  /**
   * What is different in the library's own floats of such a tensor, which are read
   * and written as the codes lie here; absent where nothing is.
   */
  readonly floats?: string;
  /**
   * What the checkpoint's config file has to say of tensors with these options, for
   * its readers to find. `floats` names the modules beside them whose weights are
   * not quantized.
   */
  config?(
    options: object,
    floats?: readonly string[],
  ): Readonly<Record<string, unknown>>;
  /**
   * What `__metadata__` of the file has to say of a tensor with these options under
   * the name of its weight, for torchao to find. Every other tensor of the
   * checkpoint is listed there then, too.
   */
  metadata?(options: object): string;
  /** The same as {@linkcode config} for files of their own, which the library reads beside `config.json`; by their names. */
  files?(
    options: object,
    floats?: readonly string[],
  ): Readonly<Record<string, object>>;
}

/**
 * A 4-bit format: a name, options, a scheme, a layout and a convention. One file
 * in `src/formats/` each; `registry.ts` lists them.
 *
 * `O` is the options as a caller gives them, `R` the same with everything filled
 * in and checked.
 */
export interface Format<
  Name extends string = string,
  // deno-lint-ignore no-explicit-any -- a registry of formats is a union over their options
  O extends object = any,
  // deno-lint-ignore no-explicit-any -- likewise over their parts
  P extends object = any,
  R extends object = O,
> extends Coder<P, R> {
  /** The name that options and files use. */
  readonly name: Name;
  /** One line for a list of formats. */
  readonly summary: string;
  /** Where the format is defined, and which reference its bytes equal. */
  readonly source: string;
  /** How many values share a scale, with default options. */
  readonly groupSize: number | "row" | "tensor";
  /** Bits that a value takes, scales included, with default options (a per-tensor scale counts as none). */
  readonly bitsPerValue: number;
  /** Largest error of a value as a fraction of its group's largest magnitude, with default options. */
  readonly errorBound: number;
  /** The options as data. */
  readonly options: Schema<O>;
  /** Options that a caller may expect of it and that it has not: why, to go after a colon. */
  readonly lacks?: Readonly<Record<string, string>>;
  /** How checkpoints name the parts; absent where the format has a container of its own. */
  readonly convention?: Convention;
  /** Fills in and checks options for a shape. Throws a RangeError that names the option or the dimension. */
  resolve(options: O, shape: readonly number[]): R;
  /** The options that have to be kept to read the parts back. */
  kept(options: R): object;
  /**
   * The options with which a tensor comes nearest to one of another format: its
   * group size, whether it has zero points. Absent where the format has no such options.
   */
  like?(scheme: Scheme, shape: readonly number[]): Partial<O>;
  /** Where the bytes of a tensor of this shape lie. */
  layout(shape: readonly number[], options: R): Layout<P>;
  /**
   * Throws a RangeError that names part and index where a number is one that no
   * writer of the format puts there, such as a NaN for a scale: the part is
   * damaged or means something else. Takes parts of windows, too.
   */
  checkNumbers?(parts: P, options: R): void;
  /** What its numbers mean. */
  scheme(shape: readonly number[], options: R): Scheme;
  /** The same two operations done tile by tile, by scheme and layout: written to be read, and to judge the fast ones by. */
  readonly reference: Coder<P, R>;
}
