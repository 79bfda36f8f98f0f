/**
 * The tensors of a file, plain or quantized, and their values.
 *
 * @module
 */
import { holdsValues, readFloats } from "../files/floats.ts";
import { foreignTensors, mayBeCodes } from "../files/foreign.ts";
import type { QuantizedEntry } from "../files/parts.ts";
import { sortTensors } from "../files/quantized.ts";
import { ScaledFloats, type Scales, scalesOf } from "../files/scaled_floats.ts";
import type { TensorEntry, TensorFile } from "../files/tensors.ts";
import { type GgmlLayout, ggmlLayouts, strangerId } from "../ggml/table.ts";
import { sizeOf } from "../numeric/shape.ts";
import { findFormat } from "../quantize.ts";
import { type FormatTensor, StreamTensor } from "../stream/tensor.ts";
import { swapAxes, SwappedValues } from "../stream/swapped.ts";
import { PlainValues, StoredValues, type Values } from "../stream/values.ts";
import type { Format } from "../words/format.ts";
import { GgmlBlocks } from "./ggml_blocks.ts";
import { partBytes, type PartPlan } from "../words/layout.ts";
import { areaOf, type Window } from "../words/window.ts";

/** A tensor of a file as the commands see it. */
export interface Tensor {
  /** Its name; that of the whole, where it is quantized in several parts. */
  readonly name: string;
  /** Its logical shape. */
  readonly shape: readonly number[];
  /** What to call its elements: a dtype or a format. */
  readonly dtype: string;
  /** Bytes that it takes in the file. */
  readonly byteLength: number;
  /** Where its parts are, in the order of the file; the tensor itself where it is plain. */
  readonly entries: readonly TensorEntry[];
  /** What it is quantized as. */
  readonly quantized?: QuantizedEntry;
  /** How its blocks lie, where they are of a type of ggml that is no format of this program. */
  readonly blocks?: GgmlLayout;
  /** What its values are multiplied by, where they are eight-bit floats with scales. */
  readonly scales?: Scales;
  /** The tensor whose scales these are. */
  readonly scalesOf?: string;
  /** Whether it is seen with its last two axes swapped; its shape is what is seen. */
  readonly swapped?: boolean;
  /** Why its values are not known, where another program has quantized it. */
  readonly foreign?: string;
}

/**
 * Lists the tensors of a file in the order of the file; the parts of a
 * quantized one count as one.
 *
 * @param file The opened file.
 * @param doubts Receives what cannot be told for sure, in place of an error.
 * @returns The tensors.
 * @throws {SyntaxError} If the file says of its parts what is not so.
 */
export async function tensorsOf(
  file: TensorFile,
  doubts?: string[],
): Promise<Tensor[]> {
  const doubt = doubts && (<T>(error: unknown, instead: T): T => {
    if (!(error instanceof SyntaxError)) throw error;
    doubts.push(error.message);
    return instead;
  });
  const { quantized, plain } = await sortTensors(file, doubt);
  const all = [
    ...quantized.map(quantizedTensor),
    ...await plainTensors(file, plain, quantized.length > 0),
  ];
  return all.sort((a, b) => a.entries[0].offset - b.entries[0].offset);
}

function quantizedTensor(entry: QuantizedEntry): Tensor {
  const entries = [...entry.parts.values()];
  entries.sort((a, b) => a.offset - b.offset);
  return {
    name: entry.name,
    shape: entry.shape,
    dtype: entry.format.name,
    byteLength: entries.reduce((sum, part) => sum + part.byteLength, 0),
    entries,
    quantized: entry,
  };
}

/** Plain tensors, and what belongs to some of them. */
async function plainTensors(
  file: TensorFile,
  plain: readonly TensorEntry[],
  known: boolean,
): Promise<Tensor[]> {
  const tensors = plain.map((entry) => plainTensor(entry, file));
  if (file.container !== "safetensors") return tensors;
  const config = plain.some(mayBeCodes) ? await file.config?.() : undefined;
  const byName = new Map(plain.map((entry) => [entry.name, entry]));
  const scaled = new Map<TensorEntry, Scales>();
  const weights = new Map<TensorEntry, string>();
  for (const entry of plain) {
    const scales = scalesOf(entry, (name) => byName.get(name), config);
    if (!scales) continue;
    scaled.set(entry, scales);
    weights.set(scales.entry, entry.name);
  }
  const foreign = foreignTensors(
    plain.filter((entry) => !scaled.has(entry) && !weights.has(entry)),
    known || scaled.size > 0 ? undefined : config,
  );
  return plain.map((entry, i) => ({
    ...tensors[i],
    scales: scaled.get(entry),
    scalesOf: weights.get(entry),
    foreign: foreign.get(entry),
  }));
}

function plainTensor(entry: TensorEntry, { container }: TensorFile): Tensor {
  const { name, shape, dtype, byteLength } = entry;
  const plain = { name, shape, dtype, byteLength, entries: [entry] };
  if (container !== "gguf") return plain;
  // In GGUF ggml's formats are types of elements: the only part is the tensor itself.
  const format = findFormat(dtype.toLowerCase());
  if (format) {
    const parts = new Map([["blocks", entry]]);
    return { ...plain, quantized: { name, shape, format, options: {}, parts } };
  }
  const layout = ggmlLayouts.get(dtype);
  return layout?.kind === "blocks" ? { ...plain, blocks: layout } : plain;
}

/** Whether a tensor is quantized, in a format of this program or otherwise. */
export function isQuantized({ quantized, blocks }: Tensor): boolean {
  return quantized !== undefined || blocks !== undefined;
}

/** Whether the values of a tensor can be read. */
export function hasValues(tensor: Tensor): boolean {
  return isQuantized(tensor) ||
    holdsValues(tensor.entries[0]) && tensor.foreign === undefined;
}

/** Says why the values of a tensor cannot be read. */
export function whyNoValues({ dtype, foreign, entries }: Tensor): string {
  if (foreign !== undefined) return foreign;
  if (entries[0].numbers === false) {
    return `its ${dtype} values are no floats; --dtype ${dtype.toLowerCase()} takes them as values`;
  }
  return strangerId(dtype) === undefined
    ? `its ${dtype} values are no floats`
    : `its ggml ${dtype} is not known here`;
}

/** A tensor in its format; undefined where its values are plain. */
export function inFormat({ quantized }: Tensor): FormatTensor | undefined {
  if (!quantized) return undefined;
  const { format, shape, options } = quantized;
  return { format, shape, options: format.resolve(options, shape) };
}

/** Bytes of all parts of a tensor. */
export function bytesInFormat(
  { format, shape, options }: FormatTensor,
): number {
  const plans: PartPlan[] = Object.values(format.layout(shape, options).parts);
  return plans.reduce((sum, plan) => sum + partBytes(plan), 0);
}

/**
 * A tensor as floats of a format's library lie: stacks of matrices are the transposes
 * of the codes there. ggml's files have both alike.
 *
 * @param tensor Floats that the format is made of, or codes of it.
 * @param format The format.
 * @param container What the floats are in.
 */
export function asFloatsOf(
  tensor: Tensor,
  { convention }: Format,
  container: string,
): Tensor {
  const { shape, blocks } = tensor;
  const isSwapped = convention?.swapped && shape.length === 3 && !blocks &&
    container !== "gguf";
  return isSwapped
    ? { ...tensor, shape: swapAxes(shape), swapped: true }
    : tensor;
}

/** Makes the values of a tensor readable in windows. */
export function openValues(file: TensorFile, tensor: Tensor): Values {
  if (!tensor.swapped) return valuesOf(file, tensor);
  const shape = swapAxes(tensor.shape);
  return new SwappedValues(valuesOf(file, { ...tensor, shape }), shape);
}

function valuesOf(file: TensorFile, tensor: Tensor): Values {
  const { quantized, blocks, entries, shape } = tensor;
  if (blocks) {
    const row = new GgmlBlocks(file.source, entries[0].offset, blocks);
    return new PlainValues(shape, row, blocks.blockSize);
  }
  if (tensor.scales) {
    const row = new ScaledFloats(file, entries[0], tensor.scales);
    return new PlainValues(shape, row);
  }
  if (!quantized) {
    return new PlainValues(shape, {
      read: (first, out) => readFloats(file, entries[0], first, out),
    });
  }
  const stored = new StreamTensor(inFormat(tensor)!);
  return new StoredValues(
    stored,
    file.source,
    Object.fromEntries(quantized.parts),
  );
}

/** Values of the largest window that a tensor is read in. */
export function largestRead(tensor: Tensor, capacity: number): number {
  const count = sizeOf(tensor.shape), layout = inFormat(tensor);
  return count <= capacity || !layout
    ? Math.min(count, capacity)
    : new StreamTensor(layout).largest(capacity);
}

/** Bytes of the file that a window takes. */
export function shareOf(
  { shape, byteLength }: Tensor,
  window: Window,
): number {
  const all = sizeOf(shape);
  return all === 0 ? 0 : byteLength * (areaOf(window) / all);
}
