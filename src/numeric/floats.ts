/**
 * Any array of floats as a Float32Array.
 *
 * @module
 */

/** What can be quantized: float32 as it is, anything else rounded to float32 first. */
export type FloatValues =
  | Float32Array
  | Float64Array
  | Float16Values
  | readonly number[];

/** A Float16Array, on runtimes that have it. */
export interface Float16Values extends ArrayLike<number> {
  /** Tells it from other arrays. */
  readonly [Symbol.toStringTag]: "Float16Array";
}

/** The values themselves when they are float32, or a rounded copy. Throws a TypeError for any other kind of array. */
export function toFloat32(values: FloatValues): Float32Array {
  if (values instanceof Float32Array) return values;
  const tag = Object.prototype.toString.call(values).slice(8, -1);
  if (
    tag === "Float64Array" || tag === "Float16Array" || Array.isArray(values)
  ) {
    return Float32Array.from(values as ArrayLike<number>);
  }
  // A Float32Array of another realm (an iframe, a vm context).
  if (tag === "Float32Array") {
    return Float32Array.from(values as ArrayLike<number>);
  }
  throw new TypeError(
    `Cannot take values of type ${tag}: pass a Float32Array, Float64Array, Float16Array or an array of numbers`,
  );
}
