/**
 * The words that every room shares: dtypes, parts, formats, quantized tensors.
 *
 * @module
 */

/** Element types of parts and tensors, by the names that safetensors uses. */
export type Dtype =
  | "U8"
  | "I8"
  | "U16"
  | "I32"
  | "U32"
  | "F16"
  | "BF16"
  | "F32"
  | "F64";

/** The typed array that carries each {@linkcode Dtype} of a part. */
export interface DtypeArrays {
  /** Bytes. */
  U8: Uint8Array;
  /** Signed bytes. */
  I8: Int8Array;
  /** Unsigned 16-bit integers. */
  U16: Uint16Array;
  /** Signed 32-bit integers. */
  I32: Int32Array;
  /** Unsigned 32-bit integers. */
  U32: Uint32Array;
  /** binary16 floats, as their bits. */
  F16: Uint16Array;
  /** bfloat16 floats, as their bits. */
  BF16: Uint16Array;
  /** float32. */
  F32: Float32Array;
  /** float64. */
  F64: Float64Array;
}

/** What a part will look like, known before any value is quantized. */
export interface PartSpec<D extends Dtype = Dtype> {
  /** Element type. */
  readonly dtype: D;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
}

/** One named array of a quantized tensor, ready to be a safetensors entry. */
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

/**
 * A 4-bit format. One file in `src/formats/` each; `registry.ts` lists them.
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
> {
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
  /** Fills in and checks options for a shape. Throws a RangeError that names the option or the dimension. */
  resolve(options: O, shape: readonly number[]): R;
  /** The options that have to be kept to read the parts back. */
  kept(options: R): object;
  /** How many consecutive values of a row share a scale; all values where the tensor does. */
  group(shape: readonly number[], options: R): number;
  /** Where a tensor may be cut in pieces that are quantized apart: at the multiples of this many values. */
  span(shape: readonly number[], options: R): number;
  /**
   * Options that quantize a piece of a group by itself, as a tensor of its own, once the
   * smallest and the largest value of the group are known: for groups that do not fit in
   * memory. A format without it takes its groups whole.
   */
  within?(options: R, min: number, max: number): R;
  /** What parts a tensor of this shape has. */
  parts(shape: readonly number[], options: R): PartSpecs<P>;
  /** Quantizes into parts of the right size. Throws a RangeError that names the index of a NaN or infinity. */
  quantize(
    values: Float32Array,
    shape: readonly number[],
    options: R,
    parts: P,
  ): void;
  /** Dequantizes parts into `out`, one float32 per value. */
  dequantize(
    parts: P,
    shape: readonly number[],
    options: R,
    out: Float32Array,
  ): void;
  /** The same two operations written to be read, and to judge the fast ones by. */
  readonly reference: Reference<P, R>;
}

/** The scalar reference of a format. */
export interface Reference<P extends object, R extends object> {
  /** What {@linkcode Format.quantize} does, one value at a time. */
  quantize(
    values: Float32Array,
    shape: readonly number[],
    options: R,
    parts: P,
  ): void;
  /** What {@linkcode Format.dequantize} does, one value at a time. */
  dequantize(
    parts: P,
    shape: readonly number[],
    options: R,
    out: Float32Array,
  ): void;
}

/** The specs of the parts of a quantized tensor, by name; absent parts are not there. */
export type PartSpecs<P extends object> = { readonly [K in keyof P]: PartSpec };
