/**
 * Which of two ways is the faster one here, by what calls took that had to be made
 * anyway: whichever of them runs, the result is the same. For kernels that copy as
 * much as they compute, so that plain JS, which copies nothing, may win from the
 * heap, as it does on some machines and not on others.
 *
 * @module
 */

/** Smaller calls are too short for a clock that browsers make coarse. */
const LEAST_VALUES = 2 ** 18;

/** Timed calls of either way; the best counts, for the first ones are compiled meanwhile. */
const CALLS = 4;

interface Score {
  calls: number;
  /** Milliseconds for each value. */
  best: number;
}

/** Two ways to do the same. */
export class Race {
  readonly #first: Score = { calls: 0, best: Infinity };
  readonly #second: Score = { calls: 0, best: Infinity };

  /** Does a call in the way that is faster as far as is known; the first way where nothing is. */
  run(values: number, first: () => void, second: () => void): void {
    const [a, b] = [this.#first, this.#second];
    if (a.calls === CALLS && b.calls === CALLS) {
      return a.best <= b.best ? first() : second();
    }
    if (values < LEAST_VALUES) return first();
    const [score, way] = a.calls <= b.calls ? [a, first] : [b, second];
    const start = performance.now();
    way();
    score.best = Math.min(score.best, (performance.now() - start) / values);
    score.calls++;
  }
}
