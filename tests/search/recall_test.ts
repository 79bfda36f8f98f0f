/** What packed vectors find of an exact search: the aims, and nothing below them. */
import { assert } from "@std/assert";
import { backend } from "../../mod.ts";
import {
  type Choice,
  measure,
  searchExactly,
  type Subject,
} from "../../src/cli/recall_measure.ts";
import { clustered, miniLm } from "./embeddings.ts";

/** recall@10 of a choice. */
function recallAt10(
  choice: Omit<Choice, "name">,
  subject: Subject,
  exact: Uint32Array[],
): number {
  return measure({ name: "", ...choice }, subject, exact).recall.get(10)!;
}

const real = await miniLm();
if (!real) {
  console.log(
    "note: no MiniLM embeddings beside the checkout: recall on them is not tested",
  );
}
// Both backends give the same bits, so the slow one need not prove it here.
const slow = backend() !== "wasm";

Deno.test({
  name: "recall@10 on MiniLM reaches its aims",
  ignore: !real || slow,
  fn() {
    const { found } = searchExactly(real!);
    const aims: [Omit<Choice, "name">, number][] = [
      [{ options: {} }, 0.95],
      [{ options: {}, rescore: true }, 0.9995],
      [{ options: { grid: "lloyd" } }, 0.955],
      [{ options: { grid: "lloyd", center: true } }, 0.955],
      [{ options: { grid: "lloyd", center: true, groupSize: 32 } }, 0.963],
    ];
    for (const [choice, aim] of aims) {
      const reached = recallAt10(choice, real!, found);
      console.log(`${JSON.stringify(choice)}: ${reached.toFixed(4)}`);
      assert(reached >= aim, `${JSON.stringify(choice)}: ${reached} < ${aim}`);
    }
    const plain = { options: { scale: "absmax", rotate: false } } as const;
    assert(recallAt10(plain, real!, found) < 0.945, "nothing is gained");
  },
});

for (const [dimension, aim] of [[128, 0.9], [384, 0.92], [1024, 0.935]]) {
  Deno.test({
    name:
      `recall@10 on clusters of ${dimension} dimensions reaches ${aim} by default`,
    ignore: slow,
    fn() {
      const subject = clustered(dimension, 10000, 200, 7);
      const { found } = searchExactly(subject);
      const reached = recallAt10({ options: {} }, subject, found);
      const absmax = { scale: "absmax", rotate: false } as const;
      const without = recallAt10({ options: absmax }, subject, found);
      console.log(`${reached.toFixed(4)}; absmax alone ${without.toFixed(4)}`);
      assert(reached >= aim && without < aim - 0.03, `${reached}, ${without}`);
    },
  });
}
