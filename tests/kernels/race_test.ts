import { assert, assertEquals } from "@std/assert";
import { Race } from "../../src/kernels/race.ts";

/** Values of a call that is large enough to be timed. */
const LARGE = 2 ** 18;

/** A race whose ways take a fixed time by a clock of their own. */
function raceOf(first: number, second: number): (values: number) => string {
  const race = new Race();
  return (values) => {
    const { now } = performance;
    let clock = 0, ran = "";
    performance.now = () => clock;
    try {
      race.run(values, () => {
        clock += first;
        ran = "first";
      }, () => {
        clock += second;
        ran = "second";
      });
    } finally {
      performance.now = now;
    }
    return ran;
  };
}

Deno.test("a race is won by the way that took less, after a few calls of either", () => {
  for (const [first, second, winner] of [[5, 9, "first"], [9, 5, "second"]]) {
    const run = raceOf(first as number, second as number);
    const ways = Array.from({ length: 8 }, () => run(LARGE));
    assertEquals(ways.filter((way) => way === "first").length, 4);
    for (let i = 0; i < 20; i++) assertEquals(run(LARGE), winner);
    assertEquals(run(1), winner);
  }
});

Deno.test("calls too short for a coarse clock decide nothing", () => {
  const run = raceOf(9, 5);
  for (let i = 0; i < 50; i++) assertEquals(run(LARGE - 1), "first");
  assert(Array.from({ length: 8 }, () => run(LARGE)).includes("second"));
});
