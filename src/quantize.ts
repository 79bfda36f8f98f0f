/**
 * `quantize` and `dequantize`: choose the format by its name, check, run.
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
import { formats, type FormatTypes } from "./formats.ts";
import { formatObject, oneOf, plainOptions } from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";
import type { DtypeArrays } from "./words/dtypes.ts";
import type { Format, QuantizedTensor } from "./words/format.ts";

/** The name of a format. */
export type FormatName = keyof FormatTypes;

/** The options that a format takes beyond {@linkcode CommonOptions}. */
export type FormatOptions<F extends FormatName> = FormatTypes[F]["options"];

/** The parts that a format makes. */
export type FormatParts<F extends FormatName> = FormatTypes[F]["parts"];

/** A tensor in 4 bits, typed by its format. */
export type Quantized<F extends FormatName = FormatName> = QuantizedTensor<
  F,
  FormatOptions<F>,
  FormatParts<F>
>;

/** Everything that can be asked of {@linkcode quantize} for one format. */
export type QuantizeOptions<F extends FormatName> =
  & { readonly format: F }
  & CommonOptions<Quantized<F>>
  & FormatTypes[F]["given"];

/**
 * Quantizes floats to 4 bits.
 *
 * Everything is computed in float32, in the order of the format's reference; the
 * bytes are the same on every runtime, with WebAssembly or without.
 *
 * @param values The floats, in row-major order. Float64Array, Float16Array and
 * arrays of numbers are rounded to float32 first.
 * @param options The format (int4 by default), the shape, and what the format takes.
 * @returns The parts by name, with the shape and the options that it takes to read them.
 * @throws {RangeError} On a NaN or an infinity (the index is named), a scale that
 * overflows (the group is named), a shape that the format cannot hold, or an option
 * out of range.
 * @throws {TypeError} When `values` is no array of floats, or an option of the wrong kind.
 *
 * @example One scale for each 32 values
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "int4", shape: [4, 64], groupSize: 32 });
 * console.log(q.parts.codes.shape); // [4, 32]: two codes to a byte
 * console.log(q.parts.scales.shape); // [4, 2]: one scale for each group
 * console.log(dequantize(q).length); // 256
 * ```
 */
export function quantize(
  values: FloatValues,
  options?:
    & { readonly format?: "int4" }
    & CommonOptions<Quantized<"int4">>
    & FormatOptions<"int4">,
): Quantized<"int4">;
/** Quantizes floats to 4 bits in any format; see the first signature. */
export function quantize<F extends FormatName>(
  values: FloatValues,
  options: QuantizeOptions<F>,
): Quantized<F>;
/** Quantizes floats to 4 bits in a format that need not be registered; see the first signature. */
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
): QuantizedTensor<Name, O, P>;
export function quantize(
  values: FloatValues,
  given: { readonly format?: string | Format } & CommonOptions = {},
): AnyQuantized {
  const { format = "int4", ...options } = plainOptions(given, "options");
  return quantizeWith(formatOf(format), values, options);
}

/**
 * Turns a quantized tensor back into floats, in row-major order.
 *
 * @param quantized What {@linkcode quantize} returned, or the same put together from a file.
 * @param options `into`: an array to reuse; `format`: the format itself, where it
 * is none of those that `formats` lists.
 * @returns One float32 for each value. A NaN, as comes of a NaN or an infinite
 * scale, is always the quiet NaN 0x7FC00000.
 * @throws {RangeError} When a part is missing or does not fit the shape, or `into` has the wrong length.
 * @throws {TypeError} When something is of the wrong kind.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const q = quantize([0.1, 0.5, -1.3, 2.7, 3.9, -0.8, 5.2, -4.7]);
 * const out = new Float32Array(8);
 * dequantize(q, { into: out }); // fills and returns out
 * ```
 */
export function dequantize(
  quantized: AnyQuantized,
  options: DequantizeOptions & { readonly format?: Format } = {},
): DtypeArrays["F32"] {
  plainOptions(quantized, "quantized");
  const { format = quantized.format, ...rest } = plainOptions(
    options,
    "options",
  ) as typeof options;
  return dequantizeWith(formatOf(format), quantized, rest);
}

/**
 * Changes the layout of a quantized tensor, not its numbers.
 *
 * Codes and scales move as they are, and there and back is the identity.
 * Dequantized values stay the same bit for bit where both formats round them to the
 * same type, which the new format takes over where it has the choice; only the sign
 * of a zero may change, where a library reads code 8 of an E2M1 grid as +0, and
 * OpenVINO rounds the product of two scales to float16.
 *
 * @param quantized The tensor.
 * @param format The name of the format that it becomes, or a format itself.
 * @param options Options of that format; group size and the like are those of the
 * tensor where they are not given.
 * @returns A new tensor.
 * @throws {RangeError} When the two formats do not mean the same kind of numbers,
 * or a number does not fit: the first group and field is named.
 *
 * @example
 * ```ts
 * import { dequantize, quantize, repack } from "@nibblewise/nibblewise";
 *
 * const q = quantize(new Float32Array(64).fill(0.5), { format: "q4_0" });
 * const r = repack(q, "int4", { groupSize: 32 });
 * console.log(r.parts.scales.data[0] === 0.5 / -8, dequantize(r)[0]); // true 0.5
 * ```
 */
export function repack<F extends FormatName>(
  quantized: AnyQuantized,
  format: F,
  options?: FormatOptions<F>,
): Quantized<F>;
/** Changes the layout of a quantized tensor to that of a format that need not be registered; see the first signature. */
export function repack<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
>(
  quantized: AnyQuantized,
  format: Format<Name, O, P, R>,
  options?: O,
): QuantizedTensor<Name, O, P>;
export function repack(
  quantized: AnyQuantized,
  format: string | Format,
  options: object = {},
): AnyQuantized {
  plainOptions(quantized, "quantized");
  const from = formatOf(quantized.format);
  return repackWith(from, quantized, formatOf(format), options);
}

function formatOf(format: unknown): Format {
  return typeof format === "object" && format !== null
    ? formatObject<Format>(format)
    : formatNamed(format);
}

/** The format of this name, if there is one. */
export function findFormat(name: string): Format | undefined {
  return formats.get(name as FormatName);
}

/** The format of this name. Throws a RangeError that lists the names there are. */
export function formatNamed(name: unknown): Format {
  return formats.get(name as FormatName) ??
    formats.get(oneOf(name, [...formats.keys()], "format"))!;
}
