/**
 * Element types by the names that safetensors uses: one table, from which every
 * width, array and list of dtypes comes.
 *
 * @module
 */

// What a call of these constructors gives: `Uint8Array<ArrayBuffer>` to compilers
// that know typed arrays by their buffer (TypeScript 5.7 and later), `Uint8Array`
// to older ones, which know no such type.
/** Bytes in memory of their own. */
export type Bytes = ReturnType<Uint8ArrayConstructor["of"]>;
/** 16-bit words in memory of their own. */
export type Shorts = ReturnType<Uint16ArrayConstructor["of"]>;

/** The typed array that carries each {@linkcode Dtype} of a part. */
export interface DtypeArrays {
  /** Bytes. */
  U8: Bytes;
  /** Signed bytes. */
  I8: ReturnType<Int8ArrayConstructor["of"]>;
  /** Unsigned 16-bit integers. */
  U16: Shorts;
  /** Signed 32-bit integers. */
  I32: ReturnType<Int32ArrayConstructor["of"]>;
  /** Unsigned 32-bit integers. */
  U32: ReturnType<Uint32ArrayConstructor["of"]>;
  /** Signed 64-bit integers. */
  I64: ReturnType<BigInt64ArrayConstructor["of"]>;
  /** 8-bit floats with 4 exponent bits and no infinity, as their bits. */
  F8_E4M3: Bytes;
  /** Powers of two, as their biased exponents. */
  F8_E8M0: Bytes;
  /** binary16 floats, as their bits. */
  F16: Shorts;
  /** bfloat16 floats, as their bits. */
  BF16: Shorts;
  /** float32. */
  F32: ReturnType<Float32ArrayConstructor["of"]>;
  /** float64. */
  F64: ReturnType<Float64ArrayConstructor["of"]>;
}

/** Element types of parts, by the names that safetensors uses. */
export type Dtype = keyof DtypeArrays;

/** The constructor of the typed array that carries each dtype. */
export const ARRAYS: {
  readonly [D in Dtype]: {
    new (length: number): DtypeArrays[D];
    new (
      buffer: ArrayBufferLike,
      byteOffset?: number,
      length?: number,
    ): DtypeArrays[D];
    readonly BYTES_PER_ELEMENT: number;
    readonly name: string;
  };
} = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  F8_E4M3: Uint8Array,
  F8_E8M0: Uint8Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
} as never;

/** Bytes of an element. */
export function bytesPerElement(dtype: Dtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}
