/**
 * Weights that a container tells of in its own words, as tensors of the formats.
 *
 * @module
 */
import { findFormat } from "../quantize.ts";
import { partBytes, type PartSpec } from "../words/layout.ts";
import { printable, quote } from "./errors.ts";
import type { QuantizedEntry } from "./parts.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/** What a container says of a weight. */
export interface Reading {
  /** The name of the format. */
  readonly format: string;
  /** Its logical shape, not checked. */
  readonly shape: readonly number[];
  /** Options of the format, not checked. */
  readonly options: object;
  /** Entries by the names of parts in the format; undefined where one is not there. */
  readonly parts: Readonly<Record<string, TensorEntry | undefined>>;
}

/** Why a weight is in none of the formats. */
export class Unread extends RangeError {}

/** Types of four bits: two to a byte, as the parts of formats have them. */
const NIBBLES: ReadonlySet<string> = new Set(["I4", "U4", "F4", "NF4"]);

/**
 * A weight as a quantized tensor.
 *
 * @param name The name of the tensor.
 * @param reading What the container says of it.
 * @param says Who says so, for messages: `its operator says`.
 * @returns The tensor, its parts checked.
 * @throws {Unread} If no format has such a weight.
 * @throws {SyntaxError} If a part has not the bytes that the reading takes.
 */
export function readingOf(
  name: string,
  reading: Reading,
  says: string,
): QuantizedEntry {
  const format = findFormat(reading.format);
  if (!format) throw new Unread(`there is no format ${reading.format}`);
  const { shape } = reading;
  try {
    countElements(shape);
    const options = format.resolve(reading.options, shape);
    const { parts } = format.layout(shape, options);
    return {
      name,
      format,
      shape,
      options: format.kept(options),
      parts: new Map(
        Object.entries<PartSpec>(parts).map(([part, spec]) =>
          [part, asPart(reading.parts[part], spec, part, says)] as const
        ),
      ),
    };
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) {
      throw error;
    }
    throw new Unread(printable(error.message, 300));
  }
}

/** A tensor of the file as the part of a format: the same bytes, whatever dimensions they are said to have. */
function asPart(
  entry: TensorEntry | undefined,
  spec: PartSpec,
  part: string,
  says: string,
): TensorEntry {
  if (!entry) throw new Unread(`its ${part} is no constant of the file`);
  const dtype = NIBBLES.has(entry.dtype) ? "U8" : entry.dtype;
  if (dtype === spec.dtype && entry.byteLength === partBytes(spec)) {
    return { ...entry, dtype, shape: spec.shape };
  }
  throw new SyntaxError(
    `tensor ${
      quote(entry.name)
    } is ${entry.dtype} [${entry.shape}] in ${entry.byteLength} bytes, ` +
      `not ${spec.dtype} in ${partBytes(spec)} as ${says}`,
  );
}
