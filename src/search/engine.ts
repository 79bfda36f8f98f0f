/**
 * What a matrix asks of a backend: room for rows, rows into it, and scans.
 *
 * @module
 */
import type { Settings } from "./options.ts";
import type { PackedQuery } from "./query.ts";
import type { Rotation } from "./rotation.ts";

/** Some rows, each array row after row. */
export interface Chunk {
  /** Two codes to a byte. */
  readonly codes: Uint8Array;
  /** What levels are multiplied by: one for each row. */
  readonly scales: Float32Array;
  /** Lengths of the rows as they came. */
  readonly norms: Float32Array;
  /** One float16 for each group, fractions of the row's scale; empty without groups. */
  readonly fractions: Uint16Array;
}

/** What rows look like in memory. */
export interface RowShape extends Settings {
  /** Codes that a row takes: a multiple of 32. */
  readonly length: number;
  /** Groups with a scale of their own; 0 where there is one for the row. */
  readonly groups: number;
  /** Rows in a chunk. */
  readonly chunkRows: number;
  /** How rows and queries are turned. */
  readonly rotation?: Rotation;
}

/** A backend at work on one matrix. All of them give the same bits. */
export interface Engine {
  /** Chunks that there is room for. */
  readonly chunks: number;
  /** Makes room for so many chunks. Throws a RangeError, and changes nothing, where there is none. */
  grow(chunks: number): void;
  /** The arrays of a chunk, valid until the next growth. */
  chunk(index: number): Chunk;
  /**
   * Quantizes rows into a chunk: subtracts the centre, turns, finds codes and
   * scales. Norms are none of its business.
   */
  encode(
    rows: Float32Array,
    center: Float32Array | undefined,
    chunk: number,
    first: number,
  ): void;
  /** Takes in up to {@linkcode QUERY_SLOTS} queries. */
  load(queries: readonly PackedQuery[]): void;
  /** Sums of the first rows of a chunk with every query. */
  scan(chunk: number, rows: number): void;
  /** Keys of the rows that were scanned, for one query: larger is better. Valid until the next call. */
  keys(slot: number): Float32Array;
  /** Which of these keys, from one row on to one that is left out, are at least `bound`, ascending. Valid until the next call. */
  atLeast(bound: number, from: number, to: number): Uint32Array;
}

/** Queries that are scanned together. */
export const QUERY_SLOTS = 16;

/** Bytes of codes in a chunk: they stay in a core's cache while many queries pass. */
const CHUNK_BYTES = 256 * 1024;
const MOST_CHUNK_ROWS = 4096;

/** Rows of a chunk: a multiple of 16. */
export function chunkRowsFor(length: number): number {
  const rows = Math.floor(CHUNK_BYTES / (length / 2) / 16) * 16;
  return Math.min(MOST_CHUNK_ROWS, Math.max(16, rows));
}

/** The error of a growth beyond what memory there is, or can be. */
export function growthError(bytes: number): RangeError {
  return new RangeError(
    `Cannot make room for ${bytes} bytes of rows: a matrix holds at most 4 GiB, and less where memory is short; spread rows over several matrices`,
  );
}
