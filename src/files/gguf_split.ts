/**
 * How a GGUF is split into several files.
 *
 * Source: ggml-org/llama.cpp, tools/gguf-split/gguf-split.cpp (`split_strategy`).
 *
 * @module
 */
import { ggufDefaultAlignment, padTo } from "./gguf_types.ts";
import { SHARDS } from "./limits.ts";

/** What a file holds at most. */
export type SplitLimit =
  /** Bytes of tensors with their padding; a larger tensor has a file of its own. */
  | { readonly bytes: number }
  /** Tensors. */
  | { readonly tensors: number };

/**
 * Deals tensors out to files, in their order.
 *
 * @param sizes Bytes of each tensor.
 * @param limit What a file holds at most.
 * @returns The tensors of each file, by their numbers; one file at least.
 * @throws {RangeError} If there would be more files than can be opened again.
 */
export function splitGroups(
  sizes: readonly number[],
  limit: SplitLimit,
): number[][] {
  const groups: number[][] = [[]];
  let bytes = 0;
  for (const [i, size] of sizes.entries()) {
    const own = padTo(size, ggufDefaultAlignment);
    const last = groups[groups.length - 1];
    const isFull = "bytes" in limit
      ? bytes + own > limit.bytes
      : last.length === limit.tensors;
    if (isFull && last.length > 0) {
      groups.push([i]);
      bytes = own;
    } else {
      last.push(i);
      bytes += own;
    }
  }
  if (groups.length <= SHARDS) return groups;
  throw new RangeError(
    `Cannot write GGUF: it would be ${groups.length} files, and at most ${SHARDS} are opened again; split it less`,
  );
}
