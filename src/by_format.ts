/**
 * `quantize`, `dequantize` and `repack` by formats that the caller imports.
 *
 * @module
 */
import {
  type AnyQuantized,
  type CommonOptions,
  type DequantizeOptions,
  dequantizeWith,
  quantizeWith,
  repackWith,
} from "./core.ts";
import { formatObject, plainOptions } from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";
import type { DtypeArrays } from "./words/dtypes.ts";
import type { Format, QuantizedTensor } from "./words/format.ts";

/**
 * Quantizes floats to 4 bits.
 *
 * @param values The floats, in row-major order.
 * @param options The format, the shape, and what the format takes.
 * @returns The parts by name, with the shape and the options that it takes to read them.
 * @throws {RangeError} On a NaN or an infinity, a scale that overflows, a shape
 * that the format cannot hold, or an option out of range.
 * @throws {TypeError} When something is of the wrong kind.
 */
export function quantize<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
>(
  values: FloatValues,
  options:
    & { readonly format: Format<Name, O, P, R> }
    & CommonOptions<QuantizedTensor<Name, O, P>>
    & O,
): QuantizedTensor<Name, O, P> {
  const { format, ...rest } = plainOptions(options, "options");
  return quantizeWith(formatObject<Format>(format), values, rest) as never;
}

/**
 * Turns a quantized tensor back into floats, in row-major order.
 *
 * @param quantized What {@linkcode quantize} returned, or the same put together from a file.
 * @param options The format, and `into`: an array to reuse.
 * @throws {RangeError} When a part is missing or does not fit the shape, or `into` has the wrong length.
 * @throws {TypeError} When something is of the wrong kind.
 */
export function dequantize(
  quantized: AnyQuantized,
  options: DequantizeOptions & { readonly format: Format },
): DtypeArrays["F32"] {
  plainOptions(quantized, "quantized");
  const { format, ...rest } = plainOptions(options, "options");
  return dequantizeWith(formatObject<Format>(format), quantized, rest);
}

/**
 * Changes the layout of a quantized tensor, not its numbers.
 *
 * @param quantized The tensor.
 * @param from Its format.
 * @param to The format that it becomes.
 * @param options Options of that format; group size and the like are those of the
 * tensor where they are not given.
 * @throws {RangeError} When the two formats do not mean the same kind of numbers,
 * or a number does not fit.
 * @throws {TypeError} When something is of the wrong kind.
 */
export function repack<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
>(
  quantized: AnyQuantized,
  from: Format,
  to: Format<Name, O, P, R>,
  options?: O,
): QuantizedTensor<Name, O, P> {
  plainOptions(quantized, "quantized");
  return repackWith(
    formatObject<Format>(from),
    quantized,
    formatObject<Format>(to),
    options,
  ) as never;
}
