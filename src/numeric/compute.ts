/**
 * Rounding to the element types in which libraries compute.
 *
 * @module
 */
import { bf16ToF32, f32ToBf16 } from "./bf16.ts";
import { f16ToF32, f32ToF16 } from "./f16.ts";

const ROUNDINGS: Readonly<
  Record<"F32" | "F16" | "BF16", (x: number) => number>
> = {
  F32: Math.fround,
  F16: (x) => f16ToF32(f32ToF16(x)),
  BF16: (x) => bf16ToF32(f32ToBf16(x)),
};

/** The number that an element of an array stands for: halves are kept as their bits. */
export const FROM_BITS: Readonly<
  Record<"F32" | "F16" | "BF16", (element: number) => number>
> = {
  F32: (x) => x,
  F16: f16ToF32,
  BF16: bf16ToF32,
};

/** What the types are called in words. */
export const DTYPE_NAMES: Readonly<Record<"F32" | "F16" | "BF16", string>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/**
 * The function that rounds a number to float32 and then to an element type.
 *
 * @param dtype The element type.
 */
export function roundTo(dtype: "F32" | "F16" | "BF16"): (x: number) => number {
  return ROUNDINGS[dtype];
}
