/**
 * `quantize` and `dequantize`: check, choose the format, run.
 *
 * @module
 */
import { formats, type FormatTypes } from "./formats/registry.ts";
import { clampNonFinite } from "./numeric/finite.ts";
import {
  describe,
  floatValues,
  oneOf,
  plainOptions,
  shapeOf,
  typedArray,
  type TypedArrayKind,
  typedArrayKind,
} from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";
import { apartFrom, overlap, rejectOverlap } from "./numeric/overlap.ts";
import { rowLength, sizeOf } from "./numeric/shape.ts";
import type {
  Dtype,
  DtypeArrays,
  Format,
  Part,
  Parts,
  PartSpec,
  QuantizedTensor,
} from "./types.ts";

/** The name of a format. */
export type FormatName = keyof FormatTypes;

/** The options that a format takes beyond {@linkcode CommonOptions}. */
export type FormatOptions<F extends FormatName> = FormatTypes[F]["options"];

/** The parts that a format makes. */
export type FormatParts<F extends FormatName> = FormatTypes[F]["parts"];

/** A tensor in 4 bits, typed by its format. */
export type Quantized<F extends FormatName = FormatName> = F extends FormatName
  ? QuantizedTensor<F, FormatOptions<F>, FormatParts<F>>
  : never;

/** Options that every format takes. */
export interface CommonOptions<F extends FormatName = FormatName> {
  /** The shape, slowest dimension first; one axis by default. Groups lie along the last axis. */
  readonly shape?: readonly number[];
  /**
   * A result of the same format, shape and options, to be written over in place of
   * new arrays. Where it shares memory with the values, these are copied first.
   */
  readonly into?: Quantized<F>;
  /**
   * What to do about NaN and infinities: `"throw"` a RangeError that names the
   * index (the default), or `"clamp"`: NaN becomes 0 and an infinity the largest
   * finite magnitude of its group. The same for finite values whose scale is beyond
   * the type that it is stored in: an error that names the group, or values that
   * are cut to what a finite scale can hold.
   */
  readonly nonFinite?: "throw" | "clamp";
}

/** Everything that can be asked of {@linkcode quantize} for one format. */
export type QuantizeOptions<F extends FormatName> = F extends FormatName
  ? { readonly format: F } & CommonOptions<F> & FormatOptions<F>
  : never;

/** Options of {@linkcode dequantize}. */
export interface DequantizeOptions {
  /**
   * A Float32Array of the right length, to be written over in place of a new one.
   * Where it shares memory with the parts, these are copied first.
   */
  readonly into?: Float32Array;
}

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
    & CommonOptions<"int4">
    & FormatOptions<"int4">,
): Quantized<"int4">;
/** Quantizes floats to 4 bits in any format; see the first signature. */
export function quantize<F extends FormatName>(
  values: FloatValues,
  options: QuantizeOptions<F>,
): Quantized<F>;
export function quantize(
  values: FloatValues,
  options?: object,
): AnyQuantized {
  const { format: name = "int4", shape, into, nonFinite, ...rest } =
    plainOptions(options, "options");
  const format = formatNamed(name), input = floatValues(values, "values");
  const dimensions = shape === undefined ? [input.length] : shapeOf(shape);
  if (sizeOf(dimensions) !== input.length) {
    throw new RangeError(
      `Cannot quantize ${input.length} values as shape [${dimensions}]: it takes ${
        sizeOf(dimensions)
      }`,
    );
  }
  const overflow = oneOf(nonFinite ?? "throw", ["throw", "clamp"], "nonFinite");
  const resolved = { ...format.resolve(rest, dimensions), overflow };
  const specs: Record<string, PartSpec> = format.parts(dimensions, resolved);
  const parts = into === undefined
    ? allocateParts(specs)
    : checkInto(into, format.name, dimensions, specs);
  const given = apartFrom(input, arraysOf(parts));
  const finite = overflow === "throw"
    ? given
    : clamped(given, format, dimensions, resolved);
  format.quantize(finite, dimensions, resolved, parts);
  return {
    format: format.name,
    shape: dimensions,
    options: format.kept(resolved),
    parts: into === undefined ? parts : (into as AnyQuantized).parts,
  };
}

/** A quantized tensor of any format. */
export type AnyQuantized = QuantizedTensor<string, object, object>;

/**
 * Turns a quantized tensor back into floats, in row-major order.
 *
 * @param quantized What {@linkcode quantize} returned, or the same put together from a file.
 * @param options `into`: an array to reuse.
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
  options?: DequantizeOptions,
): Float32Array {
  const given = plainOptions(quantized, "quantized");
  const { into } = plainOptions(options, "options");
  const format = formatNamed(given.format);
  const shape = shapeOf(given.shape, "quantized.shape");
  const kept = plainOptions(given.options, "quantized.options");
  const resolved = format.resolve(kept, shape);
  const parts = checkParts(
    {
      format: format.name,
      parts: plainOptions(given.parts, "quantized.parts"),
    },
    format.parts(shape, resolved),
  );
  const size = sizeOf(shape);
  const out = into === undefined
    ? new Float32Array(size)
    : typedArray(into, ["Float32Array"], "into");
  if (out.length !== size) {
    throw new RangeError(
      `Cannot dequantize into ${
        describe(into)
      }: shape [${shape}] takes a Float32Array of ${size}`,
    );
  }
  format.dequantize(partsApart(parts, out), shape, resolved, out);
  return into === undefined ? out : into as Float32Array;
}

function arraysOf(parts: object): DtypeArrays[Dtype][] {
  return Object.values(parts as Parts).map(({ data }) => data);
}

/** The parts, copied where they share memory with `out`. */
function partsApart(parts: object, out: Float32Array): object {
  if (!arraysOf(parts).some((data) => overlap(data, out))) return parts;
  const copies = Object.entries(parts as Parts).map((
    [name, part],
  ) => [name, { ...part, data: part.data.slice() }]);
  return Object.fromEntries(copies);
}

/** The format of this name. Throws a TypeError or a RangeError that lists the names there are. */
export function formatNamed(name: unknown): Format {
  return formats.get(oneOf(name, [...formats.keys()], "format"))!;
}

/** The typed array that carries each dtype. */
export const ARRAYS: {
  readonly [D in Dtype]: new (length: number) => DtypeArrays[D];
} = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
};

/** New arrays of zeros for the parts of a tensor. */
export function allocateParts(
  specs: Readonly<Record<string, PartSpec>>,
): Parts {
  const parts: Record<string, Part> = {};
  for (const [name, { dtype, shape }] of Object.entries(specs)) {
    parts[name] = { dtype, shape, data: new ARRAYS[dtype](sizeOf(shape)) };
  }
  return parts;
}

/**
 * The parts of a tensor as arrays of this realm, on the same memory. Throws unless
 * there are just these parts, each with the right type and length.
 */
export function checkParts(
  { format, parts: given }: { readonly format: string; readonly parts: object },
  specs: Readonly<Record<string, PartSpec>>,
): Parts {
  const checked: Record<string, Part> = {};
  for (const [name, { dtype, shape }] of Object.entries(specs)) {
    const part = Object.hasOwn(given, name)
      ? plainOptions((given as Parts)[name], `part "${name}"`)
      : {};
    const kind = ARRAYS[dtype].name;
    if (
      typedArrayKind(part.data) !== kind ||
      (part.data as Uint8Array).length !== sizeOf(shape)
    ) {
      throw new RangeError(
        `Cannot use part "${name}" of a ${format} tensor: it takes ${kind} of ` +
          `${sizeOf(shape)} ([${shape}]), not ${describe(part.data)}`,
      );
    }
    const data = typedArray(
      part.data,
      [kind as TypedArrayKind],
      `part "${name}"`,
    );
    checked[name] = { dtype, shape, data };
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(specs, name)) continue;
    throw new RangeError(
      `A ${format} tensor with these options has no part "${name}": leave it out`,
    );
  }
  return checked;
}

function checkInto(
  given: unknown,
  name: string,
  shape: readonly number[],
  specs: Readonly<Record<string, PartSpec>>,
): Parts {
  const into = plainOptions(given, "into");
  const own = shapeOf(into.shape, "into.shape");
  if (into.format !== name || own.join() !== shape.join()) {
    throw new RangeError(
      `Cannot quantize ${name} [${shape}] into ${
        describe(into.format)
      } [${own}]: pass a result of the same format and shape`,
    );
  }
  const parts = checkParts(
    { format: name, parts: plainOptions(into.parts, "into.parts") },
    specs,
  );
  rejectOverlap(parts);
  return parts;
}

function clamped(
  values: Float32Array,
  format: Format,
  shape: readonly number[],
  options: object,
): Float32Array {
  const group = format.group(shape, options), columns = rowLength(shape);
  return clampNonFinite(values, Math.max(columns, group), group);
}
