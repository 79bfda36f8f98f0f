/**
 * Contenders that take turns: each runs once per round, so that whatever the
 * machine does besides hits them all alike, and medians are compared.
 *
 * @module
 */
import { gigaElements, median, table } from "./table.ts";

/** One way to do the work. */
export interface Contender {
  readonly name: string;
  /** Whether the result goes into memory that is reused, or into pages that are touched for the first time. */
  readonly memory: "reused" | "fresh" | "allocated, reused";
  /** Does the work once; returns the nanoseconds that it took. */
  time(): number | Promise<number>;
}

/** Contenders at one piece of work. */
export interface Contest {
  readonly title: string;
  /** Values that one run handles. */
  readonly values: number;
  /** The first one is the peer that the others are measured by. */
  readonly contenders: readonly Contender[];
}

/** What one contender came to. */
export interface Standing {
  readonly contest: string;
  readonly contender: string;
  readonly memory: string;
  readonly values: number;
  readonly nanoseconds: number;
  /** How many times as fast as the first contender, the median over the rounds. */
  readonly ratio: number;
}

/** A contender of this process: the clock around a function. */
export function contender(
  name: string,
  memory: Contender["memory"],
  run: () => void,
): Contender {
  return {
    name,
    memory,
    time() {
      const start = performance.now();
      run();
      return (performance.now() - start) * 1e6;
    },
  };
}

/** Holds a contest over some rounds; a first one, for compilers and pages, does not count. */
export async function hold(
  contest: Contest,
  rounds: number,
): Promise<Standing[]> {
  const times = contest.contenders.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, one] of contest.contenders.entries()) {
      const nanoseconds = await one.time();
      if (round >= 0) times[i].push(nanoseconds);
    }
  }
  return contest.contenders.map(({ name, memory }, i) => ({
    contest: contest.title,
    contender: name,
    memory,
    values: contest.values,
    nanoseconds: median(times[i]),
    ratio: median(
      times[i].map((nanoseconds, round) => times[0][round] / nanoseconds),
    ),
  }));
}

/** The standings of one contest as a table. */
export function standingsTable(standings: readonly Standing[]): string {
  const rows = standings.map((
    { contender, memory, values, nanoseconds, ratio },
  ) => [
    contender,
    memory,
    (nanoseconds / 1e6).toFixed(2),
    gigaElements(values, nanoseconds),
    `${ratio.toFixed(2)}x`,
  ]);
  return table(
    ["", "memory", "ms", "Gelem/s", `of ${standings[0].contender}`],
    rows,
    2,
  );
}
