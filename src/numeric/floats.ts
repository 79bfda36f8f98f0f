/**
 * What counts as an array of floats; `floatValues` of `arguments.ts` makes a Float32Array of it.
 *
 * @module
 */

/** What can be quantized: float32 as it is, anything else rounded to float32 first. */
export type FloatValues =
  | Float32Array
  | Float64Array
  | Float16Values
  | readonly number[];

/** A Float32Array over an ordinary ArrayBuffer: TypeScript writes it as a generic type since 5.7, which older compilers do not know. */
export type OwnFloats = ReturnType<Float32ArrayConstructor["of"]>;

/** A Float16Array, on runtimes that have it. */
export interface Float16Values extends ArrayLike<number> {
  /** Tells it from other arrays. */
  readonly [Symbol.toStringTag]: "Float16Array";
}
