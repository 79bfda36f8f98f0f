/**
 * Makes a format from what is its own: options, a scheme, a layout, and a fast
 * way where it deserves one.
 *
 * @module
 */
import type { Coder, Convention, Format, Part } from "../words/format.ts";
import type { Layout, PartPlan } from "../words/layout.ts";
import { keptOptions, resolveOptions, type Schema } from "../words/schema.ts";
import {
  checkImportance,
  isSearched,
  type ResolvedSearchOptions,
} from "../words/search.ts";
import type { Scheme } from "../words/scheme.ts";
import { rowLength } from "../numeric/shape.ts";
import { whole } from "../words/window.ts";
import { genericWay } from "./generic_way.ts";
import type { TensorOf } from "./stages.ts";
import { remembered } from "./remembered.ts";
import { decodeWindow, encodeTensor } from "./tensor.ts";

/** What makes one format different from another. */
export interface FormatSpec<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
> {
  /** See {@linkcode Format.name}. */
  readonly name: Name;
  /** See {@linkcode Format.summary}. */
  readonly summary: string;
  /** See {@linkcode Format.source}. */
  readonly source: string;
  /** See {@linkcode Format.groupSize}. */
  readonly groupSize: number | "row" | "tensor";
  /** See {@linkcode Format.bitsPerValue}. */
  readonly bitsPerValue: number;
  /** See {@linkcode Format.errorBound}. */
  readonly errorBound: number;
  /** See {@linkcode Format.options}. */
  readonly options: Schema<O>;
  /** See {@linkcode Format.lacks}. */
  readonly lacks?: Readonly<Record<string, string>>;
  /** See {@linkcode Format.convention}. */
  readonly convention?: Convention;
  /** Fills in the options whose default depends on others, or on the shape. */
  complete?(options: R, shape: readonly number[]): R;
  /** What options do not say by themselves: which go together, which shapes can be held. Throws a RangeError. */
  check?(options: R, shape: readonly number[]): void;
  /** See {@linkcode Format.like}. */
  like?(scheme: Scheme, shape: readonly number[]): Partial<O>;
  /** See {@linkcode Format.checkNumbers}. */
  checkNumbers?(parts: P, options: R): void;
  /** See {@linkcode Format.layout}. */
  layout(shape: readonly number[], options: R): Layout<P>;
  /** See {@linkcode Format.scheme}. */
  scheme(shape: readonly number[], options: R): Scheme;
  /** What works faster than the generic way; given the tensor of a shape. */
  fast?(tensor: TensorOf<R>): Coder<NoInfer<P>, R>;
}

/** The tensor of a shape, by scheme and layout. */
function tensorOf<P extends object, R extends object>(
  { scheme, layout }: Pick<
    FormatSpec<string, object, P, R>,
    "scheme" | "layout"
  >,
): TensorOf<R> {
  return (shape, options) => ({
    scheme: scheme(shape, options),
    layout: layout(shape, options) as Layout<Record<string, PartPlan>>,
  });
}

/** The same with a scheme and a layout that are made once for tensors alike. */
function withMemory<
  R extends object,
  Spec extends Pick<FormatSpec<string, object, object, R>, "scheme" | "layout">,
>(spec: Spec): Spec {
  const { scheme, layout } = spec;
  return { ...spec, scheme: remembered(scheme), layout: remembered(layout) };
}

/**
 * Makes a format from a way to quantize and dequantize.
 *
 * @param spec What makes it different from the others.
 * @param reference See {@linkcode Format.reference}.
 * @param coder What does the work.
 * @returns The format.
 */
function assemble<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
>(
  spec: Omit<FormatSpec<Name, O, P, R>, "fast">,
  reference: Coder<P, R>,
  coder: Coder<P, R>,
): Format<Name, O, P, R> {
  const { check, complete, ...described } = spec;
  const schema = spec.options as unknown as Schema<Record<string, unknown>>;
  return {
    ...described,
    resolve(options, shape): R {
      const given = options as Record<string, unknown>;
      const checked = resolveOptions(
        { name: spec.name, options: schema, lacks: spec.lacks },
        given,
        rowLength(shape),
      ) as R;
      const resolved = complete ? complete(checked, shape) : checked;
      checkImportance(spec.name, schema, resolved);
      check?.(resolved, shape);
      return resolved;
    },
    kept: (options) => keptOptions(schema, options as Record<string, unknown>),
    ...coder,
    reference,
  };
}

/** Quantizes and dequantizes any format, tile by tile. */
export function genericCoder<P extends object, R extends object>(
  tensor: TensorOf<R>,
): Coder<P, R> {
  return {
    quantize: (values, shape, options, parts, context) =>
      encodeTensor(tensor(shape, options), values, bytesOf(parts), context),
    dequantize(parts, shape, options, out): void {
      const { layout, scheme } = tensor(shape, options);
      const area = whole(layout.matrix);
      decodeWindow(
        { scheme, layout },
        { bytes: bytesOf(parts), area },
        area,
        out,
      );
    },
  };
}

/**
 * Makes a format that is quantized and dequantized by the generic way, where it has
 * no faster one.
 *
 * @param spec What makes it different from the others.
 * @returns The format, with the generic way as its reference.
 */
export function defineFormat<
  Name extends string,
  O extends object,
  P extends object,
  R extends object,
>(spec: FormatSpec<Name, O, P, R>): Format<Name, O, P, R> {
  const { fast, ...described } = withMemory(spec);
  const tensor = tensorOf(described), generic = genericCoder<P, R>(tensor);
  return assemble(described, generic, fast?.(tensor) ?? generic);
}

/**
 * Makes a format that is quantized and dequantized by a way of its own. The generic
 * way searches, and judges the other, where an entry point brought it along.
 *
 * @param spec What makes it different from the others.
 * @param wayOf What quantizes, without searches, and dequantizes.
 * @returns The format.
 */
export function defineWithOwnWay<
  Name extends string,
  O extends object,
  P extends object,
  R extends ResolvedSearchOptions,
>(
  spec: Omit<FormatSpec<Name, O, P, R>, "fast">,
  wayOf: (tensor: TensorOf<R>) => Coder<P, R>,
): Format<Name, O, P, R> {
  const described = withMemory(spec);
  const tensor = tensorOf(described), own = wayOf(tensor);
  const judge = (): Coder<P, R> => genericWay()?.(tensor) ?? own;
  const reference: Coder<P, R> = {
    quantize: (...given) => judge().quantize(...given),
    dequantize: (...given) => judge().dequantize(...given),
  };
  return assemble(described, reference, {
    quantize(values, shape, options, parts, context): void {
      if (!isSearched(options)) {
        return own.quantize(values, shape, options, parts, context);
      }
      tensor(shape, options); // throws where nothing searches
      reference.quantize(values, shape, options, parts, context);
    },
    dequantize: own.dequantize,
  });
}

/** The bytes of every part. */
export function bytesOf(parts: object): Record<string, Uint8Array> {
  const given = parts as Record<string, Part>;
  const bytes: Record<string, Uint8Array> = {};
  for (const name of Object.keys(given)) {
    const { buffer, byteOffset, byteLength } = given[name].data;
    bytes[name] = new Uint8Array(buffer, byteOffset, byteLength);
  }
  return bytes;
}
