/**
 * Reads Lucene's quantized vectors of 4 bits: `.veq` has their records, `.vemq` beside it
 * says where those of each field are.
 *
 * ```text
 * either     3f d7 6c 17  codec: length, text  version: 32 bits, big-endian  segment: 16 bytes
 *            suffix: length, text  …  c0 28 93 e8 and 12 bytes more
 * .veq       the records of each field: codes, and a float32 by which scores are corrected
 * .vemq      of each field, little-endian:
 *            i32 field  i32 encoding (1 float32)  i32 similarity  varint offset  varint length
 *            varint dimension  i32 count
 *            where there are vectors: f32 confidence  u8 bits  u8 compress  f32 lower  f32 upper
 *            i64 documents (−1 all, −2 none, else a place)  i64 length  i16  u8
 *            where only some have vectors: i64 start  varint shift
 *            for each 2^shift vectors: i64 f32 i64 u8   and  i64 length
 *            i32 −1 ends them
 * ```
 *
 * Names of fields are in another file of the segment (`.fnm`, or inside `.cfs`): here a
 * field is called by its number.
 *
 * Source: Lucene 9.12.1, `Lucene99ScalarQuantizedVectorsWriter`,
 * `OrdToDocDISIReaderConfiguration`, `CodecUtil`.
 *
 * @module
 */
import { extname } from "node:path";
import type { ByteSource } from "./bytes.ts";
import { Cursor } from "./cursor.ts";
import { quote, unreadable } from "./errors.ts";
import { memorySource, openFile } from "./file_source.ts";
import { joinSources } from "./joined_source.ts";
import { LUCENE_META_BYTES } from "./limits.ts";
import type { QuantizedEntry, SortedFile } from "./parts.ts";
import { readingOf } from "./readings.ts";
import { recordsSource } from "./records_source.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/** The first bytes of any file of Lucene's. */
export const LUCENE_MAGIC: readonly number[] = [0x3f, 0xd7, 0x6c, 0x17];
const FOOTER_MAGIC: readonly number[] = [0xc0, 0x28, 0x93, 0xe8];
const FOOTER_BYTES = 16;
/** Bytes of a head, the longest: codec and suffix have at most 127 and 255. */
const HEAD_BYTES = 4 + 1 + 127 + 4 + 16 + 1 + 255;

/** What the heads of the two files call their codec. */
const CODECS = {
  ".veq": "Lucene99ScalarQuantizedVectorsFormatData",
  ".vemq": "Lucene99ScalarQuantizedVectorsFormatMeta",
} as const;

/** `VectorSimilarityFunction`, in the order of its numbers. */
const SIMILARITIES = [
  "euclidean",
  "dot_product",
  "cosine",
  "maximum_inner_product",
] as const;

/** `VectorEncoding.FLOAT32`. */
const FLOAT32 = 1;
/** The version since which files tell how many bits codes have. */
const VERSION_WITH_BITS = 1;

/** What a file says of a field. */
interface Field {
  readonly number: number;
  readonly similarity: typeof SIMILARITIES[number];
  readonly offset: number;
  readonly dimension: number;
  readonly count: number;
  readonly compress: boolean;
  /** The bytes of both quantiles. */
  readonly quantiles: Uint8Array;
}

/** A file with its head read. */
interface Opened {
  readonly source: ByteSource;
  /** Where the head ends. */
  readonly start: number;
  /** Where the footer starts. */
  readonly end: number;
  readonly version: number;
  /** Segment and suffix, which two files of a kind share. */
  readonly segment: string;
}

/**
 * Opens the vectors of a segment and checks them.
 *
 * @param source Either file.
 * @param path Where it is: the other one lies beside it.
 * @param open Opens that file.
 * @returns A tensor of the format `lucene99` for each field that has vectors.
 * @throws {SyntaxError} If they are none, or contradict each other.
 */
export async function openLucene(
  source: ByteSource,
  path?: string,
  open: (path: string) => Promise<ByteSource> = openFile,
): Promise<SortedFile> {
  const opened: ByteSource[] = [];
  try {
    const ending = extname(path ?? "").toLowerCase();
    if (path === undefined || !(ending in CODECS)) {
      throw new SyntaxError(
        "its vectors are in two files, .veq and .vemq: pass the path of one of them, with the other beside it",
      );
    }
    const other = path.slice(0, -ending.length) +
      (ending === ".veq" ? ".vemq" : ".veq");
    const beside = await open(other);
    opened.push(beside);
    const [data, meta] = ending === ".veq"
      ? [source, beside]
      : [beside, source];
    const vectors = await openHead(data, ".veq");
    const fields = await readMeta(await openHead(meta, ".vemq"), vectors);
    const { quantized, all } = tensorsOf(fields, vectors, [source, beside]);
    return {
      container: "lucene",
      source: all,
      tensors: quantized.flatMap(({ parts }) => [...parts.values()]),
      metadata: new Map(),
      quantized,
      paths: [path, other],
    };
  } catch (error) {
    for (const one of opened) await one.close();
    throw unreadable(source.name, "vectors of Lucene", error);
  }
}

async function openHead(
  source: ByteSource,
  ending: keyof typeof CODECS,
): Promise<Opened> {
  const bytes = new Uint8Array(Math.min(HEAD_BYTES, source.size));
  await source.read(0, bytes);
  const cursor = new Cursor(bytes);
  const text = (length: number, what: string) =>
    String.fromCharCode(...cursor.bytes(length, what));
  if (!isSame(cursor.bytes(4, "the head"), LUCENE_MAGIC)) {
    throw new SyntaxError(`its ${ending} does not start as files of Lucene do`);
  }
  const length = cursor.u8("the codec's name");
  const codec = length < 128 ? text(length, "the codec's name") : "";
  if (codec !== CODECS[ending]) {
    throw new SyntaxError(
      `its ${ending} is of the codec ${quote(codec)}; only ${
        CODECS[ending]
      } is read`,
    );
  }
  // Big-endian, as nothing after the head is.
  const version = new DataView(cursor.bytes(4, "the version").slice().buffer)
    .getInt32(0);
  if (version !== VERSION_WITH_BITS) {
    throw new SyntaxError(
      `its version is ${version}; only ${VERSION_WITH_BITS}, which has 4 bits, is read`,
    );
  }
  const segment = text(16, "the segment") +
    text(cursor.u8("the suffix"), "the suffix");
  const end = source.size - FOOTER_BYTES;
  const footer = new Uint8Array(FOOTER_MAGIC.length);
  if (end >= cursor.at) await source.read(end, footer);
  if (!isSame(footer, FOOTER_MAGIC)) {
    throw new SyntaxError(`its ${ending} is cut off: there is no footer`);
  }
  return { source, start: cursor.at, end, version, segment };
}

function isSame(bytes: Uint8Array, wanted: readonly number[]): boolean {
  return wanted.every((byte, i) => byte === bytes[i]);
}

async function readMeta(meta: Opened, vectors: Opened): Promise<Field[]> {
  if (meta.segment !== vectors.segment) {
    throw new SyntaxError("its .veq and .vemq are of different segments");
  }
  const length = meta.end - meta.start;
  if (length > LUCENE_META_BYTES) {
    throw new RangeError(
      `its .vemq has ${length} bytes, above the limit of ${LUCENE_META_BYTES}`,
    );
  }
  const bytes = new Uint8Array(length);
  await meta.source.read(meta.start, bytes);
  const cursor = new Cursor(bytes), fields: Field[] = [];
  const seen = new Set<number>();
  for (;;) {
    const number = cursor.i32("the number of a field");
    if (number === -1) break;
    if (number < 0 || seen.has(number)) {
      throw new SyntaxError(
        `field ${number} is ${number < 0 ? "none" : "there twice"}`,
      );
    }
    seen.add(number);
    const field = readField(cursor, number, vectors);
    if (field) fields.push(field);
  }
  if (cursor.at !== length) {
    throw new SyntaxError("its .vemq goes on after the last field");
  }
  return fields;
}

/** Reads a field; undefined where it has no vectors. */
function readField(
  cursor: Cursor,
  number: number,
  { start, end }: Opened,
): Field | undefined {
  const what = `field ${number}`;
  const encoding = cursor.i32(what);
  const similarity = SIMILARITIES[cursor.i32(what)];
  if (encoding !== FLOAT32 || similarity === undefined) {
    throw new SyntaxError(`${what} has vectors of an unknown kind`);
  }
  const offset = cursor.varint(what), length = cursor.varint(what);
  const dimension = cursor.varint(what), count = cursor.i32(what);
  if (count < 0) throw new SyntaxError(`${what} has ${count} vectors`);
  let bits = 4, compress = 0, quantiles: Uint8Array = new Uint8Array(0);
  if (count > 0) {
    // How quantiles were chosen.
    cursor.f32(what);
    bits = cursor.u8(what);
    compress = cursor.u8(what);
    quantiles = cursor.bytes(8, what);
  }
  passDocuments(cursor, count, what);
  if (count === 0) return undefined;
  if (bits !== 4) {
    throw new SyntaxError(`${what} has codes of ${bits} bits; only 4 are read`);
  }
  if (compress > 1) throw new SyntaxError(`${what} has no plain compression`);
  const record = recordBytes(dimension, compress === 1);
  if (countElements([count, record]) !== length) {
    throw new SyntaxError(
      `${what} has ${length} bytes for ${count} records of ${record}`,
    );
  }
  if (offset < start || offset + length > end) {
    throw new SyntaxError(
      `${what} is at bytes ${offset} to ${
        offset + length
      }, vectors are from ${start} to ${end}`,
    );
  }
  return {
    number,
    similarity,
    offset,
    dimension,
    count,
    compress: compress === 1,
    quantiles,
  };
}

/** Which documents have the vectors: their order is that of the documents. */
function passDocuments(cursor: Cursor, count: number, what: string): void {
  const place = cursor.i64(what);
  cursor.bytes(8 + 2 + 1, what);
  if (place < 0n) return;
  cursor.bytes(8, what);
  const shift = cursor.varint(what);
  if (shift > 31) throw new SyntaxError(`${what} has blocks of 2^${shift}`);
  cursor.bytes(Math.ceil(count / 2 ** shift) * 21, what);
  cursor.bytes(8, what);
}

function codeBytes(dimension: number, compress: boolean): number {
  return compress ? Math.ceil(dimension / 2) : dimension;
}

function recordBytes(dimension: number, compress: boolean): number {
  return codeBytes(dimension, compress) + 4;
}

/** Fields as tensors: the records taken apart, so that each part lies together. */
function tensorsOf(
  fields: readonly Field[],
  { source }: Opened,
  files: readonly ByteSource[],
): { quantized: QuantizedEntry[]; all: ByteSource } {
  const views: ByteSource[] = [];
  const entries: Record<string, TensorEntry>[] = [];
  let at = 0;
  for (const field of fields) {
    const { number, offset, dimension, count, compress, quantiles } = field;
    const width = codeBytes(dimension, compress);
    const records = { first: offset, count, stride: width + 4 };
    const place = (
      part: string,
      dtype: string,
      shape: readonly number[],
      view: ByteSource,
    ): TensorEntry => {
      const entry = {
        name: `field_${number}.${part}`,
        dtype,
        shape,
        offset: at,
        byteLength: view.size,
      };
      views.push(view);
      at += view.size;
      return entry;
    };
    const quantile = (from: number) =>
      memorySource(quantiles.slice(from, from + 4), source.name);
    entries.push({
      codes: place(
        "codes",
        "U8",
        [count, width],
        recordsSource(source, { ...records, from: 0, length: width }),
      ),
      corrections: place(
        "corrections",
        "F32",
        [count],
        recordsSource(source, { ...records, from: width, length: 4 }),
      ),
      lower_quantile: place("lower_quantile", "F32", [], quantile(0)),
      upper_quantile: place("upper_quantile", "F32", [], quantile(4)),
    });
  }
  const quantized = fields.map((field, i) => {
    const { number, count, dimension, similarity, compress } = field;
    const reading = {
      format: "lucene99",
      shape: [count, dimension],
      options: { similarity, compress },
      parts: entries[i],
    };
    return readingOf(`field_${number}`, reading, "its .vemq says");
  });
  const { source: joined } = joinSources(source.name, views);
  const all: ByteSource = {
    name: joined.name,
    size: joined.size,
    read: (offset, into) => joined.read(offset, into),
    async close(): Promise<void> {
      for (const file of files) await file.close();
    },
  };
  return { quantized, all };
}
