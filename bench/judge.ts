/**
 * How the gate tells slower from noise.
 *
 * @module
 */
import { median, spread } from "./table.ts";

/** Nanoseconds by case. */
export type Timings = Readonly<Record<string, number>>;

/** One turn of each. */
export interface Round {
  readonly base: Timings;
  readonly head: Timings;
  readonly again: Timings;
}

/** What the rounds say about one case. */
export interface Verdict {
  readonly name: string;
  readonly base: number;
  readonly head: number;
  /** head / base, the median over the rounds. */
  readonly ratio: number;
  /** The ratio beyond which a case counts as slower. */
  readonly threshold: number;
}

/** Smaller losses than this are not worth a red build, however quiet the machine. */
const LEAST_LOSS = 0.05;

/** Threshold in units of the measured noise; at 4 one case in some ten thousand strays by chance. */
const NOISE_FACTOR = 4;

/** A median absolute deviation times this estimates a standard deviation. */
const SIGMA_PER_SPREAD = 1.4826;

/** Cases that both revisions have, judged. */
export function judge(rounds: readonly Round[]): Verdict[] {
  const names = Object.keys(rounds[0].head).filter((name) =>
    name in rounds[0].base
  );
  return names.map((name) => {
    const base = rounds.map((round) =>
      Math.sqrt(round.base[name] * round.again[name])
    );
    const losses = rounds.map((round, i) =>
      Math.log(round.head[name] / base[i])
    );
    const noise = rounds.map((round) =>
      Math.log(round.again[name] / round.base[name])
    );
    const sigma = SIGMA_PER_SPREAD * Math.max(spread(noise), spread(losses)) /
      Math.sqrt(rounds.length);
    // A drift between the two runs of base is noise too.
    const threshold = Math.max(
      Math.log1p(LEAST_LOSS),
      NOISE_FACTOR * sigma,
      Math.abs(median(noise)),
    );
    return {
      name,
      base: median(base),
      head: median(rounds.map((round) => round.head[name])),
      ratio: Math.exp(median(losses)),
      threshold: Math.exp(threshold),
    };
  });
}

/** Those that count as slower. */
export function slower(verdicts: readonly Verdict[]): Verdict[] {
  return verdicts.filter(({ ratio, threshold }) => ratio > threshold);
}
