/**
 * A matrix as a safetensors file: an ordinary one, whose tensors other tools
 * read, and which other tensors may share.
 *
 * ```text
 * codes      U8  [rows, length / 2]  two codes to a byte, the first in the low nibble
 * scales     F32 [rows]              value = scale · levels[code]
 * levels     I8  [16]
 * norms      F32 [rows]              lengths of the rows as they came
 * fractions  F16 [rows, groups]      where there are groups: value = scale · fraction · levels[code]
 * center     F32 [dimension]         where there is one: what was subtracted
 * ids        U32 [rows]              where rows were removed; else row i has id i
 * removed    U32 [any]               the ids of those
 * ```
 *
 * `length` is the dimension rounded up to a multiple of 32. `__metadata__` holds
 * the options as JSON under `nibblewise.matrix`; where `rotate` is a seed, rows
 * are turned as `src/search/rotation.ts` says.
 *
 * @module
 */
import type { ByteSource } from "../files/bytes.ts";
import { typedArray, typedArrayKind } from "../numeric/arguments.ts";
import { openSafetensors } from "../files/safetensors_read.ts";
import { planSafetensors } from "../files/safetensors_write.ts";
import type { TensorEntry } from "../files/tensors.ts";
import type { Chunk } from "./engine.ts";
import { Ids } from "./ids.ts";
import { resolveOptions, type Settings, shown } from "./options.ts";
import { emptyState, LONGEST, type MatrixState, MOST_IDS } from "./state.ts";

/** The key of the options in `__metadata__`. */
export const MATRIX_KEY = "nibblewise.matrix";

const VERSION = 1;

/** A Uint8Array over an ordinary ArrayBuffer: what a Blob takes, in words that older compilers know. */
export type OwnBytes = ReturnType<Uint8ArrayConstructor["of"]>;

/** Where the bytes of a matrix go: the whole file, known before any is written. */
export interface MatrixFile {
  /** Bytes of the file. */
  readonly size: number;
  /** The file in pieces, in order; each is valid until the matrix changes. */
  pieces(): Generator<OwnBytes, void>;
}

/** A tensor that goes beside a matrix into its file. */
export interface ExtraTensor {
  /** Its name, none of the matrix' own. */
  readonly name: string;
  /** A dtype of safetensors. */
  readonly dtype: string;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
  /** As many bytes as dtype and shape take. */
  readonly bytes: Uint8Array;
}

/** Bytes of an array as they lie. */
function bytesOf(array: ArrayBufferView): OwnBytes {
  const { buffer, byteOffset, byteLength } = array;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** What of each chunk goes to which tensor, and how many elements a row has of it. */
function perRow(
  { shape: { length, groups } }: MatrixState,
): [name: keyof Chunk, dtype: string, width: number][] {
  return [
    ["codes", "U8", length / 2],
    ["scales", "F32", 1],
    ["norms", "F32", 1],
    ...groups > 0
      ? [["fractions", "F16", groups] as [keyof Chunk, string, number]]
      : [],
  ];
}

/** Lays a matrix out as a file. */
export function planFile(
  state: MatrixState,
  extra: readonly ExtraTensor[] = [],
): MatrixFile {
  const { shape, center, ids } = state, rows = ids.size;
  const whole = new Map<string, OwnBytes>([
    ["levels", bytesOf(shape.grid.values)],
  ]);
  const entries = [{ name: "levels", dtype: "I8", shape: [16] }];
  const add = (
    name: string,
    dtype: string,
    data: ArrayBufferView,
    dims: readonly number[],
  ) => {
    whole.set(name, bytesOf(data));
    entries.push({ name, dtype, shape: [...dims] });
  };
  if (center) add("center", "F32", center, [shape.dimension]);
  if (!ids.plain) {
    add("ids", "U32", ids.list(), [rows]);
    add("removed", "U32", ids.removed(), [ids.next - rows]);
  }
  for (const { name, dtype, shape: dims, bytes } of extra) {
    add(name, dtype, bytes, dims);
  }
  const fields = new Map<string, keyof Chunk>();
  for (const [name, dtype, width] of perRow(state)) {
    entries.push({
      name,
      dtype,
      shape: width === 1 ? [rows] : [rows, width],
    });
    fields.set(name, name);
  }
  const plan = planSafetensors(
    entries,
    new Map([[MATRIX_KEY, describe(state)]]),
  );
  return {
    size: plan.size,
    *pieces() {
      for (const piece of plan.pieces) yield bytesOf(piece);
      for (const { name } of plan.tensors) {
        const field = fields.get(name);
        if (field) yield* chunkPieces(state, field);
        else yield whole.get(name)!;
      }
    },
  };
}

function* chunkPieces(
  { engine, shape, ids }: MatrixState,
  field: keyof Chunk,
): Generator<OwnBytes, void> {
  const { chunkRows } = shape;
  for (let first = 0; first < ids.size; first += chunkRows) {
    const array = engine.chunk(first / chunkRows)[field];
    const rows = Math.min(chunkRows, ids.size - first);
    const piece = bytesOf(array.subarray(0, array.length / chunkRows * rows));
    // Memory that threads share is no memory that a Blob or a file takes.
    yield piece.buffer instanceof ArrayBuffer ? piece : piece.slice();
  }
}

function describe({ shape, centerFromRows }: MatrixState): string {
  const { dimension, grid, scale, rotate, groupSize, estimator } = shape;
  return JSON.stringify({
    version: VERSION,
    dimension,
    grid: grid.name,
    scale,
    rotate,
    groupSize,
    estimator,
    centerFromRows,
  });
}

/** What bytes can be read from: a Blob or File, or bytes in memory. */
export type MatrixSource = Blob | Uint8Array | ByteSource;

function byteSource(from: MatrixSource): ByteSource {
  if (typedArrayKind(from) !== undefined) {
    const bytes = typedArray(from, ["Uint8Array"], "the bytes of a matrix");
    return slicedSource("bytes", bytes.length, (start, end) => {
      return bytes.subarray(start, end);
    });
  }
  const blob = from as Blob;
  if (typeof blob?.slice === "function" && typeof blob.size === "number") {
    return slicedSource("blob", blob.size, async (start, end) => {
      return new Uint8Array(await blob.slice(start, end).arrayBuffer());
    });
  }
  if (typeof (from as ByteSource)?.read === "function") {
    return from as ByteSource;
  }
  throw new TypeError(
    `Cannot read a matrix from ${
      shown(from)
    }: pass a Blob, a File or a Uint8Array`,
  );
}

function slicedSource(
  name: string,
  size: number,
  slice: (start: number, end: number) => Uint8Array | Promise<Uint8Array>,
): ByteSource {
  return {
    name,
    size,
    async read(offset, into) {
      const bytes = await slice(offset, offset + into.length);
      if (bytes.length !== into.length) {
        throw new RangeError(
          `Cannot read ${name} at byte ${offset}: expected ${into.length} bytes, got ${bytes.length}`,
        );
      }
      into.set(bytes);
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Reads a matrix, a chunk at a time.
 *
 * @param from The file.
 * @param workers Workers that it shall have room for.
 * @returns The matrix.
 * @throws {SyntaxError} If it is none, or lies about itself.
 * @throws {RangeError} If it does not fit in memory.
 */
export async function readFile(
  from: MatrixSource,
  workers = 0,
): Promise<MatrixState> {
  const source = byteSource(from), file = await openSafetensors(source);
  const fail = (reason: string, cause?: unknown): never => {
    throw new SyntaxError(
      `Cannot read ${source.name} as a packed matrix: ${reason}`,
      { cause },
    );
  };
  const tensors = new Map(file.tensors.map((entry) => [entry.name, entry]));
  const text = file.metadata.get(MATRIX_KEY);
  if (text === undefined) {
    return fail(
      `its __metadata__ has no "${MATRIX_KEY}"; make one with nibblewise index`,
    );
  }
  const { settings, centerFromRows } = settingsOf(text, fail);
  const state = emptyState(settings, workers);
  state.centerFromRows = centerFromRows;
  const { shape } = state, rows = tensors.get("scales")?.shape[0] ?? 0;
  const expect = (name: string, dtype: string, dims: readonly number[]) => {
    const entry = tensors.get(name);
    if (!entry) return fail(`it has no tensor "${name}"`);
    if (entry.dtype === dtype && entry.shape.join() === dims.join()) {
      return entry;
    }
    return fail(
      `tensor "${name}" is ${entry.dtype} [${entry.shape.join()}], not ${dtype} [${dims.join()}]`,
    );
  };
  const read = async (entry: TensorEntry, into: ArrayBufferView) => {
    await source.read(entry.offset, bytesOf(into));
  };
  const levels = new Int8Array(16);
  await read(expect("levels", "I8", [16]), levels);
  if (levels.join() !== shape.grid.values.join()) {
    fail(`its levels are not those of the grid "${shape.grid.name}"`);
  }
  const fields = perRow(state).map(([name, dtype, width]) => ({
    name,
    entry: expect(name, dtype, width === 1 ? [rows] : [rows, width]),
  }));
  if (tensors.has("center")) {
    const center = new Float32Array(shape.dimension);
    await read(expect("center", "F32", [shape.dimension]), center);
    if (!center.every((x) => Math.abs(x) <= LONGEST)) {
      fail("its centre holds what is no finite number");
    }
    state.center = center;
  }
  if (tensors.has("ids")) {
    const removed = new Uint32Array(tensors.get("removed")?.shape[0] ?? 0);
    await read(expect("removed", "U32", [removed.length]), removed);
    const list = new Uint32Array(expect("ids", "U32", [rows]).shape[0]);
    await read(expect("ids", "U32", [rows]), list);
    checkIds(list, removed, fail);
    state.ids = Ids.of(list, rows, rows + removed.length);
  } else state.ids = Ids.of(undefined, rows, rows);
  // Everything is there by now: the file has the bytes that are made room for.
  await readRows(state, fields, source, fail);
  return state;
}

type Fail = (reason: string, cause?: unknown) => never;

function settingsOf(
  text: string,
  fail: Fail,
): { settings: Settings; centerFromRows: boolean } {
  try {
    const given = JSON.parse(text);
    if (given?.version !== VERSION) {
      return fail(
        `its version is ${
          shown(given?.version)
        }, and this is for version ${VERSION}`,
      );
    }
    const { dimension, grid, scale, rotate, groupSize, estimator } = given;
    for (const value of [grid, scale, rotate, groupSize, estimator]) {
      if (value === undefined) fail("an option is missing");
    }
    const settings = resolveOptions({
      dimension,
      grid,
      scale,
      rotate,
      groupSize,
      estimator,
    });
    return { settings, centerFromRows: given.centerFromRows === true };
  } catch (error) {
    return fail(
      (error as Error).message.replace(/^Cannot read.*matrix: /, ""),
      error,
    );
  }
}

/** Rows' ids and the removed ones are all ids there ever were, each once. */
function checkIds(
  list: Uint32Array,
  removed: Uint32Array,
  fail: Fail,
): void {
  const next = list.length + removed.length;
  if (next > MOST_IDS) {
    fail(`it has ${next} ids, above the limit of ${MOST_IDS}`);
  }
  const seen = new Uint8Array(next);
  for (const ids of [list, removed]) {
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] >= next) fail(`id ${ids[i]} is not below ${next}`);
      if (seen[ids[i]]++ > 0) fail(`the id ${ids[i]} comes twice`);
    }
  }
}

async function readRows(
  { engine, shape, ids }: MatrixState,
  fields: readonly { name: keyof Chunk; entry: TensorEntry }[],
  source: ByteSource,
  fail: Fail,
): Promise<void> {
  const { chunkRows } = shape, chunks = Math.ceil(ids.size / chunkRows);
  engine.grow(chunks);
  for (let index = 0; index < chunks; index++) {
    const first = index * chunkRows,
      rows = Math.min(chunkRows, ids.size - first);
    const chunk = engine.chunk(index);
    for (const { name, entry } of fields) {
      const array = chunk[name], width = array.length / chunkRows;
      const bytes = bytesOf(array.subarray(0, width * rows));
      await source.read(
        entry.offset + first * width * array.BYTES_PER_ELEMENT,
        bytes,
      );
    }
    checkRows(chunk, rows, first, fail);
  }
}

/** Scores are finite where these are. */
function checkRows(
  { scales, norms, fractions }: Chunk,
  rows: number,
  first: number,
  fail: Fail,
): void {
  for (let row = 0; row < rows; row++) {
    for (const value of [scales[row], norms[row]]) {
      if (!(value >= 0 && value <= LONGEST)) {
        fail(`row ${first + row} has a scale or norm of ${value}`);
      }
    }
  }
  const groups = fractions.length / scales.length;
  for (let i = 0; i < rows * groups; i++) {
    // Above 1, infinite, NaN or negative.
    if (fractions[i] > ONE_F16) {
      fail(
        `row ${
          first + Math.floor(i / groups)
        } has a fraction that is not from 0 to 1`,
      );
    }
  }
}

/** The bits of 1 as a float16; every positive number up to it has smaller ones. */
const ONE_F16 = 0x3c00;
