/**
 * Quantizing, dequantizing and checking by a format that the caller has in hand:
 * nothing here knows which formats there are.
 *
 * @module
 */
import {
  describe,
  floatValues,
  oneOf,
  plainOptions,
  shapeOf,
  typedArray,
  typedArrayKind,
} from "./numeric/arguments.ts";
import { clampNonFinite } from "./numeric/finite.ts";
import type { FloatValues } from "./numeric/floats.ts";
import { apartFrom, overlap, rejectOverlap } from "./numeric/overlap.ts";
import { isSameShape, sizeOf } from "./numeric/shape.ts";
import { bytesOf } from "./model/define.ts";
import { repackTensor, whyNotRepack } from "./model/repack.ts";
import type { Tensor } from "./model/stages.ts";
import { ARRAYS, type Dtype, type DtypeArrays } from "./words/dtypes.ts";
import type { Format, Part, Parts, QuantizedTensor } from "./words/format.ts";
import type { Layout, PartPlan } from "./words/layout.ts";
import { groupOf } from "./words/scheme.ts";

/** A quantized tensor of any format. */
export type AnyQuantized = QuantizedTensor<string, object, object>;

/** Options that every format takes. */
export interface CommonOptions<Result = AnyQuantized> {
  /** The shape, slowest dimension first; one axis by default. Groups lie along the last axis. */
  readonly shape?: readonly number[];
  /**
   * A result of the same format, shape and options, to be written over in place of
   * new arrays. Where it shares memory with the values, these are copied first.
   */
  readonly into?: Result;
  /**
   * What to do about NaN and infinities: `"throw"` a RangeError that names the
   * index (the default), or `"clamp"`: NaN becomes 0 and an infinity the largest
   * finite magnitude of its group. The same for finite values whose scale is beyond
   * the type that it is stored in: an error that names the group, or values that
   * are cut to what a finite scale can hold.
   */
  readonly nonFinite?: "throw" | "clamp";
}

/** Options of {@linkcode dequantizeWith}. */
export interface DequantizeOptions {
  /**
   * A Float32Array of the right length, to be written over in place of a new one.
   * Where it shares memory with the parts, these are copied first.
   */
  readonly into?: Float32Array;
}

type AnyLayout = Layout<Record<string, PartPlan>>;

/** Quantizes by a format; see `quantize`. */
export function quantizeWith(
  format: Format,
  values: FloatValues,
  given: CommonOptions & object = {},
): QuantizedTensor {
  const { shape, into, nonFinite = "throw", ...rest } = plainOptions(
    given,
    "options",
  ) as CommonOptions;
  const input = floatValues(values, "values");
  const dimensions = shape === undefined ? [input.length] : shapeOf(shape);
  if (sizeOf(dimensions) !== input.length) {
    throw new RangeError(
      `Cannot use shape [${dimensions}] for ${input.length} values: it takes ${
        sizeOf(dimensions)
      }`,
    );
  }
  oneOf(nonFinite, ["throw", "clamp"], "nonFinite");
  const options = format.resolve(rest, dimensions);
  const layout: AnyLayout = format.layout(dimensions, options);
  const parts = into === undefined
    ? allocateParts(layout.parts)
    : checkInto(into, format, dimensions, layout);
  const apart = into === undefined ? input : apartFrom(input, arraysOf(parts));
  const finite = nonFinite === "throw"
    ? apart
    : clamped(apart, format, dimensions, options);
  format.quantize(finite, dimensions, options, parts, { overflow: nonFinite });
  return {
    format: format.name,
    shape: dimensions,
    options: format.kept(options),
    parts: into === undefined ? parts : into.parts as Parts,
  };
}

/** Dequantizes by a format; see `dequantize`. */
export function dequantizeWith(
  format: Format,
  quantized: AnyQuantized,
  { into }: DequantizeOptions = {},
): DtypeArrays["F32"] {
  const shape = shapeOf(quantized.shape, "quantized.shape");
  const options = format.resolve(
    plainOptions(quantized.options, "quantized.options"),
    shape,
  );
  const parts = checkParts(quantized, format.layout(shape, options));
  const size = sizeOf(shape);
  const out = into === undefined
    ? new Float32Array(size)
    : typedArray(into, ["Float32Array"], "into");
  if (out.length !== size) {
    throw new RangeError(
      `Cannot use into: it has room for ${out.length} values, shape [${shape}] takes ${size}`,
    );
  }
  format.checkNumbers?.(parts, options);
  const apart = into === undefined ? parts : partsApart(parts, out);
  format.dequantize(apart, shape, options, out);
  return (into ?? out) as DtypeArrays["F32"];
}

/** Repacks by two formats; see `repack`. */
export function repackWith(
  from: Format,
  quantized: AnyQuantized,
  to: Format,
  given: object = {},
): QuantizedTensor {
  const shape = shapeOf(quantized.shape, "quantized.shape");
  const kept = plainOptions(quantized.options, "quantized.options");
  const source = tensorOf(from, shape, from.resolve(kept, shape));
  const parts = checkParts(quantized, source.layout);
  const refused = (reason: string, cause?: unknown) =>
    new RangeError(`Cannot repack ${from.name} as ${to.name}: ${reason}`, {
      cause,
    });
  const options = orRefused(
    () =>
      to.resolve(
        {
          ...to.like?.(source.scheme, shape),
          ...plainOptions(given, "options"),
        },
        shape,
      ),
    refused,
  );
  const target = tensorOf(to, shape, options);
  const reason = whyNotRepack(source, target, from.name === to.name);
  if (reason !== undefined) {
    throw refused(
      `${reason}; quantize anew from the dequantized values instead`,
    );
  }
  const result = allocateParts(target.layout.parts);
  repackTensor(source, bytesOf(parts), target, bytesOf(result));
  orRefused(() => to.checkNumbers?.(result, options), refused);
  return { format: to.name, shape, options: to.kept(options), parts: result };
}

/** Does something, and tells of a RangeError in other words. */
function orRefused<T>(
  work: () => T,
  refused: (reason: string, cause: unknown) => RangeError,
): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw refused(error.message, error);
  }
}

/** What the numbers of a tensor mean and where they lie. */
export function tensorOf(
  format: Format,
  shape: readonly number[],
  options: object,
): Tensor {
  return {
    scheme: format.scheme(shape, options),
    layout: format.layout(shape, options),
  };
}

function arraysOf(parts: Parts): DtypeArrays[Dtype][] {
  return Object.values(parts).map(({ data }) => data);
}

/** The parts, copied where they share memory with `out`. */
function partsApart(parts: Parts, out: Float32Array): Parts {
  if (!arraysOf(parts).some((data) => overlap(data, out))) return parts;
  const apart: Record<string, Part> = {};
  for (const name of Object.keys(parts)) {
    apart[name] = { ...parts[name], data: parts[name].data.slice() } as Part;
  }
  return apart;
}

/** New arrays of zeros for the parts of a tensor. */
export function allocateParts(plans: AnyLayout["parts"]): Parts {
  const parts: Record<string, Part> = {};
  for (const name of Object.keys(plans)) {
    const { dtype, shape } = plans[name];
    const data = new ARRAYS[dtype](sizeOf(shape));
    // A layout may be that of other tensors, too.
    parts[name] = { dtype, shape: [...shape], data };
  }
  return parts;
}

/** What the parts of a result to be written over are called: a text in them cannot have another length. */
const INTO = "into.parts";

/**
 * Throws a RangeError unless the tensor has just these parts, each with the right
 * type and length.
 *
 * @param name What the parts are called, for the message.
 * @returns The parts, as typed arrays of this realm.
 */
export function checkParts(
  { format, parts: given }: AnyQuantized,
  { parts: plans }: AnyLayout,
  name = "quantized.parts",
): Parts {
  const parts = plainOptions(given, name) as Parts;
  const checked: Record<string, Part> = {};
  for (const part of Object.keys(plans)) {
    const given = Object.hasOwn(parts, part) ? parts[part] : undefined;
    checked[part] = checkPart(format, part, given, plans[part], name === INTO);
  }
  for (const part of Object.keys(parts)) {
    if (Object.hasOwn(plans, part)) continue;
    throw new RangeError(
      `A ${format} tensor with these options has no part "${part}": leave it out`,
    );
  }
  return checked;
}

function checkPart(
  format: string,
  name: string,
  part: Part | undefined,
  { dtype, shape, anyLength }: PartPlan,
  written: boolean,
): Part {
  const kind = ARRAYS[dtype].name, data: unknown = part?.data;
  const length = anyLength && !written && data
    ? part!.data.length
    : sizeOf(shape);
  if (typedArrayKind(data) !== kind || part!.data.length !== length) {
    throw new RangeError(
      `Cannot use part "${name}" of a ${format} tensor: it takes ${kind} of ` +
        `${length} ([${shape}]), not ${describe(data)}`,
    );
  }
  return {
    dtype,
    shape: length === sizeOf(shape) ? shape : [length],
    data: typedArray(data, [kind as "Uint8Array"], `part "${name}"`) as never,
  };
}

function checkInto(
  into: AnyQuantized,
  { name }: Format,
  shape: readonly number[],
  layout: AnyLayout,
): Parts {
  plainOptions(into, "into");
  const isAlike = into.format === name && Array.isArray(into.shape) &&
    isSameShape(into.shape, shape);
  if (!isAlike) {
    throw new RangeError(
      `Cannot use into: its format and shape are ${describe(into.format)} and ${
        describe(into.shape)
      }, not ${name} [${shape}]; pass a result of the same format and shape`,
    );
  }
  const parts = checkParts(into, layout, INTO);
  rejectOverlap(parts);
  return parts;
}

/** The values without NaN and infinities; see {@linkcode CommonOptions.nonFinite}. */
function clamped(
  values: Float32Array,
  format: Format,
  shape: readonly number[],
  options: object,
): Float32Array {
  const { matrix } = format.layout(shape, options);
  const { rows, columns } = groupOf(format.scheme(shape, options), matrix);
  return rows > 1
    ? clampNonFinite(values, values.length, values.length)
    : clampNonFinite(values, matrix.columns, columns);
}
