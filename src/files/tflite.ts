/**
 * Reads TensorFlow Lite models: the tensors that have buffers, and those of 4 bits by
 * their quantization.
 *
 * ```text
 * Model         2 subgraphs  4 buffers
 * SubGraph      0 tensors
 * Tensor        0 shape  1 type  2 buffer  3 name  4 quantization  6 sparsity
 * Buffer        0 data   1 offset  2 size: of data behind the flatbuffer
 * Quantization  2 scale (float32)  3 zero_point (int64)  4 kind of details (2 blocks)  5 details
 *               6 dimension of the scales
 * Blocks        0 tensor of scales  1 tensor of zero points  2 block size
 * ```
 *
 * Source: LiteRT 2.3.0, `schema.fbs`.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { quote, unreadable } from "./errors.ts";
import { Flatbuffer, type Table, type Vector } from "./flatbuffer.ts";
import { TENSOR_COUNT, TENSOR_RANK, TFLITE_NAME_BYTES } from "./limits.ts";
import type { QuantizedEntry, SortedFile } from "./parts.ts";
import { readingOf, Unread } from "./readings.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/** What a model has at its fifth byte. */
export const TFLITE_MAGIC = "TFL3";

/** Element types by their numbers in `TensorType`: what the rest of the program calls them, and their bits. */
const TYPES: readonly (readonly [dtype: string, bits: number])[] = [
  ["F32", 32],
  ["F16", 16],
  ["I32", 32],
  ["U8", 8],
  ["I64", 64],
  ["STRING", 0],
  ["BOOL", 8],
  ["I16", 16],
  ["C64", 64],
  ["I8", 8],
  ["F64", 64],
  ["C128", 128],
  ["U64", 64],
  ["RESOURCE", 0],
  ["VARIANT", 0],
  ["U32", 32],
  ["U16", 16],
  ["I4", 4],
  ["BF16", 16],
  ["I2", 2],
  ["U4", 4],
];

/** `BlockwiseQuantization` in the union of details. */
const BLOCKWISE = 2;

/** Bytes of a table and of the offset that leads to it, the least. */
const TABLE_BYTES = 8;

/** A tensor of the model; without an entry where it has no buffer. */
interface Item {
  readonly table: Table;
  readonly name: string;
  readonly entry?: TensorEntry;
}

/**
 * Opens a model and checks it.
 *
 * @param source The file.
 * @returns Its constants; those of 4 bits are tensors of the format `tflite`.
 * @throws {SyntaxError} If it is none, or contradicts itself.
 * @throws {RangeError} If it goes beyond a limit.
 */
export async function openTflite(source: ByteSource): Promise<SortedFile> {
  try {
    const reader = new ModelReader(source);
    await reader.read();
    const { tensors, quantized, bound } = reader;
    return {
      container: "tflite",
      source,
      tensors,
      metadata: new Map(),
      quantized,
      bound,
    };
  } catch (error) {
    throw unreadable(source.name, "TensorFlow Lite", error);
  }
}

class ModelReader {
  readonly tensors: TensorEntry[] = [];
  readonly quantized: QuantizedEntry[] = [];
  readonly bound = new Map<string, string>();
  readonly #source: ByteSource;
  readonly #buffer: Flatbuffer;
  readonly #names = new Set<string>();
  #seen = 0;
  #buffers: Vector = { start: 0, count: 0 };

  constructor(source: ByteSource) {
    this.#source = source;
    this.#buffer = new Flatbuffer(source);
  }

  async read(): Promise<void> {
    const magic = new Uint8Array(4);
    if (this.#source.size >= 8) await this.#source.read(4, magic);
    if (String.fromCharCode(...magic) !== TFLITE_MAGIC) {
      throw new SyntaxError(`it has no ${TFLITE_MAGIC} at its fifth byte`);
    }
    const model = await this.#buffer.root();
    this.#buffers = await model.vector(4, 4, "the buffers");
    const graphs = await model.vector(2, 4, "the graphs");
    for (let g = 0; g < graphs.count; g++) {
      const what = `graph ${g}`;
      const graph = await this.#buffer.table(graphs.start + 4 * g, what);
      await this.#readGraph(graph, what);
    }
  }

  async #readGraph(graph: Table, what: string): Promise<void> {
    const { start, count } = await graph.vector(
      0,
      4,
      `the tensors of ${what}`,
    );
    // Graphs that share their tensors would make very many of few bytes.
    this.#seen += count + 1;
    const most = Math.min(TENSOR_COUNT, this.#source.size / TABLE_BYTES);
    if (this.#seen > most) {
      throw new RangeError(
        `with ${what} it has more than ${
          Math.floor(most)
        } graphs and tensors, the limit for its size`,
      );
    }
    const items: Item[] = [];
    for (let i = 0; i < count; i++) {
      items.push(
        await this.#readTensor(start + 4 * i, `tensor ${i} of ${what}`),
      );
    }
    for (const item of items) await this.#findWeight(item, items);
  }

  async #readTensor(place: number, what: string): Promise<Item> {
    const table = await this.#buffer.table(place, what);
    const name = await table.text(3, TFLITE_NAME_BYTES);
    const data = await this.#dataOf(await table.number(2, "u32", 0), what);
    if (!data) return { table, name };
    const type = await table.number(1, "u8", 0);
    const [dtype, bits] = TYPES[type] ?? [];
    if (dtype === undefined || bits === undefined) {
      throw new SyntaxError(`${what} is of the unknown type ${type}`);
    }
    const shape = await this.#shapeOf(table, what);
    const byteLength = bits === 0
      ? data.count
      : Math.ceil(countElements([...shape, bits]) / 8);
    if (byteLength !== data.count) {
      throw new SyntaxError(
        `${what}, ${
          quote(name)
        }, takes ${byteLength} bytes, but its buffer has ${data.count}`,
      );
    }
    const unique = this.#unique(name, what);
    const entry = {
      name: unique,
      dtype,
      shape,
      offset: data.start,
      byteLength,
    };
    this.tensors.push(entry);
    return { table, name: unique, entry };
  }

  /** Names of several graphs may be the same, and some are empty. */
  #unique(name: string, what: string): string {
    const isFree = name !== "" && !this.#names.has(name);
    const unique = isFree ? name : `${name} (${what})`;
    if (this.#names.has(unique)) {
      throw new SyntaxError(`two tensors have the name ${quote(unique)}`);
    }
    this.#names.add(unique);
    return unique;
  }

  /** The bytes of a buffer; undefined where it has none, as those of values that are computed. */
  async #dataOf(number: number, what: string): Promise<Vector | undefined> {
    if (number === 0) return undefined;
    if (number >= this.#buffers.count) {
      throw new SyntaxError(
        `${what} is in buffer ${number}, and there are ${this.#buffers.count}`,
      );
    }
    const called = `buffer ${number}`;
    const buffer = await this.#buffer.table(
      this.#buffers.start + 4 * number,
      called,
    );
    const data = await buffer.vector(0, 1, called);
    if (data.count > 0) return data;
    const start = await buffer.number(1, "u64", 0);
    const count = await buffer.number(2, "u64", 0);
    // An offset of one stands for data that is not there yet.
    if (start < 2 || count === 0) return undefined;
    if (start + count <= this.#source.size) return { start, count };
    throw new SyntaxError(
      `${called} has ${count} bytes from ${start} on, beyond the ${this.#source.size} of the file`,
    );
  }

  async #shapeOf(table: Table, what: string): Promise<number[]> {
    const { start, count } = await table.vector(0, 4, `the shape of ${what}`);
    if (count > TENSOR_RANK) {
      throw new RangeError(
        `${what} has ${count} dimensions, above the limit of ${TENSOR_RANK}`,
      );
    }
    const shape: number[] = [];
    for (let i = 0; i < count; i++) {
      shape.push(await this.#buffer.i32(start + 4 * i, what));
    }
    return shape;
  }

  async #findWeight(
    { table, name, entry }: Item,
    items: readonly Item[],
  ): Promise<void> {
    if (entry?.dtype !== "I4" && entry?.dtype !== "U4") return;
    try {
      this.quantized.push(await this.#readWeight(table, name, entry, items));
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      this.bound.set(name, error.message);
    }
  }

  async #readWeight(
    table: Table,
    name: string,
    weight: TensorEntry,
    items: readonly Item[],
  ): Promise<QuantizedEntry> {
    if (weight.dtype !== "I4") throw new Unread("its codes have no sign");
    if (await table.place(6) !== undefined) throw new Unread("it is sparse");
    const what = `the quantization of ${quote(name)}`;
    const quantization = await table.table(4, what);
    if (!quantization) throw new Unread("it is not quantized");
    const kind = await quantization.number(4, "u8", 0);
    const details = kind === 0 ? undefined : await quantization.table(5, what);
    const { options, parts } = details
      ? await this.#readBlocks(kind, details, items)
      : await this.#readScales(quantization, weight, what);
    const { shape } = weight;
    const reading = {
      format: "tflite",
      shape,
      options,
      parts: { weight, ...parts },
    };
    return readingOf(name, reading, "its quantization says");
  }

  async #readBlocks(kind: number, details: Table, items: readonly Item[]) {
    if (kind !== BLOCKWISE) {
      throw new Unread(`its quantization is of the kind ${kind}, custom`);
    }
    const scale = items[await details.number(0, "i32", 0)]?.entry;
    const zeros = items[await details.number(1, "i32", 0)]?.entry;
    const granularity = await details.number(2, "i32", 0);
    if (zeros) throw new Unread("its blocks have zero points");
    if (scale?.dtype !== "F16") {
      throw new Unread(
        `the scales of its blocks are ${scale?.dtype ?? "none"}, not F16`,
      );
    }
    const options = { granularity, symmetric: true };
    return { options, parts: { scale } };
  }

  async #readScales(
    quantization: Table,
    { name, shape }: TensorEntry,
    what: string,
  ) {
    const scales = await quantization.vector(2, 4, what);
    const zeros = await quantization.vector(3, 8, what);
    const { count } = scales;
    const isOne = count === 1;
    const axis = await quantization.number(6, "i32", 0);
    if (!isOne && count !== shape[axis]) {
      throw new Unread(
        `it has ${count} scales along axis ${axis} of [${shape}]`,
      );
    }
    if (zeros.count !== 0 && zeros.count !== count) {
      throw new SyntaxError(
        `${what} has ${count} scales and ${zeros.count} zero points`,
      );
    }
    const symmetric = await this.#isZero(zeros);
    const part = (dtype: string, at: Vector, size: number) => ({
      // No tensor of its own.
      name,
      dtype,
      shape: [count],
      offset: at.start,
      byteLength: count * size,
    });
    const options = isOne
      ? { granularity: "tensor" }
      : { granularity: "channel", axis };
    return {
      options: { ...options, symmetric },
      parts: {
        scale: part("F32", scales, 4),
        zero_point: symmetric ? undefined : part("I64", zeros, 8),
      },
    };
  }

  /** Whether a vector of 64-bit integers holds nothing but zeros. */
  async #isZero({ start, count }: Vector): Promise<boolean> {
    const chunk = new Uint8Array(Math.min(count * 8, 64 * 1024));
    for (let at = 0; at < count * 8; at += chunk.length) {
      const some = chunk.subarray(0, count * 8 - at);
      await this.#source.read(start + at, some);
      if (some.some((byte) => byte !== 0)) return false;
    }
    return true;
  }
}
