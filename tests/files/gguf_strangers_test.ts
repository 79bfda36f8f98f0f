/** Tensors of types that ggml does not have, or has no more. */
import { assertEquals, assertThrows } from "@std/assert";
import { openGguf } from "../../src/files/gguf_read.ts";
import { planGguf } from "../../src/files/gguf_write.ts";
import { strangerId, strangerName } from "../../src/ggml/table.ts";
import { raw, record, SparseSource } from "./gguf_support.ts";

Deno.test("a tensor of an unknown type lies between its neighbours", async () => {
  const bytes = raw({
    tensors: [
      record("a", [8]),
      record("b", [256, 2], 144, 32),
      record("c", [8], 0, 128),
      record("d", [32], 31, 160),
    ],
    data: 200,
  });
  const { tensors } = await openGguf(new SparseSource(bytes));
  const start = tensors[0].offset;
  assertEquals(
    tensors.map(({ name, dtype, shape, offset, byteLength }) => [
      name,
      dtype,
      shape,
      offset - start,
      byteLength,
    ]),
    [
      ["a", "F32", [8], 0, 32],
      ["b", "type 144", [2, 256], 32, 96],
      ["c", "F32", [8], 128, 32],
      ["d", "type 31 (Q4_0_4_4)", [32], 160, 40],
    ],
  );
});

Deno.test("a tensor of an unknown type can be copied, when its size is told", async () => {
  const stranger = { name: "b", dtype: "type 144", shape: [2, 256] };
  const plan = planGguf(new Map(), [
    { ...stranger, byteLength: 96 },
    { name: "c", dtype: "F32", shape: [8] },
  ]);
  const file = await openGguf(new SparseSource(plan.header, plan.size));
  assertEquals(file.tensors, plan.tensors);
  assertThrows(
    () => planGguf(new Map(), [stranger]),
    RangeError,
    'tensor "b" has dtype type 144, which GGUF does not have',
  );
});

Deno.test("the name of an unknown type tells its number", () => {
  for (const id of [4, 36, 43, 144, 2 ** 32 - 1]) {
    assertEquals(strangerId(strangerName(id)), id);
  }
  for (const name of ["F32", "Q4_K", "type", "type x", "type 1 2"]) {
    assertEquals(strangerId(name), undefined, name);
  }
});
