import { assertAlmostEquals, assertEquals } from "@std/assert";
import { judge, type Round, slower } from "../../bench/judge.ts";
import { median, spread, table } from "../../bench/table.ts";
import { random } from "../adversarial.ts";

/** Rounds in which head takes `factor` as long as base and every figure strays by up to `noise`. */
function rounds(count: number, factor: number, noise: number): Round[] {
  const next = random(42);
  const stray = (nanoseconds: number) =>
    nanoseconds * (1 + noise * (2 * next() - 1));
  return Array.from({ length: count }, () => ({
    base: { case: stray(1000), gone: 1 },
    head: { case: stray(1000 * factor), added: 1 },
    again: { case: stray(1000), gone: 1 },
  }));
}

Deno.test("the gate judges the cases that both revisions have", () => {
  assertEquals(judge(rounds(5, 1, 0)).map(({ name }) => name), ["case"]);
});

Deno.test("the gate finds equal revisions equal, in silence and in noise", () => {
  for (const noise of [0, 0.02, 0.3]) {
    assertEquals(slower(judge(rounds(7, 1, noise))), []);
  }
});

Deno.test("the gate finds a loss that is larger than the noise", () => {
  const [verdict] = slower(judge(rounds(7, 1.3, 0.02)));
  assertEquals(verdict.name, "case");
  assertAlmostEquals(verdict.ratio, 1.3, 0.05);
});

Deno.test("the gate lets a loss pass that the noise explains, or that is too small to matter", () => {
  assertEquals(slower(judge(rounds(7, 1.1, 0.5))), []);
  assertEquals(slower(judge(rounds(7, 1.02, 0))), []);
});

Deno.test("median and spread are those of the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertEquals(spread([1, 1, 2, 3, 100]), 1);
});

Deno.test("a table lines up its columns", () => {
  const text = table(["name", "ms"], [["a", "1.0"], ["longer", "10.0"]], 1);
  assertEquals(text, "name      ms\n------  ----\na        1.0\nlonger  10.0");
});
