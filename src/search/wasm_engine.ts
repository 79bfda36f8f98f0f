/**
 * The backend in WebAssembly: a memory of its own for each matrix, its rows and
 * the kernels' working space in it.
 *
 * @module
 */
import { STARTS } from "../schemes/optimal_scale.ts";
import {
  type Chunk,
  type Engine,
  growthError,
  QUERY_SLOTS,
  type RowShape,
} from "./engine.ts";
import { LANE_CODES } from "./options.ts";
import type { Metric, PackedQuery } from "./query.ts";
import {
  align,
  biasBytes,
  type ChunkPlan,
  compile,
  DECLARED_PAGES,
  type Kernels,
  MOST_PAGES,
  PAGE,
  planChunk,
  planSpace,
  type Space,
  STAGE_BYTES,
} from "./wasm_memory.ts";

const MODES = { absmax: 0, fast: 1, optimal: 2 } as const;

const METRICS: Readonly<Record<Metric, number>> = {
  dot: 0,
  cosine: 1,
  euclidean: 2,
};

/** What another thread needs to scan the same rows; it can be posted. */
export interface SharedRows {
  readonly memory: WebAssembly.Memory;
  readonly shape: RowShape;
  /** Where rows start. */
  readonly rows: number;
  /** Where the thread's own space is. */
  readonly space: number;
}

/** Rows in WebAssembly memory. */
export class WasmEngine implements Engine {
  readonly #shape: RowShape;
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #space: Space;
  readonly #plan: ChunkPlan;
  readonly #rows: number;
  readonly #spaces: number[] = [];
  #chunks = 0;
  #queries: readonly PackedQuery[] = [];
  #scanned = { chunk: 0, rows: 0 };

  /**
   * Starts without any rows, or with those of another thread.
   *
   * @param shape What rows look like.
   * @param workers Other threads that there shall be room for; the memory is shared where there are any.
   * @param from The rows of another thread.
   */
  constructor(shape: RowShape, workers: number, from?: SharedRows) {
    const shared = workers > 0 || from !== undefined;
    this.#shape = shape;
    this.#plan = planChunk(shape);
    this.#memory = from?.memory ?? new WebAssembly.Memory({
      initial: 1,
      maximum: DECLARED_PAGES,
      shared,
    });
    this.#kernels = new WebAssembly.Instance(compile(shared), {
      env: { memory: this.#memory, abort: aborted },
    }).exports as unknown as Kernels;
    const start = from?.space ?? align(this.#kernels.scratch_start());
    this.#space = planSpace(shape, start);
    const each = this.#space.end - start;
    for (let i = 0; i < workers; i++) this.#spaces.push(start + (i + 1) * each);
    this.#rows = from?.rows ?? start + (workers + 1) * each;
    if (!from) this.#reach(this.#rows);
    this.#writeTables();
  }

  /** What the workers that there is room for need, each its own. */
  share(): SharedRows[] {
    return this.#spaces.map((space) => ({
      memory: this.#memory,
      shape: this.#shape,
      rows: this.#rows,
      space,
    }));
  }

  get chunks(): number {
    return this.#chunks;
  }

  get #end(): number {
    return this.#rows + this.#chunks * this.#plan.bytes;
  }

  grow(chunks: number): void {
    if (chunks <= this.#chunks) return;
    this.#reach(this.#rows + chunks * this.#plan.bytes);
    this.#chunks = chunks;
  }

  /** Makes the memory end no lower than `end`, with some to spare so that many small batches stay cheap. */
  #reach(end: number): void {
    const pages = this.#memory.buffer.byteLength / PAGE;
    const missing = Math.ceil(end / PAGE) - pages;
    if (missing <= 0) return;
    const spare = Math.min(Math.max(missing, pages >> 3), MOST_PAGES - pages);
    for (const more of spare > missing ? [spare, missing] : [missing]) {
      try {
        if (pages + more <= MOST_PAGES) return void this.#memory.grow(more);
      } catch {
        // A little less may do.
      }
    }
    throw growthError(end);
  }

  chunk(index: number): Chunk {
    const { chunkRows, length, groups } = this.#shape;
    const { buffer } = this.#memory, start = this.#chunkAt(index);
    const { scales, norms, fractions } = this.#plan;
    return {
      codes: new Uint8Array(buffer, start, chunkRows * length / 2),
      scales: new Float32Array(buffer, start + scales, chunkRows),
      norms: new Float32Array(buffer, start + norms, chunkRows),
      fractions: new Uint16Array(buffer, start + fractions, chunkRows * groups),
    };
  }

  #chunkAt(index: number): number {
    return this.#rows + index * this.#plan.bytes;
  }

  #floats(at: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, at, length);
  }

  #writeTables(): void {
    const { grid, length, groups, scale, estimator, rotation } = this.#shape;
    const { job, blocks, tables, scratch, levels, values } = this.#space;
    const { buffer } = this.#memory;
    const rounds = rotation?.rounds ?? [];
    // src/kernels/wasm/search/job.ts says what these are.
    new Uint32Array(buffer, job, 9).set([
      length,
      groups === 0 ? length : length / groups,
      MODES[scale],
      estimator === "unbiased" ? 1 : 0,
      rounds.length,
      blocks,
      tables,
      scratch,
      STARTS.length,
    ]);
    new Float64Array(buffer, job + 40, 8).set(grid.levels);
    new Uint8Array(buffer, job + 240, 16).set(grid.levels);
    new Float64Array(buffer, job + 104, 7).set(grid.thresholds);
    new Float64Array(buffer, job + 160, STARTS.length).set(STARTS);
    const [least, ...higher] = grid.levels;
    const squares = grid.levels.map((level) => level * level);
    new Float64Array(buffer, job + 264, 7).set(
      higher.map((level, j) => level - grid.levels[j]),
    );
    new Uint32Array(buffer, job + 320, 8).set([
      ...higher.map((level, j) => level * level - squares[j]),
      least * least,
    ]);
    const sizes = rotation?.blocks ?? [];
    new Uint32Array(buffer, blocks, sizes.length + 1).set([...sizes, 0]);
    rounds.forEach(({ order, factors }, i) => {
      const at = tables + i * length * 8;
      new Uint32Array(buffer, at, length).set(order);
      this.#floats(at + length * 4, length).set(factors);
    });
    new Uint8Array(buffer, levels, 16).set(grid.plain);
    new Int8Array(buffer, values, 16).set(grid.values);
  }

  encode(
    rows: Float32Array,
    center: Float32Array | undefined,
    index: number,
    first: number,
  ): void {
    const { dimension, length, groups } = this.#shape;
    const { stage, center: centerAt, job } = this.#space;
    const { scales, fractions } = this.#plan, chunk = this.#chunkAt(index);
    if (center) this.#floats(centerAt, dimension).set(center);
    const batch = Math.max(1, Math.floor(STAGE_BYTES / 4 / dimension));
    for (let row = 0; row * dimension < rows.length; row += batch) {
      const some = rows.subarray(row * dimension, (row + batch) * dimension);
      this.#floats(stage, some.length).set(some);
      const at = first + row;
      this.#kernels.encode_rows(
        some.length / dimension,
        stage,
        dimension,
        center ? centerAt : 0,
        job,
        chunk + at * length / 2,
        chunk + scales + at * 4,
        groups === 0 ? 0 : chunk + fractions + at * groups * 2,
      );
    }
  }

  load(queries: readonly PackedQuery[]): void {
    const { queries: at, lowQueries, biases, lowBiases, facts } = this.#space;
    const { length } = this.#shape;
    this.#queries = queries;
    queries.forEach(({ high, low, base, step, offset, norm }, slot) => {
      this.#write(high, at + slot * length * 2, biases, slot);
      if (low) {
        this.#write(low, lowQueries + slot * length * 2, lowBiases, slot);
      }
      this.#floats(facts + slot * 16, 4).set([base, step, offset, norm]);
    });
  }

  /** A query in the kernels' order, and what is added to its sums. */
  #write(query: Int16Array, at: number, biases: number, slot: number): void {
    const { length, groups, grid } = this.#shape;
    const out = new Int16Array(this.#memory.buffer, at, length);
    for (let from = 0; from < length; from += LANE_CODES) {
      for (let i = 0; i < LANE_CODES; i++) {
        out[from + (i & 3) * 8 + (i >> 2)] = query[from + i];
      }
    }
    if (groups === 0) {
      const sum = query.reduce((total, q) => total + q, 0);
      new Int32Array(this.#memory.buffer, biases, QUERY_SLOTS)[slot] =
        grid.intercept * sum;
      return;
    }
    const sums = new Int32Array(
      this.#memory.buffer,
      biases + slot * biasBytes(groups),
      biasBytes(groups) / 4,
    ).fill(0);
    const group = length / groups;
    for (let i = 0; i < length; i++) {
      sums[Math.floor(i / group)] += grid.intercept * query[i];
    }
  }

  scan(chunk: number, rows: number): void {
    const { queries, biases, sums, lowQueries, lowBiases, lowSums } =
      this.#space;
    this.#scanned = { chunk, rows };
    this.#sum(chunk, rows, queries, biases, sums);
    if (this.#queries[0].low) {
      this.#sum(chunk, rows, lowQueries, lowBiases, lowSums);
    }
  }

  /** Sums of all queries, four at a time while there are four. */
  #sum(
    chunk: number,
    rows: number,
    queries: number,
    biases: number,
    sums: number,
  ): void {
    const { length, groups, chunkRows } = this.#shape;
    const count = this.#queries.length, codes = this.#chunkAt(chunk);
    const biasStep = groups > 0 ? biasBytes(groups) : 4;
    for (let i = 0; i < count;) {
      const together = i + 4 <= count ? 4 : 1;
      const query = queries + i * length * 2, bias = biases + i * biasStep;
      const to = sums + i * chunkRows * 4;
      if (groups > 0) this.#sumGroups(together, rows, codes, query, bias, to);
      else this.#sumRows(together, rows, codes, query, bias, to);
      i += together;
    }
  }

  #sumRows(
    together: number,
    rows: number,
    codes: number,
    query: number,
    bias: number,
    to: number,
  ): void {
    const { length, chunkRows, grid } = this.#shape;
    const { levels } = this.#space, kernels = this.#kernels;
    const table = grid.name !== "uniform", bytes = length / 2;
    if (together === 4) {
      const scan = table ? kernels.scan_table_many : kernels.scan_uniform_many;
      scan(rows, codes, bytes, query, bias, to, chunkRows * 4, levels);
    } else {
      const scan = table ? kernels.scan_table : kernels.scan_uniform;
      const [own] = new Int32Array(this.#memory.buffer, bias, 1);
      scan(rows, codes, bytes, query, own, to, levels);
    }
  }

  #sumGroups(
    together: number,
    rows: number,
    codes: number,
    query: number,
    bias: number,
    to: number,
  ): void {
    const { length, groups, chunkRows, grid } = this.#shape;
    const { levels, values, totals } = this.#space, kernels = this.#kernels;
    const fractions = codes + this.#plan.fractions;
    const bytes = length / 2, group = bytes / groups;
    if (together === 4) {
      const at = [query, to, chunkRows * 4, fractions, group, values, totals];
      kernels.scan_groups_many(rows, codes, bytes, ...at);
    } else {
      const scan = grid.name === "uniform"
        ? kernels.scan_uniform_groups
        : kernels.scan_table_groups;
      const at = [query, bias, to, fractions, group, levels];
      scan(rows, codes, bytes, ...at);
    }
  }

  keys(slot: number): Float32Array {
    const { chunkRows, groups } = this.#shape;
    const { sums, lowSums, facts, keys } = this.#space;
    const { chunk, rows } = this.#scanned,
      { metric, low } = this.#queries[slot];
    const at = this.#chunkAt(chunk), shift = slot * chunkRows * 4;
    this.#kernels.finish(
      rows,
      sums + shift,
      low ? lowSums + shift : 0,
      groups === 0 ? 1 : 0,
      at + this.#plan.scales,
      at + this.#plan.norms,
      facts + slot * 16,
      METRICS[metric],
      keys,
    );
    return this.#floats(keys, rows);
  }

  atLeast(bound: number, from: number, to: number): Uint32Array {
    const { keys, hits } = this.#space;
    const count = this.#kernels.select(from, to, keys, bound, hits);
    return new Uint32Array(this.#memory.buffer, hits, count);
  }
}

function aborted(): never {
  throw new Error(
    "A kernel aborted: this is a bug in nibblewise, please report it",
  );
}
