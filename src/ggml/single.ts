/**
 * Types whose values stand each by itself: floats and integers, little-endian.
 *
 * @module
 */

import { decodeBf16, encodeBf16 } from "../numeric/bf16.ts";
import { decodeF16, encodeF16 } from "../numeric/f16.ts";

/** Reads values of one type into float32, rounded to the nearest where they do not fit. */
export type ReadValues = (bytes: Uint8Array, out: Float32Array) => void;

/** Writes float32 values. */
export type WriteValues = (values: Float32Array, bytes: Uint8Array) => void;

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Reads through a view of a copy: the bytes may lie at any address. */
function readThrough<A extends ArrayLike<number | bigint>>(
  View: new (buffer: ArrayBuffer) => A,
  convert: (view: A, out: Float32Array) => void,
): ReadValues {
  return (bytes, out) => convert(new View(bytes.slice().buffer), out);
}

function each(view: ArrayLike<number | bigint>, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = Number(view[i]);
}

/** How each type is read. */
export const readers: Readonly<Record<string, ReadValues>> = {
  F32: (bytes, out) => bytesOf(out).set(bytes),
  F16: readThrough(Uint16Array, decodeF16),
  BF16: readThrough(Uint16Array, decodeBf16),
  F64: readThrough(Float64Array, each),
  I8: readThrough(Int8Array, each),
  I16: readThrough(Int16Array, each),
  I32: readThrough(Int32Array, each),
  I64: readThrough(BigInt64Array, readI64),
};

/** An integer beyond 2^53 would be rounded twice by way of a number: what cannot matter to float32 is made odd first. */
function readI64(view: BigInt64Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) {
    const value = view[i];
    const magnitude = value < 0n ? -value : value;
    if (magnitude < 1n << 53n) out[i] = Number(value);
    else {
      const sticky = (magnitude & 0xfffn) === 0n ? 0n : 0x1000n;
      const kept = Number((magnitude & ~0xfffn) | sticky);
      out[i] = value < 0n ? -kept : kept;
    }
  }
}

/** How the types are written that can be: ggml quantizes to no other. */
export const writers: Readonly<Record<string, WriteValues>> = {
  F32: (values, bytes) => bytes.set(bytesOf(values)),
  F16: writeHalves(encodeF16),
  BF16: writeHalves(encodeBf16),
};

function writeHalves(
  encode: (values: Float32Array, out: Uint16Array) => void,
): WriteValues {
  return (values, bytes) => {
    const halves = new Uint16Array(values.length);
    encode(values, halves);
    bytes.set(bytesOf(halves));
  };
}
