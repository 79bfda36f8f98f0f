/**
 * Blocks of every type, for tests to read.
 *
 * @module
 */
import type { GgmlLayout } from "../../src/ggml/table.ts";
import { random } from "../adversarial.ts";

/** How many blocks of a type there are in {@linkcode randomBlocks}. */
export const RANDOM_BLOCKS = 512;

/**
 * Random bytes as the blocks of a type; the same on every runtime.
 *
 * Every bit pattern is a valid block: scales are subnormal, infinite and NaN too. In the
 * second half the two bytes where most types keep a float16 hold one of moderate size, so
 * that not only the extremes are looked at.
 */
export function randomBlocks(layout: GgmlLayout): Uint8Array<ArrayBuffer> {
  const next = random(1000 + layout.id);
  const { blockBytes } = layout;
  const blocks = Uint8Array.from(
    { length: RANDOM_BLOCKS * blockBytes },
    () => next() * 256,
  );
  for (let b = RANDOM_BLOCKS / 2; b < RANDOM_BLOCKS; b++) {
    for (const at of [1, 3, blockBytes - 1, blockBytes - 3]) {
      if (at >= 0) blocks[b * blockBytes + at] &= 0xbf;
    }
  }
  return blocks;
}

/** How many values they are. */
export function valueCount({ blockSize }: GgmlLayout): number {
  return RANDOM_BLOCKS * blockSize;
}
