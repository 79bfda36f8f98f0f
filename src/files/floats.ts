/**
 * Values of a tensor as float32, whatever the file holds, and back.
 *
 * Any range of values in logical (row-major) order, in memory that does not
 * depend on the size of the tensor.
 *
 * @module
 */
import { decodeBf16 } from "../numeric/bf16.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { decodeF16 } from "../numeric/f16.ts";
import { decodeFloat8, type Float8Dtype, isFloat8 } from "../numeric/float8.ts";
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import { encodeHalves, type HalfDtype } from "./halves.ts";
import { bytesOf } from "../stream/memory.ts";
import { readAhead, steps } from "../stream/pipeline.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** The dtypes that values can be written as. */
export type EncodedDtype = HalfDtype | "F32";

/** The dtypes whose values can be read as float32. */
export type FloatDtype = EncodedDtype | "F64" | Float8Dtype;

const WIDE: ReadonlySet<string> = new Set(["F16", "BF16", "F32", "F64"]);

/** Values that one step reads where file order differs from logical order, or of float64. */
const STEP_VALUES = 1 << 16;
/** Values between two runs that are cheaper to read along than to leave out by a second read. */
const GAP_VALUES = 1 << 14;
const STEPS_AHEAD = 4;
/** Rows that are filled together, so that their cache lines stay at hand. */
const TILE_ROWS = 32;

/**
 * Tells whether values of a dtype can be read as float32, and so quantized.
 *
 * @param dtype A dtype as a container spells it.
 * @returns Whether {@linkcode readFloats} takes it.
 */
export function isFloat(dtype: string): dtype is FloatDtype {
  return WIDE.has(dtype) || isFloat8(dtype);
}

/** The dtypes whose elements can be taken as values where a caller says so. */
type NumberDtype = "I8" | "U8";

/** What values are read from. */
type ValueDtype = FloatDtype | NumberDtype;

/** Whether the values of a tensor can be read: it holds floats, or integers that are taken as such. */
export function holdsValues(
  { dtype, numbers }: Pick<TensorEntry, "dtype" | "numbers">,
): boolean {
  return isFloat(dtype) || numbers === true;
}

/**
 * Reads consecutive values of a tensor as float32.
 *
 * Row-major float32 goes straight into `out`; narrower floats are decoded there
 * in place; float64 is rounded once, by way of half a MiB. Bytes are read as
 * they lie: JavaScript runs on little-endian machines.
 *
 * In Fortran order consecutive values lie a column apart. A range of `r` whole
 * rows of a matrix takes one read of `r` values for each column (short gaps are
 * read along), through 1 MiB of buffers: give it as many rows as memory allows.
 *
 * @param file The opened file.
 * @param entry One of its tensors.
 * @param first Index of the first value in row-major order.
 * @param out Receives as many values as it has room for.
 * @throws {RangeError} If the dtype is no float, or the tensor has not so many values.
 */
export async function readFloats(
  file: Pick<TensorFile, "source">,
  entry: TensorEntry,
  first: number,
  out: Float32Array,
): Promise<void> {
  const { dtype } = entry;
  if (!holdsValues(entry)) {
    throw new RangeError(
      `Cannot read tensor ${quote(entry.name)} as floats: its dtype is ${
        quote(dtype)
      }`,
    );
  }
  const count = entry.byteLength / dtypeBytes(dtype);
  if (!Number.isSafeInteger(first) || first < 0 || first + out.length > count) {
    throw new RangeError(
      `Cannot read values ${first} to ${first + out.length} of tensor ${
        quote(entry.name)
      }: ` +
        `it has ${count}`,
    );
  }
  const values = { source: file.source, entry, dtype: dtype as ValueDtype };
  if (entry.fortranOrder) await readFortran(values, first, out);
  else await readInFileOrder(values, first, out);
}

/** Values of a tensor in the order of the file. */
interface FileValues {
  source: ByteSource;
  entry: TensorEntry;
  dtype: ValueDtype;
}

async function readInFileOrder(
  values: FileValues,
  first: number,
  out: Float32Array,
) {
  if (values.dtype === "F64") return await readF64(values, first, out);
  const { source, entry, dtype } = values;
  const bytes = backOf(out, dtype);
  await source.read(entry.offset + first * dtypeBytes(dtype), bytes);
  decodeBack(entry, dtype, bytes, out);
}

/** The last bytes of `out`, where narrow floats go: decoding forwards never overtakes them. */
function backOf(out: Float32Array, dtype: ValueDtype): Uint8Array {
  const bytes = out.length * dtypeBytes(dtype);
  return new Uint8Array(
    out.buffer,
    out.byteOffset + out.byteLength - bytes,
    bytes,
  );
}

/** Decodes what lies at the back of `out`. */
function decodeBack(
  { bigEndian }: TensorEntry,
  dtype: ValueDtype,
  bytes: Uint8Array,
  out: Float32Array,
): void {
  if (bigEndian) swapBytes(bytes, dtypeBytes(dtype));
  if (dtype === "F32") return;
  if (isFloat8(dtype)) return decodeFloat8(bytes, dtype, out);
  if (dtype === "I8" || dtype === "U8") return decodeBytes(bytes, dtype, out);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, out.length);
  (dtype === "F16" ? decodeF16 : decodeBf16)(bits, out);
}

/** Forwards, like the others: the bytes lie at the back of `out`. */
function decodeBytes(
  bytes: Uint8Array,
  dtype: NumberDtype,
  out: Float32Array,
): void {
  const numbers = dtype === "U8"
    ? bytes
    : new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < out.length; i++) out[i] = numbers[i];
}

/** Whether {@linkcode decodeFloats} takes a tensor: its values lie in their order, no wider than float32. */
export function isDecodable({ dtype, fortranOrder }: TensorEntry): boolean {
  return isFloat(dtype) && dtype !== "F64" && !fortranOrder;
}

/**
 * Decodes a tensor whose bytes are in memory.
 *
 * @param entry The tensor, one that {@linkcode isDecodable}.
 * @param bytes All of its bytes; not changed.
 * @param out Receives its values.
 */
export function decodeFloats(
  entry: TensorEntry,
  bytes: Uint8Array,
  out: Float32Array,
): void {
  const dtype = entry.dtype as FloatDtype;
  const back = backOf(out, dtype);
  back.set(bytes);
  decodeBack(entry, dtype, back, out);
}

async function readF64(
  { source, entry }: FileValues,
  first: number,
  out: Float32Array,
) {
  const scratch = new Float64Array(Math.min(out.length, STEP_VALUES));
  for (const at of steps(0, out.length, STEP_VALUES)) {
    const doubles = scratch.subarray(0, Math.min(STEP_VALUES, out.length - at));
    const bytes = new Uint8Array(doubles.buffer, 0, doubles.byteLength);
    await source.read(entry.offset + (first + at) * 8, bytes);
    if (entry.bigEndian) swapBytes(bytes, 8);
    out.set(doubles, at);
  }
}

/** Reverses every `width` bytes. */
function swapBytes(bytes: Uint8Array, width: number): void {
  if (width === 2) {
    const halves = new Uint16Array(
      bytes.buffer,
      bytes.byteOffset,
      bytes.length / 2,
    );
    for (let i = 0; i < halves.length; i++) {
      halves[i] = (halves[i] << 8) | (halves[i] >>> 8);
    }
    return;
  }
  const words = new Uint32Array(
    bytes.buffer,
    bytes.byteOffset,
    bytes.length / 4,
  );
  for (let i = 0; i < words.length; i++) words[i] = reverseWord(words[i]);
  if (width === 8) {
    for (let i = 0; i < words.length; i += 2) {
      [words[i], words[i + 1]] = [words[i + 1], words[i]];
    }
  }
}

function reverseWord(word: number): number {
  const swapped = ((word & 0x00ff00ff) << 8) | ((word >>> 8) & 0x00ff00ff);
  return (swapped << 16) | (swapped >>> 16);
}

/** A run of values that are neighbours in the file and a fixed step apart in `out`. */
interface Run {
  /** Index of its first value in the file. */
  at: number;
  /** Where that goes in `out`. */
  to: number;
  /** How many values it has. */
  length: number;
}

async function readFortran(
  values: FileValues,
  first: number,
  out: Float32Array,
) {
  const { shape } = values.entry;
  const step = product(shape.slice(1));
  const buffers = Array.from(
    { length: STEPS_AHEAD },
    () => new Float32Array(STEP_VALUES),
  );
  const groups = groupRuns(fortranRuns(shape, first, first + out.length));
  const reads = readAhead(groups, buffers, async (runs, buffer) => {
    const last = runs[runs.length - 1];
    const span = buffer.subarray(0, last.at + last.length - runs[0].at);
    await readInFileOrder(values, runs[0].at, span);
    return { runs, span };
  });
  for await (const { runs, span } of reads) scatter(runs, span, step, out);
}

function scatter(
  runs: readonly Run[],
  span: Float32Array,
  step: number,
  out: Float32Array,
) {
  const longest = runs.reduce((length, run) => Math.max(length, run.length), 0);
  for (let row = 0; row < longest; row += TILE_ROWS) {
    for (const run of runs) {
      const end = Math.min(row + TILE_ROWS, run.length);
      const from = run.at - runs[0].at;
      for (let i = row; i < end; i++) out[run.to + i * step] = span[from + i];
    }
  }
}

/** Joins runs that one read of a step can fetch. */
function* groupRuns(runs: Iterable<Run>): Generator<Run[], void> {
  let group: Run[] = [];
  let end = 0;
  for (const run of runs) {
    const apart = group.length > 0 &&
      (run.at < end || run.at - end > GAP_VALUES ||
        run.at + run.length - group[0].at > STEP_VALUES);
    if (apart) {
      yield group;
      group = [];
    }
    group.push(run);
    end = run.at + run.length;
  }
  if (group.length > 0) yield group;
}

/** The runs of a row-major range in a column-major file, none longer than a step. */
function* fortranRuns(
  shape: readonly number[],
  first: number,
  end: number,
): Generator<Run, void> {
  for (const box of boxes(shape, first, end)) {
    const { from, to } = box;
    for (const index of columns(box)) {
      for (const row of steps(from[0], to[0], STEP_VALUES)) {
        index[0] = row;
        const at = index.reduceRight(
          (sum, i, axis) => sum * shape[axis] + i,
          0,
        );
        const logical = index.reduce(
          (sum, i, axis) => sum * shape[axis] + i,
          0,
        );
        const length = Math.min(STEP_VALUES, to[0] - row);
        yield { at, to: logical - first, length };
      }
    }
  }
}

interface Box {
  /** First index on each axis. */
  from: number[];
  /** Index behind the last on each axis. */
  to: number[];
}

/** Cuts a row-major range into boxes: at most two for each axis, and one. */
function* boxes(
  shape: readonly number[],
  first: number,
  end: number,
  prefix: readonly number[] = [],
): Generator<Box, void> {
  if (first >= end) return;
  const size = product(shape.slice(prefix.length + 1));
  const whole = { from: Math.ceil(first / size), to: Math.floor(end / size) };
  const within = (index: number, a: number, b: number) =>
    boxes(shape, a - index * size, b - index * size, [...prefix, index]);
  const head = Math.floor(first / size);
  if (head < whole.from) {
    yield* within(head, first, Math.min(end, whole.from * size));
  }
  if (whole.from < whole.to) {
    const rest = shape.slice(prefix.length + 1);
    yield {
      from: [...prefix, whole.from, ...rest.map(() => 0)],
      to: [...prefix.map((index) => index + 1), whole.to, ...rest],
    };
  }
  if (whole.to >= whole.from && whole.to * size < end) {
    yield* within(whole.to, whole.to * size, end);
  }
}

/** Every index of a box with the first axis left at its start, in the order of the file. */
function* columns({ from, to }: Box): Generator<number[], void> {
  const index = [...from];
  for (;;) {
    yield index;
    let axis = 1;
    while (axis < index.length && ++index[axis] === to[axis]) {
      index[axis] = from[axis];
      axis++;
    }
    if (axis >= index.length) return;
  }
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/**
 * Encodes values as the bytes of a dtype, little-endian, rounded half to even.
 *
 * @param values The values.
 * @param dtype What to encode them as.
 * @param into Memory for float16 and bfloat16, at least as long as `values`.
 * @returns The bytes; of float32 a view of `values`, not a copy.
 */
export function encodeFloats(
  values: Float32Array,
  dtype: EncodedDtype,
  into: Uint16Array = new Uint16Array(dtype === "F32" ? 0 : values.length),
): Uint8Array {
  if (dtype === "F32") return bytesOf(values);
  if (into.length < values.length) {
    throw new RangeError(
      `Cannot encode ${values.length} values into room for ${into.length}`,
    );
  }
  encodeHalves(values, dtype, into);
  return bytesOf(into.subarray(0, values.length));
}
