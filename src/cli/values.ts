/**
 * The tensors of a file, plain or quantized, and their values piece by piece.
 *
 * @module
 */
import { formats } from "../formats.ts";
import { isFloat, readFloats } from "../files/floats.ts";
import { type QuantizedEntry, sortTensors } from "../files/quantized.ts";
import type { TensorEntry, TensorFile } from "../files/tensors.ts";
import { allocate } from "../kernels/engine.ts";
import { sizeOf } from "../numeric/shape.ts";
import { ARRAYS, dequantize } from "../quantize.ts";
import type { Part, Parts, PartSpec } from "../types.ts";
import {
  bothGrains,
  type Grain,
  grainOf,
  type Layout,
  partBytes,
  type PartRange,
  type Piece,
  PieceLayout,
} from "./pieces.ts";

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
}

/**
 * Lists the tensors of a file in the order of the file; the parts of a
 * quantized one count as one.
 *
 * @param file The opened file.
 * @returns The tensors.
 * @throws {SyntaxError} If the file says of its parts what is not so.
 */
export function tensorsOf(file: TensorFile): Tensor[] {
  const { quantized, plain } = sortTensors(file);
  const all = [
    ...quantized.map(quantizedTensor),
    ...plain.map((entry) => plainTensor(entry, file)),
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

function plainTensor(entry: TensorEntry, { container }: TensorFile): Tensor {
  const { name, shape, dtype, byteLength } = entry;
  // In GGUF ggml's formats are types of elements: the only part is the tensor itself.
  const format = container === "gguf"
    ? formats.get(dtype.toLowerCase())
    : undefined;
  const quantized = format &&
    { name, shape, format, options: {}, parts: new Map([["blocks", entry]]) };
  return { name, shape, dtype, byteLength, entries: [entry], quantized };
}

/** Whether the values of a tensor can be read. */
export function hasValues({ quantized, dtype }: Tensor): boolean {
  return quantized !== undefined || isFloat(dtype);
}

/** How a tensor is laid out; undefined for plain values. */
export function layoutOf({ quantized }: Tensor): Layout | undefined {
  if (!quantized) return undefined;
  const { format, shape } = quantized;
  return { format, shape, options: format.resolve(quantized.options, shape) };
}

/** Memory for the parts of one piece after another. */
export class PartsMemory {
  #memory: Float32Array = new Float32Array(0);

  /**
   * Lays arrays for these parts into the memory; what it held before is gone.
   *
   * @param specs The parts.
   * @returns The arrays; their contents are undefined.
   */
  carve(specs: Readonly<Record<string, PartSpec>>): Parts {
    const entries = Object.entries(specs);
    const room = (spec: PartSpec) => Math.ceil(partBytes(spec) / 64) * 64;
    const need = entries.reduce((sum, [, spec]) => sum + room(spec), 0);
    if (need > this.#memory.byteLength) this.#memory = allocate(need / 4);
    const { buffer, byteOffset } = this.#memory;
    let at = byteOffset;
    const parts: Record<string, Part> = {};
    for (const [name, spec] of entries) {
      parts[name] = viewPart(spec, buffer, at);
      at += room(spec);
    }
    return parts;
  }
}

/** A part whose elements lie at an offset of a buffer. */
function viewPart(
  { dtype, shape }: PartSpec,
  buffer: ArrayBufferLike,
  offset: number,
): Part {
  const View = ARRAYS[dtype] as unknown as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Part["data"];
  return { dtype, shape, data: new View(buffer, offset, sizeOf(shape)) };
}

/** Parts that lie within other parts, without a copy. */
export function viewParts(
  parts: Parts,
  ranges: Readonly<Record<string, PartRange>>,
): Parts {
  const views: Record<string, Part> = {};
  for (const [name, range] of Object.entries(ranges)) {
    const { buffer, byteOffset } = parts[name].data;
    views[name] = viewPart(range, buffer, byteOffset + range.offset);
  }
  return views;
}

/** The bytes of an array, without a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Memory that holds the values of one piece. */
export interface Slot {
  /** Room for the values of the largest piece. */
  readonly values: Float32Array;
  /** Room for its parts, where it is quantized in the file. */
  readonly parts: PartsMemory;
  /** What has to be through before the memory is used again: a write from it. */
  busy: Promise<unknown>;
}

/** A ring of slots, to read ahead. */
export function allocateSlots(count: number, values: number): Slot[] {
  return Array.from({ length: count }, () => ({
    values: allocate(values),
    parts: new PartsMemory(),
    busy: Promise.resolve(),
  }));
}

/** Lets a write from a slot run on; it surfaces where the slot is used again, and at {@linkcode settle}. */
export function leaveBusy(slot: Pick<Slot, "busy">, write: Promise<unknown>) {
  slot.busy = write;
  write.catch(() => {});
}

/** Waits for what slots are busy with. */
export async function settle(slots: readonly Pick<Slot, "busy">[]) {
  await Promise.all(slots.map(({ busy }) => busy));
}

/** Reads the values of one tensor in pieces. */
export class ValueReader {
  readonly tensor: Tensor;
  /** What pieces have to obey. */
  readonly grain: Grain;
  readonly #file: TensorFile;
  readonly #pieces: PieceLayout | undefined;

  /** Takes a tensor of a file and how many values a piece has at most. */
  constructor(file: TensorFile, tensor: Tensor, capacity: number) {
    this.#file = file;
    this.tensor = tensor;
    const layout = layoutOf(tensor);
    this.grain = grainOf(layout, capacity);
    this.#pieces = layout && new PieceLayout(layout, capacity);
  }

  /**
   * Reads a piece into a slot.
   *
   * @param piece One that obeys {@linkcode grain}.
   * @param slot Where to.
   * @returns Makes its values, which lie in the slot; may be called once.
   */
  async read(piece: Piece, slot: Slot): Promise<() => Float32Array> {
    await slot.busy;
    const values = slot.values.subarray(0, piece.count);
    const { entries, quantized } = this.tensor;
    if (!quantized) {
      await readFloats(this.#file, entries[0], piece.first, values);
      return () => values;
    }
    const ranges = this.#pieces!.parts(piece);
    const parts = slot.parts.carve(ranges);
    for (const [name, { offset }] of Object.entries(ranges)) {
      const start = quantized.parts.get(name)!.offset + offset;
      await this.#file.source.read(start, bytesOf(parts[name].data));
    }
    const options = this.#pieces!.options(), format = quantized.format.name;
    return () =>
      dequantize({ format, shape: piece.shape, options, parts }, {
        into: values,
      });
  }

  /** Bytes of the file that a piece takes. */
  bytesOf(piece: Piece): number {
    const all = sizeOf(this.tensor.shape);
    return all === 0 ? 0 : this.tensor.byteLength * (piece.count / all);
  }
}

/** What pieces have to obey to suit several tensors. */
export function grainOfAll(grains: readonly Grain[]): Grain {
  return grains.reduce(bothGrains);
}
