import { assertEquals } from "@std/assert";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { bits } from "../adversarial.ts";
import { openGgml } from "../peers/ggml.ts";
import { randomBlocks, valueCount } from "./ggml_cases.ts";

const native = await openGgml();

/** Types that ggml has no function for: F32, integers, F64, and one for products only. */
const unread = ["Q8_1", "I8", "I16", "I32", "I64", "F64", "F32"];

for (const type of ggmlTypes.values()) {
  if (unread.includes(type.name)) continue;
  Deno.test({
    name: `${type.name} reads any blocks as native ggml does`,
    ignore: native === undefined,
    fn() {
      const blocks = randomBlocks(type);
      const expected = new Float32Array(valueCount(type));
      native!.dequantize(type.name, blocks, expected);
      const actual = new Float32Array(expected.length);
      type.dequantize(blocks, actual);
      assertEquals(firstUnequal(actual, expected), undefined);
    },
  });
}

/** The first value that differs in its bits, NaN counting as one value. */
function firstUnequal(
  actual: Float32Array,
  expected: Float32Array,
): object | undefined {
  const a = bits(actual), b = bits(expected);
  const at = a.findIndex((word, i) => word !== b[i]);
  return at < 0
    ? undefined
    : { at, actual: actual[at], expected: expected[at] };
}

Deno.test({
  name: "native ggml has no function for just the types that are named here",
  ignore: native === undefined,
  fn() {
    const without = [...ggmlTypes.keys()].filter((name) =>
      !native!.reads(name)
    );
    assertEquals(without.sort(), [...unread].sort());
  },
});
