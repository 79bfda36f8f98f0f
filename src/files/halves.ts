/**
 * Float32 values to the floats of sixteen bits that files hold, many at once.
 *
 * @module
 */
import { type Kernel, run } from "../kernels/engine.ts";
import { FREE_STEP } from "../kernels/grouped.ts";
import { magnitude } from "../kernels/js/reduce.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { encodeBf16 } from "../numeric/bf16.ts";
import { encodeF16, F16_OVERFLOW } from "../numeric/f16.ts";
import { KERNELS } from "./kernels_module.ts";

/** The dtypes of sixteen bits. */
export type HalfDtype = "F16" | "BF16";

const FILES: KernelModule = { hex: KERNELS };

/** What encodes a dtype: a kernel, and the reference, which it leaves values with NaN to. */
interface Encoder {
  readonly kernel: Kernel;
  encode(values: Float32Array, out: Uint16Array): void;
}

const ENCODERS: Readonly<Record<HalfDtype, Encoder>> = {
  F16: { kernel: { name: "f16_encode", module: FILES }, encode: encodeF16 },
  BF16: { kernel: { name: "bf16_encode", module: FILES }, encode: encodeBf16 },
};

/**
 * Encodes values as {@linkcode encodeF16} or {@linkcode encodeBf16} does.
 *
 * @param values The values.
 * @param dtype What to encode them as.
 * @param out Receives their bits; at least as long.
 * @returns The largest magnitude of the values; NaN where one is.
 */
export function encodeHalves(
  values: Float32Array,
  dtype: HalfDtype,
  out: Uint16Array,
): number {
  const largest = new Int32Array(1), { kernel, encode } = ENCODERS[dtype];
  run({
    kernel,
    count: values.length,
    step: FREE_STEP,
    operands: [
      { array: values, access: "read", bits: 32 },
      { array: out, access: "write", bits: 16 },
      { array: largest, access: "update" },
    ],
    again(first, n) {
      const some = values.subarray(first, first + n);
      encode(some, out.subarray(first, first + n));
      magnitude(n, some, largest);
    },
  });
  return new Float32Array(largest.buffer)[0];
}

/** Index of the first finite value that is an infinity as float16, or −1. */
export function firstBeyondF16(values: Float32Array): number {
  return values.findIndex((x) =>
    Math.abs(x) >= F16_OVERFLOW && Number.isFinite(x)
  );
}
