/**
 * The parts of quantized tensors as entries of a file.
 *
 * @module
 */
import type { Format } from "../words/format.ts";
import type { PartPlan } from "../words/layout.ts";
import { quote } from "./errors.ts";
import { TEXT_PART_BYTES } from "./limits.ts";
import type { TensorPlan } from "./safetensors_write.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** What it takes to read the parts of a quantized tensor. */
export interface QuantizedPlan {
  /** Name of the tensor. */
  readonly name: string;
  /** How it is quantized. */
  readonly format: Format;
  /** Its logical shape. */
  readonly shape: readonly number[];
  /** The options that {@linkcode Format.kept} keeps. */
  readonly options: object;
}

/** A quantized tensor in a file, checked. */
export interface QuantizedEntry extends QuantizedPlan {
  /** Where its parts are, by their names in the format. */
  readonly parts: ReadonlyMap<string, TensorEntry>;
}

/** A container that itself says which of its tensors are quantized. */
export interface SortedFile extends TensorFile {
  /** Those that are, checked. Their parts are tensors of the file, as the formats see them. */
  readonly quantized: readonly QuantizedEntry[];
}

/** Whether a file is one. */
export function isSorted(file: TensorFile): file is SortedFile {
  return "quantized" in file;
}

/**
 * The safetensors entries that hold a quantized tensor.
 *
 * @param plan The tensor.
 * @returns One entry for each part.
 */
export function planParts(
  plan: QuantizedPlan | QuantizedEntry,
): TensorPlan[] {
  const there = "parts" in plan ? plan.parts : undefined;
  const { names, parts } = specsOf(plan);
  return names.map((part) => {
    const { dtype, shape, anyLength } = parts[part];
    return {
      name: entryName(plan.format, plan.name, part),
      dtype,
      // A text that is copied is as long as it is.
      shape: anyLength && there ? there.get(part)!.shape : shape,
    };
  });
}

/** The names of the parts, in the order of {@linkcode planParts}. */
export function partNames(plan: QuantizedPlan): readonly string[] {
  return specsOf(plan).names;
}

/**
 * The name of a part as a tensor of its own.
 *
 * @param format The format of the tensor.
 * @param tensor Its name.
 * @param part The part's name in the format.
 */
export function entryName(
  { convention }: Format,
  tensor: string,
  part: string,
): string {
  const template = convention?.entries[part];
  if (template === undefined) return `${tensor}.${part}`;
  // A function: "$" in a name means nothing.
  return template.replace("{name}", () => tensor)
    .replace("{stem}", () => tensor.replace(/\.weight$/, ""));
}

interface Specs {
  readonly parts: Readonly<Record<string, PartPlan>>;
  readonly names: readonly string[];
}

/** What was asked for last: very many tensors may come with the same shape and options. */
let last: Pick<QuantizedPlan, "format" | "options" | "shape"> | undefined;
let lastSpecs: Specs | undefined;

function specsOf(
  { format, options, shape }: QuantizedPlan,
): Specs {
  const same = last?.format === format && last.options === options &&
    last.shape === shape;
  if (same) return lastSpecs!;
  const { parts } = format.layout(shape, format.resolve(options, shape));
  lastSpecs = { parts, names: Object.keys(parts) };
  last = { format, options, shape };
  return lastSpecs;
}

/**
 * The parts of a tensor, checked against what its format, shape and options say.
 *
 * @param plan The tensor.
 * @param find Finds the entry of a part.
 * @returns The entries by part.
 * @throws {RangeError} If one is missing, or of another dtype or shape.
 */
export function checkedParts(
  plan: QuantizedPlan,
  find: (part: string) => TensorEntry | undefined,
): ReadonlyMap<string, TensorEntry> {
  const parts = new Map<string, TensorEntry>();
  for (const [part, spec] of Object.entries(specsOf(plan).parts)) {
    const entry = find(part);
    if (entry === undefined) {
      throw new RangeError(`its part ${quote(part)} is not in the file`);
    }
    const fits = entry.dtype === spec.dtype &&
      (spec.anyLength
        ? entry.byteLength <= TEXT_PART_BYTES
        : entry.shape.join() === spec.shape.join());
    if (!fits) {
      throw new RangeError(
        `its part ${
          quote(part)
        } is ${entry.dtype} [${entry.shape}], not ${spec.dtype} [${spec.shape}]`,
      );
    }
    parts.set(part, entry);
  }
  return parts;
}
