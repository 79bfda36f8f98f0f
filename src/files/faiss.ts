/**
 * faiss' index files of ScalarQuantizers of 4 bits (`IndexScalarQuantizer`), read and
 * written. All numbers are little-endian.
 *
 * ```text
 * "IxSQ"  i32 d  i64 vectors  i64 2^20  i64 2^20  u8 trained  i32 metric  [f32 argument: metric > 1]
 * i32 quantizer (1 QT_4bit, 3 QT_4bit_uniform)  i32 rule  f32 argument  u64 d  u64 bytes of a code
 * u64 count  f32 × count    the ranges
 * u64 count  u8 × count     the codes
 * ```
 *
 * Source: faiss 1.15.1, `impl/index_write.cpp` and `impl/index_read.cpp`.
 *
 * @module
 */
import type { ByteWriter } from "../stream/bytes.ts";
import type { ByteSource } from "./bytes.ts";
import { Cursor } from "./cursor.ts";
import { printable, quote, unreadable } from "./errors.ts";
import type { QuantizedPlan, SortedFile } from "./parts.ts";
import { readingOf } from "./readings.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/** The first bytes of an index with a scalar quantizer. */
export const FAISS_MAGIC = "IxSQ";
/** How a file tells by what its vectors are compared. */
export const FAISS_METRIC_KEY = "faiss.metric";

/** Bytes before the ranges, the longest. */
const HEAD_BYTES = 77;
/** How many vectors faiss once made room for: written ever since, and read by nobody. */
const ROOM = 2n ** 20n;

/** By what vectors are compared. */
export type FaissMetric = "dot" | "euclidean";
/** The metrics that are written, by their numbers in `faiss::MetricType`. */
const METRICS: readonly FaissMetric[] = ["dot", "euclidean"];
/** The last metric without an argument. */
const LAST_PLAIN_METRIC = 1;

const QT_4BIT = 1, QT_4BIT_UNIFORM = 3;
/** `RS_minmax` of `faiss::ScalarQuantizer::RangeStat`. */
const MINMAX = 0;

/** What the head of a file says. */
interface Head {
  readonly columns: number;
  readonly vectors: number;
  readonly metric: number;
  readonly uniform: boolean;
  /** Where the count of the ranges is. */
  readonly end: number;
}

/**
 * Opens an index and checks it.
 *
 * @param source The file.
 * @param name What to call its tensor.
 * @returns Its vectors, one tensor of the format `faiss_qt4`.
 * @throws {SyntaxError} If it is none, or contradicts itself.
 */
export async function openFaiss(
  source: ByteSource,
  name: string,
): Promise<SortedFile> {
  try {
    const start = new Uint8Array(Math.min(HEAD_BYTES, source.size));
    await source.read(0, start);
    const head = readHead(new Cursor(start));
    const { columns, vectors, uniform, metric } = head;
    const trained = await readArray(source, head.end, {
      name: `${name}.trained`,
      dtype: "F32",
      shape: [uniform ? 2 : 2 * columns],
    });
    const codes = await readArray(source, endOf(trained), {
      name: `${name}.codes`,
      dtype: "U8",
      shape: [vectors, Math.ceil(columns / 2)],
    });
    if (endOf(codes) !== source.size) {
      throw new SyntaxError(
        `it goes on after its codes, which end at byte ${endOf(codes)}`,
      );
    }
    const reading = {
      format: "faiss_qt4",
      shape: [vectors, columns],
      options: { uniform },
      parts: { codes, trained },
    };
    return {
      container: "faiss",
      source,
      tensors: [trained, codes],
      metadata: new Map([[FAISS_METRIC_KEY, METRICS[metric] ?? `${metric}`]]),
      quantized: [readingOf(name, reading, "the index says")],
    };
  } catch (error) {
    throw unreadable(source.name, "a faiss index", error);
  }
}

function readHead(cursor: Cursor): Head {
  const kind = String.fromCharCode(...cursor.bytes(4, "its kind"));
  if (kind !== FAISS_MAGIC) {
    throw new SyntaxError(
      `its kind is ${
        quote(kind)
      }; only ${FAISS_MAGIC}, IndexScalarQuantizer, is read`,
    );
  }
  const columns = cursor.i32("the dimension");
  if (columns < 1) throw new SyntaxError(`the dimension is ${columns}`);
  const vectors = cursor.size("the number of vectors");
  cursor.bytes(16, "the head");
  const isTrained = cursor.u8("the head");
  const metric = cursor.i32("the metric");
  if (metric < 0) throw new SyntaxError(`the metric is ${metric}`);
  if (metric > LAST_PLAIN_METRIC) cursor.f32("the metric's argument");
  const type = cursor.i32("the type of the quantizer");
  if (type !== QT_4BIT && type !== QT_4BIT_UNIFORM) {
    throw new SyntaxError(
      `its quantizer is of type ${type}; only QT_4bit (1) and QT_4bit_uniform (3) are read`,
    );
  }
  cursor.bytes(8, "the rule for ranges");
  expect(cursor.size("the quantizer's dimension"), columns, "the dimension");
  const bytes = Math.ceil(columns / 2);
  expect(cursor.size("the size of a code"), bytes, "the size of a code");
  if (isTrained !== 1) {
    throw new SyntaxError(
      "it is not trained: there are no ranges, and no codes",
    );
  }
  const uniform = type === QT_4BIT_UNIFORM;
  return { columns, vectors, metric, uniform, end: cursor.at };
}

function expect(seen: number, wanted: number, what: string): void {
  if (seen === wanted) return;
  throw new SyntaxError(`${what} of the quantizer is ${seen}, not ${wanted}`);
}

/** Finds an array behind its count. */
async function readArray(
  source: ByteSource,
  at: number,
  entry: Pick<TensorEntry, "name" | "dtype" | "shape">,
): Promise<TensorEntry> {
  const count = countElements(entry.shape);
  const bytes = new Uint8Array(Math.max(0, Math.min(8, source.size - at)));
  await source.read(at, bytes);
  const what = `the count of ${quote(entry.name)}`;
  const seen = new Cursor(bytes).size(what);
  if (seen !== count) {
    throw new SyntaxError(`${what} is ${seen}, its shape takes ${count}`);
  }
  const byteLength = entry.dtype === "F32" ? 4 * count : count;
  const offset = at + 8;
  if (offset + byteLength > source.size) {
    throw new SyntaxError(
      `${
        quote(entry.name)
      } takes ${byteLength} bytes from ${offset} on, beyond the ${source.size} of the file`,
    );
  }
  return { ...entry, offset, byteLength };
}

function endOf({ offset, byteLength }: TensorEntry): number {
  return offset + byteLength;
}

/** Where everything of an index goes. */
export interface FaissPlan {
  /** Bytes of the file. */
  readonly size: number;
  /** Where a part of the tensor goes. */
  offsetOf(part: string): number;
  /** Writes all but the parts. */
  writeFrame(sink: ByteWriter): Promise<void>;
}

/** The largest dimension: faiss keeps it in 32 bits. */
const MOST_COLUMNS = 2 ** 31 - 1;

/**
 * Lays out an index.
 *
 * @param plan Its vectors, in the format `faiss_qt4`.
 * @param metric By what they are compared.
 * @returns The plan.
 * @throws {RangeError} If they are no matrix.
 */
export function planFaiss(
  { name, shape, format, options }: QuantizedPlan,
  metric: FaissMetric,
): FaissPlan {
  if (shape.length !== 2 || shape[1] > MOST_COLUMNS) {
    throw new RangeError(
      `Cannot write a faiss index: tensor ${
        quote(name)
      } is [${shape}], an index holds vectors [n, d]; write .safetensors instead`,
    );
  }
  const [vectors, columns] = shape;
  const { uniform } = format.resolve(options, shape) as { uniform: boolean };
  const bytes = Math.ceil(columns / 2), ranges = uniform ? 2 : 2 * columns;
  const head = headOf(columns, vectors, METRICS.indexOf(metric), uniform);
  const trained = head.length + 8, codes = trained + 4 * ranges + 8;
  const offsets = new Map([["trained", trained], ["codes", codes]]);
  return {
    size: codes + vectors * bytes,
    offsetOf: (part) => offsets.get(part)!,
    async writeFrame(sink): Promise<void> {
      await sink.write(0, joined(head, count(ranges)));
      await sink.write(codes - 8, count(vectors * bytes));
    },
  };
}

function headOf(
  columns: number,
  vectors: number,
  metric: number,
  uniform: boolean,
): Uint8Array {
  const magic = Uint8Array.from(FAISS_MAGIC, (c) => c.charCodeAt(0));
  return joined(
    magic,
    int(columns),
    count(vectors),
    count(Number(ROOM)),
    count(Number(ROOM)),
    Uint8Array.of(1),
    int(metric),
    int(uniform ? QT_4BIT_UNIFORM : QT_4BIT),
    int(MINMAX),
    // The argument of the rule, as a float32.
    int(0),
    count(columns),
    count(Math.ceil(columns / 2)),
  );
}

function int(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

function count(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return bytes;
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/**
 * The metric that the metadata of a file tells of.
 *
 * @param metadata The metadata.
 * @returns The metric; undefined where it says nothing.
 * @throws {RangeError} If it is one that is not written.
 */
export function faissMetricOf(
  metadata: ReadonlyMap<string, string>,
): FaissMetric | undefined {
  const told = metadata.get(FAISS_METRIC_KEY);
  const known = METRICS.find((metric) => metric === told);
  if (told === undefined || known !== undefined) return known;
  throw new RangeError(
    `Cannot write a faiss index: the metric of the input is ${
      printable(told)
    }, and only ${METRICS.join(" and ")} are written; choose one with --metric`,
  );
}
