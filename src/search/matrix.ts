/**
 * Rows of floats in 4 bits a value, and the nearest of them to a query.
 *
 * @module
 */
import { wholeNumber } from "../numeric/arguments.ts";
import type { FloatValues } from "../numeric/floats.ts";
import type { Neighbours } from "./best.ts";
import {
  type FetchingSearchOptions,
  intoOf,
  metricOf,
  precisionOf,
  type ScoreOptions,
  type SearchOptions,
  wantedOf,
} from "./call.ts";
import { QUERY_SLOTS } from "./engine.ts";
import {
  type ExtraTensor,
  type MatrixFile,
  type MatrixSource,
  type OwnBytes,
  planFile,
  readFile,
} from "./file.ts";
import { type MatrixOptions, resolveOptions, shown } from "./options.ts";
import { rowParts } from "./plain_engine.ts";
import { type PackedQuery, packQuery } from "./query.ts";
import { lookAgain, signed } from "./rescore.ts";
import { rotate, rotateBack } from "./rotation.ts";
import { decodeRow } from "./rows.ts";
import { allKeys, findBest, type Wanted } from "./scan.ts";
import {
  checkVector,
  checkVectors,
  emptyState,
  type MatrixState,
  MOST_IDS,
} from "./state.ts";

/** What a matrix is made of, for workers. */
export let stateOf: (matrix: PackedMatrix) => MatrixState;

/** A query as a matrix packs it, for workers. */
export let packedQuery: (
  matrix: PackedMatrix,
  query: FloatValues,
  options: ScoreOptions,
) => { packed: PackedQuery; values: Float32Array };

/**
 * Rows of one dimension, quantized to 4 bits a value, to be searched without
 * unpacking them.
 *
 * Scores are the same bits on every runtime and backend: whole numbers are added
 * up, and float32 operations follow in a fixed order.
 *
 * @example The nearest of a few vectors
 * ```ts
 * import { PackedMatrix } from "@nibblewise/nibblewise/search";
 *
 * const matrix = new PackedMatrix({ dimension: 64 });
 * const rows = Float32Array.from({ length: 100 * 64 }, (_, i) => Math.sin(i * i));
 * matrix.add(rows);
 * const { ids, scores } = matrix.search(rows.subarray(64, 128), { k: 3 });
 * console.log(ids[0], scores[0].toFixed(2)); // 1 "1.00"
 * ```
 */
export class PackedMatrix {
  #state: MatrixState;

  static {
    stateOf = (matrix) => matrix.#state;
    packedQuery = (matrix, query, options) => matrix.#pack(query, options);
  }

  /**
   * Makes a matrix without rows.
   *
   * @param options Its dimension, and how rows are quantized.
   * @throws {RangeError} If an option is not what it may be.
   */
  constructor(options: MatrixOptions) {
    const state = emptyState(resolveOptions(options), options.workers);
    const { center = false } = options;
    if (typeof center === "boolean") state.centerFromRows = center;
    else {
      state.center = checkVector("centre", center, state.shape.dimension)
        .values.slice();
    }
    this.#state = state;
  }

  /**
   * Reads a matrix from a file that {@linkcode toBytes} or `nibblewise index`
   * made, a piece at a time: nothing but the matrix itself has to fit in memory.
   *
   * @param source A Blob or File, or the bytes.
   * @param options `workers`: as those of the constructor.
   * @returns The matrix.
   * @throws {SyntaxError} If the file is no such matrix, is cut off, or lies about itself.
   * @throws {RangeError} If it does not fit in memory.
   *
   * @example
   * ```ts
   * import { PackedMatrix } from "@nibblewise/nibblewise/search";
   *
   * const matrix = new PackedMatrix({ dimension: 2 });
   * matrix.add([3, 4]);
   * const again = await PackedMatrix.open(new Blob([matrix.toBytes()]));
   * console.log(again.size); // 1
   * ```
   */
  static async open(
    source: MatrixSource,
    options: Pick<MatrixOptions, "workers"> = {},
  ): Promise<PackedMatrix> {
    return PackedMatrix.#of(await readFile(source, options.workers));
  }

  /**
   * The same from bytes in memory.
   *
   * @param bytes A whole file; it may start at any address.
   * @returns The matrix.
   */
  static fromBytes(bytes: Uint8Array): Promise<PackedMatrix> {
    return PackedMatrix.open(bytes);
  }

  static #of(state: MatrixState): PackedMatrix {
    const matrix = new PackedMatrix({ dimension: 1, rotate: false });
    matrix.#state = state;
    return matrix;
  }

  /**
   * The matrix as a safetensors file, whose tensors other tools read: `codes`,
   * `scales`, `levels`, `norms`. The same matrix gives the same bytes everywhere.
   *
   * @returns The file.
   */
  toBytes(): OwnBytes {
    const { size, pieces } = this.toFile(), bytes = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces()) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /**
   * The same file in pieces, for what does not fit in memory twice.
   *
   * @param beside Tensors that go into the file with the matrix, under names of their own.
   * @returns How large the file is, and its pieces.
   */
  toFile(beside: readonly ExtraTensor[] = []): MatrixFile {
    return planFile(this.#state, beside);
  }

  /** Values in a row. */
  get dimension(): number {
    return this.#state.shape.dimension;
  }

  /** Rows that are there. */
  get size(): number {
    return this.#state.ids.size;
  }

  /** The id that the next row gets: as many as were ever given. */
  get nextId(): number {
    return this.#state.ids.next;
  }

  /**
   * Adds rows.
   *
   * @param rows One row or more, one after another.
   * @returns The id of the first; the others follow it.
   * @throws {RangeError} If a value is not finite, the values do not divide into
   * rows, or memory is out: then nothing was added, and the matrix works on.
   */
  add(rows: FloatValues): number {
    const state = this.#state, { dimension, chunkRows } = state.shape;
    const { values, norms } = checkVectors("rows", rows, dimension);
    const { engine, ids } = state, size = ids.size, end = size + norms.length;
    if (ids.next + norms.length > MOST_IDS) {
      throw new RangeError(
        `Cannot add ${norms.length} rows: ids end at ${
          MOST_IDS - 1
        }, and the next is ${ids.next}`,
      );
    }
    engine.grow(Math.ceil(end / chunkRows));
    if (state.centerFromRows && norms.length > 0) {
      state.center = meanOf(values, dimension);
      state.centerFromRows = false;
    }
    for (let row = size; row < end;) {
      const chunk = Math.floor(row / chunkRows), at = row % chunkRows;
      const count = Math.min(chunkRows - at, end - row), from = row - size;
      const some = values.subarray(
        from * dimension,
        (from + count) * dimension,
      );
      engine.encode(some, state.center, chunk, at);
      engine.chunk(chunk).norms.set(norms.subarray(from, from + count), at);
      row += count;
    }
    return ids.add(norms.length);
  }

  /**
   * Makes room for rows ahead, so that memory grows once.
   *
   * @param rows How many rows the matrix shall be able to hold.
   * @throws {RangeError} If there is no room for so many: then nothing changes, and the matrix works on.
   */
  reserve(rows: number): void {
    const { engine, shape } = this.#state;
    const count = wholeNumber(rows, "rows", 0, MOST_IDS);
    engine.grow(Math.ceil(count / shape.chunkRows));
  }

  /**
   * Removes a row. Other ids stay what they are, and its id is not given again.
   *
   * @param id The id.
   * @throws {RangeError} If no row has it.
   */
  remove(id: number): void {
    const { engine, ids, shape } = this.#state;
    const row = this.#rowOf("remove", id), last = ids.size - 1;
    const { chunkRows } = shape;
    const target = engine.chunk(Math.floor(row / chunkRows));
    const source = engine.chunk(Math.floor(last / chunkRows));
    const to = row % chunkRows, from = last % chunkRows;
    target.scales[to] = source.scales[from];
    target.norms[to] = source.norms[from];
    const into = rowParts(target, to, shape),
      out = rowParts(source, from, shape);
    into.codes.set(out.codes);
    into.fractions?.set(out.fractions!);
    ids.remove(id, row);
  }

  /**
   * A row as its codes tell it.
   *
   * @param id The id.
   * @param options `into`: an array of the right length to write to.
   * @returns The row.
   * @throws {RangeError} If no row has the id.
   */
  get(id: number, options: { into?: Float32Array } = {}): Float32Array {
    const { engine, shape, center } = this.#state;
    const row = this.#rowOf("get", id), at = row % shape.chunkRows;
    const out = intoOf(options.into, shape.dimension);
    const chunk = engine.chunk(Math.floor(row / shape.chunkRows));
    const values = new Float32Array(shape.length);
    decodeRow(shape.grid, chunk.scales[at], rowParts(chunk, at, shape), values);
    if (shape.rotation) rotateBack(shape.rotation, values);
    for (let i = 0; i < out.length; i++) {
      out[i] = center ? values[i] + center[i] : values[i];
    }
    return out;
  }

  #rowOf(what: string, id: number): number {
    const row = this.#state.ids.rowOf(id);
    if (row >= 0) return row;
    const { next } = this.#state.ids;
    throw new RangeError(
      Number.isInteger(id) && id >= 0 && id < next
        ? `Cannot ${what} row ${id}: it was removed`
        : `Cannot ${what} row ${
          shown(id)
        }: ids of this matrix are whole numbers below ${next}`,
    );
  }

  /**
   * The scores of all rows.
   *
   * @param query One vector.
   * @param options What a score is, how fine the query, and `into`, an array to write to.
   * @returns Entry i is the score of id i; NaN where that was removed.
   * @throws {RangeError} If the query is not finite, or zero where cosines are asked for.
   */
  scores(
    query: FloatValues,
    options: ScoreOptions & { into?: Float32Array } = {},
  ): Float32Array {
    const { engine, ids, shape } = this.#state;
    const { packed } = this.#pack(query, options);
    const out = intoOf(options.into, ids.next);
    if (!ids.plain) out.fill(NaN);
    allKeys(engine, ids, shape.chunkRows, packed, out);
    return signed({ ids: NO_IDS, scores: out }, packed.metric).scores;
  }

  #pack(
    query: FloatValues,
    options: ScoreOptions,
  ): { packed: PackedQuery; values: Float32Array } {
    const { shape, center } = this.#state;
    const metric = metricOf(options);
    const precision = precisionOf(options);
    const { values, norm } = checkVector("query", query, shape.dimension);
    if (metric === "cosine" && norm === 0) {
      throw new RangeError(
        'Cannot search by cosine with a query of zeros: it has no direction; use metric: "dot"',
      );
    }
    const turned = new Float32Array(shape.length);
    turned.set(values);
    if (shape.rotation) rotate(shape.rotation, turned);
    const packed = packQuery(turned, {
      grid: shape.grid,
      precision,
      metric,
      length: norm,
      offset: center ? dotOf(values, center) : 0,
    });
    return { packed, values };
  }

  /**
   * Finds the rows that are nearest to a query.
   *
   * @param query One vector.
   * @param options How many rows, by what score, and a second look.
   * @returns Ids and scores, the best first; of equal scores the smaller id. Fewer
   * than k where a filter leaves fewer.
   * @throws {RangeError} If the query is not finite, or zero where cosines are asked
   * for, the matrix is empty, or k is above the number of rows.
   *
   * @example A second look with the rows as they were
   * ```ts
   * import { PackedMatrix } from "@nibblewise/nibblewise/search";
   *
   * const rows = Float32Array.from({ length: 100 * 64 }, (_, i) => Math.sin(i * i));
   * const matrix = new PackedMatrix({ dimension: 64 });
   * matrix.add(rows);
   * const query = rows.slice(0, 64);
   * const { ids } = matrix.search(query, { k: 5, rescore: { factor: 4, rows } });
   * // Or fetch the rows of the candidates from where they are kept:
   * const fetched = await matrix.search(query, {
   *   k: 5,
   *   rescore: {
   *     rows: async (candidates) =>
   *       Float32Array.from(
   *         { length: candidates.length * 64 },
   *         (_, i) => rows[candidates[Math.floor(i / 64)] * 64 + i % 64],
   *       ),
   *   },
   * });
   * console.log(ids.join() === fetched.ids.join()); // true
   * ```
   */
  search(
    query: FloatValues,
    options: FetchingSearchOptions,
  ): Promise<Neighbours>;
  /** The same without fetching: at once. */
  search(query: FloatValues, options?: SearchOptions): Neighbours;
  search(
    query: FloatValues,
    options: SearchOptions | FetchingSearchOptions = {},
  ): Neighbours | Promise<Neighbours> {
    const { packed, values } = this.#pack(query, options);
    const { k, wanted, rescore } = wantedOf(options, this.#state.ids.size);
    const found = this.#find([packed], wanted)[0];
    return rescore
      ? lookAgain(found, values, packed.metric, k, rescore)
      : found;
  }

  /**
   * Finds the rows that are nearest to each of many queries, faster than one
   * query after another: rows stay in the cache while several queries pass.
   *
   * @param queries Vectors, one after another.
   * @param options As those of {@linkcode search}.
   * @returns What {@linkcode search} returns for each, to the bit.
   * @throws {RangeError} As {@linkcode search} does.
   */
  searchMany(
    queries: FloatValues,
    options: FetchingSearchOptions,
  ): Promise<Neighbours[]>;
  /** The same without fetching: at once. */
  searchMany(queries: FloatValues, options?: SearchOptions): Neighbours[];
  searchMany(
    queries: FloatValues,
    options: SearchOptions | FetchingSearchOptions = {},
  ): Neighbours[] | Promise<Neighbours[]> {
    const { dimension } = this.#state.shape;
    const { values, norms } = checkVectors("queries", queries, dimension);
    const all = Array.from(norms, (_, i) => {
      const query = values.subarray(i * dimension, (i + 1) * dimension);
      return this.#pack(query, options);
    });
    const { k, wanted, rescore } = wantedOf(options, this.#state.ids.size);
    const found = this.#find(all.map(({ packed }) => packed), wanted);
    if (!rescore) return found;
    const again = found.map((candidates, i) =>
      lookAgain(candidates, all[i].values, metricOf(options), k, rescore)
    );
    return again.some((result) => result instanceof Promise)
      ? Promise.all(again)
      : again as Neighbours[];
  }

  #find(queries: readonly PackedQuery[], wanted: Wanted): Neighbours[] {
    const { engine, ids, shape } = this.#state;
    const found: Neighbours[] = [];
    for (let i = 0; i < queries.length; i += QUERY_SLOTS) {
      const some = queries.slice(i, i + QUERY_SLOTS);
      for (
        const best of findBest(engine, ids, shape.chunkRows, some, wanted)
      ) found.push(signed(best.take(), some[0].metric));
    }
    return found;
  }
}

const NO_IDS = new Uint32Array(0);

function dotOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function meanOf(rows: Float32Array, dimension: number): Float32Array {
  const sums = new Float64Array(dimension), count = rows.length / dimension;
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < dimension; i++) sums[i] += rows[row * dimension + i];
  }
  return Float32Array.from(sums, (sum) => sum / count);
}
