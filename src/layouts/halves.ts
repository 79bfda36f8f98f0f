/**
 * The halves of bytes, and which values have their codes there.
 *
 * @module
 */

/** Which value of a unit has its code in which half of each byte. */
export interface Halves {
  /** In the low halves. */
  readonly low: Uint16Array;
  /** In the high halves. */
  readonly high: Uint16Array;
  /** Whether values lie in fours: those of four bytes follow each other, in the low halves and in the high ones. */
  readonly inFours: boolean;
}

const known = /* @__PURE__ */ new WeakMap<readonly number[], Halves>();

/** The halves of an order of nibbles; worked out once for each array. */
export function halvesOf(nibbles: readonly number[]): Halves {
  let halves = known.get(nibbles);
  if (!halves) known.set(nibbles, halves = invert(nibbles));
  return halves;
}

function invert(nibbles: readonly number[]): Halves {
  const low = new Uint16Array(nibbles.length / 2), high = low.slice();
  nibbles.forEach((nibble, k) => (nibble & 1 ? high : low)[nibble >> 1] = k);
  const inFours = low.length % 4 === 0 &&
    [low, high].every((half) =>
      half.every((k, byte) => k === half[byte & ~3] + (byte & 3)) &&
      half.every((k, byte) => byte % 4 !== 0 || k % 4 === 0)
    );
  return { low, high, inFours };
}

const runs = /* @__PURE__ */ new WeakMap<Halves, number>();

/**
 * How many bytes have as many neighbours in their low halves and the next ones in their
 * high halves, or the other way round: 1 where two neighbours share a byte, 0 where it
 * is not so. Worked out once.
 */
export function runOf(halves: Halves): number {
  let run = runs.get(halves);
  if (run === undefined) runs.set(halves, run = findRun(halves));
  return run;
}

function findRun({ low, high }: Halves): number {
  const run = Math.abs(high[0] - low[0]),
    [one, two] = low[0] < high[0] ? [low, high] : [high, low];
  const inRuns = one.every((k, byte) =>
    k === byte + run * Math.floor(byte / run) && two[byte] === k + run
  );
  return inRuns && low.length % run === 0 ? run : 0;
}

/** Whether two neighbours share a byte, the first in its lower half. */
export function isLowFirst(halves: Halves): boolean {
  return runOf(halves) === 1 && halves.low[0] < halves.high[0];
}
