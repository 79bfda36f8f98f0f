/**
 * What threads of a search say to each other.
 *
 * @module
 */
import type { PackedQuery } from "./query.ts";
import type { Range } from "./scan.ts";

/** What a worker is asked to find. */
export interface ScanRequest {
  /** Comes back with the answer. */
  readonly call: number;
  readonly query: PackedQuery;
  readonly k: number;
  readonly range: Range;
  /** Rows that there are, and ids that were given. */
  readonly size: number;
  readonly next: number;
  /** Ids by row, where they are not the same. */
  readonly ids?: Uint32Array;
}

/** What a worker answers. */
export interface ScanAnswer {
  readonly call: number;
  readonly ids?: Uint32Array;
  readonly keys?: Float32Array;
  /** Why it could not. */
  readonly error?: string;
}
