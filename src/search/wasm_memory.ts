/**
 * A matrix' memory: which kernels work in it, and where everything lies.
 *
 * @module
 */
import { bytesOfHex } from "../kernels/hex.ts";
import { KERNELS } from "../kernels/search_module.ts";
import { QUERY_SLOTS, type RowShape } from "./engine.ts";

/** The compiled kernels: counts, addresses and numbers in. */
export type Kernels = Readonly<
  Record<string, (...operands: number[]) => number>
>;

/** Bytes of a page. */
export const PAGE = 65536;

/** Pages of a memory at most: one less than 2^16, so that addresses end below 2^32. */
export const MOST_PAGES = 65535;

/** The maximum that the module asks of its memory. */
export const DECLARED_PAGES = 65536;

/** Bytes of rows that are copied in at a time. */
export const STAGE_BYTES = 64 * 1024;

/** Scans by vectors of four may write so far beyond the last row. */
const SLACK_ROWS = 16;

const compiled = new Map<boolean, WebAssembly.Module>();

/** The kernels, for a memory of one thread or of several. */
export function compile(shared: boolean): WebAssembly.Module {
  let module = compiled.get(shared);
  if (!module) {
    const bytes = bytesOfHex(KERNELS);
    if (shared) markShared(bytes);
    compiled.set(shared, module = new WebAssembly.Module(bytes));
  }
  return module;
}

/** The import of the memory: "env" "memory", kind 2, limits with a maximum. */
const MEMORY_IMPORT = "\x03env\x06memory\x02\x01";

/**
 * Sets the one bit by which a module that imports a shared memory differs, so
 * that one set of kernels serves both.
 */
function markShared(bytes: Uint8Array): void {
  const pattern = Uint8Array.from(MEMORY_IMPORT, (c) => c.charCodeAt(0));
  for (let at = 0; at + pattern.length <= bytes.length; at++) {
    if (pattern.every((byte, i) => bytes[at + i] === byte)) {
      bytes[at + pattern.length - 1] = 3;
      return;
    }
  }
  throw new Error(
    "The kernels do not import a memory: this is a bug in nibblewise, please report it",
  );
}

/** The next multiple of a cache line. */
export function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Where a chunk's arrays are, counted from its start. */
export interface ChunkPlan {
  readonly scales: number;
  readonly norms: number;
  readonly fractions: number;
  readonly bytes: number;
}

/** Lays a chunk out. */
export function planChunk({ chunkRows, length, groups }: RowShape): ChunkPlan {
  const scales = align(chunkRows * length / 2);
  const norms = scales + align(chunkRows * 4);
  const fractions = norms + align(chunkRows * 4);
  return {
    scales,
    norms,
    fractions,
    bytes: fractions + align(chunkRows * groups * 2),
  };
}

/** Where everything of one thread is. */
export interface Space {
  readonly job: number;
  readonly blocks: number;
  readonly tables: number;
  readonly scratch: number;
  readonly levels: number;
  readonly values: number;
  readonly totals: number;
  readonly queries: number;
  readonly lowQueries: number;
  readonly biases: number;
  readonly lowBiases: number;
  readonly facts: number;
  readonly sums: number;
  readonly lowSums: number;
  readonly keys: number;
  readonly hits: number;
  readonly stage: number;
  readonly center: number;
  readonly end: number;
}

/** Bytes of what is added to the sums of groups: an int32 each, in fours. */
export function biasBytes(groups: number): number {
  return Math.ceil(groups / 4) * 16;
}

/** Lays a thread's space out from an address on. */
export function planSpace(
  { length, chunkRows, groups, dimension, rotation }: RowShape,
  start: number,
): Space {
  let end = start;
  const room = (bytes: number): number => {
    const at = end;
    end = align(end + bytes);
    return at;
  };
  const allBiases = QUERY_SLOTS * Math.max(4, biasBytes(groups));
  const sumBytes = QUERY_SLOTS * chunkRows * 4;
  const keyBytes = (chunkRows + SLACK_ROWS) * 4;
  return {
    job: room(416),
    blocks: room(64 * 4),
    tables: room((rotation?.rounds.length ?? 0) * length * 8),
    scratch: room(length * 28 + 48 + 4112 + 16 * 32 + 1025 * 64),
    levels: room(16),
    values: room(16),
    totals: room(64),
    queries: room(QUERY_SLOTS * length * 2),
    lowQueries: room(QUERY_SLOTS * length * 2),
    biases: room(allBiases),
    lowBiases: room(allBiases),
    facts: room(QUERY_SLOTS * 16),
    sums: room(sumBytes),
    lowSums: room(sumBytes),
    keys: room(keyBytes),
    hits: room(keyBytes),
    stage: room(Math.max(STAGE_BYTES, dimension * 4)),
    center: room(dimension * 4),
    get end() {
      return end;
    },
  };
}
