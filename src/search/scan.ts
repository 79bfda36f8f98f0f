/**
 * Queries against all rows: the best of them, or all scores.
 *
 * @module
 */
import { Best } from "./best.ts";
import type { Engine } from "./engine.ts";
import type { Ids } from "./ids.ts";
import type { PackedQuery } from "./query.ts";

/** What a scan looks for. */
export interface Wanted {
  /** How many rows for each query. */
  readonly k: number;
  /** Which may be found; all without it. */
  readonly filter?: (id: number) => boolean;
}

/** What a scan looks through: chunk by chunk, from one on to one that it leaves out. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Finds the best rows for each of a few queries.
 *
 * @param engine Where rows are.
 * @param ids Their ids.
 * @param chunkRows Rows in a chunk.
 * @param queries As many as an engine takes.
 * @param wanted How many, and which.
 * @param range Which chunks; all by default.
 * @returns For each query what it found.
 */
export function findBest(
  engine: Engine,
  ids: Ids,
  chunkRows: number,
  queries: readonly PackedQuery[],
  { k, filter }: Wanted,
  range?: Range,
): Best[] {
  const found = queries.map(() => new Best(k));
  const { from, to } = range ??
    { from: 0, to: Math.ceil(ids.size / chunkRows) };
  engine.load(queries);
  for (let chunk = from; chunk < to; chunk++) {
    const first = chunk * chunkRows;
    engine.scan(chunk, Math.min(chunkRows, ids.size - first));
    for (let slot = 0; slot < found.length; slot++) {
      collect(engine, ids, first, slot, found[slot], filter);
    }
  }
  return found;
}

const FIRST_ROWS = 64;

function collect(
  engine: Engine,
  ids: Ids,
  first: number,
  slot: number,
  best: Best,
  filter: Wanted["filter"],
): void {
  const keys = engine.keys(slot), rows = keys.length;
  // Where nothing is known yet, every row is a hit: a few rows first, and twice
  // as many each time, leave out most of the others.
  const few = best.bound === -Infinity ? FIRST_ROWS : rows;
  for (let from = 0, to; from < rows; from = to) {
    to = Math.min(rows, Math.max(few, 2 * from));
    const hits = engine.atLeast(best.bound, from, to);
    for (let i = 0; i < hits.length; i++) {
      const row = hits[i], id = ids.idOf(first + row);
      if (best.takes(keys[row], id) && (!filter || filter(id))) {
        best.add(keys[row], id);
      }
    }
  }
}

/**
 * The keys of all rows.
 *
 * @param engine Where rows are.
 * @param ids Their ids.
 * @param chunkRows Rows in a chunk.
 * @param query The query.
 * @param out Entry i receives the key of id i.
 */
export function allKeys(
  engine: Engine,
  ids: Ids,
  chunkRows: number,
  query: PackedQuery,
  out: Float32Array,
): void {
  engine.load([query]);
  for (let first = 0; first < ids.size; first += chunkRows) {
    engine.scan(first / chunkRows, Math.min(chunkRows, ids.size - first));
    const keys = engine.keys(0);
    if (ids.plain) out.set(keys, first);
    else keys.forEach((key, row) => out[ids.idOf(first + row)] = key);
  }
}
