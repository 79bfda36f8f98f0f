/**
 * The words that every room shares: dtypes, parts, formats, quantized tensors.
 *
 * @module
 */

/** Element types of parts and tensors, by the names that safetensors uses. */
export type Dtype = "U8" | "I8" | "U16" | "I32" | "U32" | "F16" | "BF16" | "F32" | "F64";

/** The typed array that carries each {@linkcode Dtype} of a part. F16 and BF16 travel as their bits. */
export interface DtypeArrays {
  U8: Uint8Array;
  I8: Int8Array;
  U16: Uint16Array;
  I32: Int32Array;
  U32: Uint32Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  F32: Float32Array;
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
 * `O` is the options as resolved: every option present and checked.
 */
export interface Format<
  Name extends string = string,
  // deno-lint-ignore no-explicit-any -- a registry of formats is a union over their options
  O extends object = any,
  // deno-lint-ignore no-explicit-any -- likewise over their parts
  P extends object = any,
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
  /** Fills in and checks options. Throws a RangeError that names the option or the dimension. */
  resolve(options: object, shape: readonly number[]): O;
  /** How many consecutive values of a row depend on each other: a tensor may be cut at its multiples. */
  span(shape: readonly number[], options: O): number;
  /** What parts a tensor of this shape has. */
  parts(shape: readonly number[], options: O): { readonly [K in keyof P]: PartSpec };
  /** Quantizes into parts of the right size. Throws a RangeError that names the index of a NaN or infinity. */
  quantize(values: Float32Array, shape: readonly number[], options: O, parts: P): void;
  /** Dequantizes parts into `out`, one float32 per value. */
  dequantize(parts: P, shape: readonly number[], options: O, out: Float32Array): void;
  /** The same two operations written to be read, and to judge the fast ones by. */
  readonly reference: {
    quantize(values: Float32Array, shape: readonly number[], options: O, parts: P): void;
    dequantize(parts: P, shape: readonly number[], options: O, out: Float32Array): void;
  };
}
