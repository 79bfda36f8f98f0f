/**
 * One process of the gate: times a revision's module and prints nanoseconds by
 * case as JSON. `deno run -A bench/measure.ts MOD_URL [NAME …]`
 *
 * @module
 */
import { type Case, cases, type Nibblewise } from "./cases.ts";
import { median } from "./table.ts";

/** In L2, and beyond it; larger only adds the noise of the machine's memory. */
const lengths = [64 * 1024, 2 * 1024 * 1024];

/** A case runs for this long, or this often. */
const MILLISECONDS_PER_CASE = 40;
const FEWEST_RUNS = 3;

function time(subject: Case): number {
  const run = subject.prepare();
  run(); // compiled and touched before the clock runs
  const samples: number[] = [];
  const end = performance.now() + MILLISECONDS_PER_CASE;
  while (performance.now() < end || samples.length < FEWEST_RUNS) {
    const start = performance.now();
    run();
    samples.push((performance.now() - start) * 1e6);
  }
  return median(samples);
}

/**
 * Nanoseconds per value beyond which arithmetic takes so long that the place of
 * the data no longer matters: such a case runs at the smallest length only.
 */
const SLOW = 10;

const [url, ...names] = Deno.args;
const lib: Nibblewise = await import(url);
const timings: Record<string, number> = {};
const slow = new Set<string>();
for (const subject of cases(lib, { lengths })) {
  const { name, operation, format, backend, memory, values } = subject;
  const kind = [operation, format, backend, memory].join("/");
  if (slow.has(kind) || names.length > 0 && !names.includes(name)) continue;
  timings[name] = time(subject);
  if (timings[name] / values > SLOW) slow.add(kind);
}
console.log(JSON.stringify(timings));
