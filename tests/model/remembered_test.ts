import { assertEquals, assertStrictEquals } from "@std/assert";
import { remembered } from "../../src/model/remembered.ts";
import { dequantize, quantize } from "../../mod.ts";

Deno.test("what was made last is given again for the same shape and options, and made anew for others", () => {
  let calls = 0;
  const make = remembered((shape, options: Record<string, unknown>) => {
    calls++;
    return { shape, options };
  });
  const first = make([2, 3], { groupSize: 32, nested: false });
  assertStrictEquals(make([2, 3], { groupSize: 32, nested: false }), first);
  assertEquals(calls, 1);
  const others: [number[], Record<string, unknown>][] = [
    [[3, 2], { groupSize: 32, nested: false }],
    [[2, 3, 1], { groupSize: 32, nested: false }],
    [[2, 3], { groupSize: 64, nested: false }],
    [[2, 3], { groupSize: 32 }],
    [[2, 3], { groupSize: 32, nested: undefined }],
    [[2, 3], { groupSize: 32, nested: false, search: "fast" }],
  ];
  for (const [shape, options] of others) {
    make([2, 3], { groupSize: 32, nested: false });
    assertEquals(make(shape, options), { shape, options });
  }
});

Deno.test("arrays among options are never taken for the same, since their content may change", () => {
  const make = remembered((
    _shape,
    { importance }: { importance: number[] },
  ) => ({
    sum: importance.reduce((a, b) => a + b, 0),
  }));
  const importance = [1, 2];
  assertEquals(make([2], { importance }).sum, 3);
  importance[0] = 5;
  assertEquals(make([2], { importance }).sum, 7);
});

Deno.test("callers may change the shape and the options that they gave", () => {
  const make = remembered((shape, options: { size: number }) => ({
    shape,
    options,
  }));
  const shape = [4, 8], options = { size: 2 };
  const made = make(shape, options);
  shape[0] = 1;
  options.size = 3;
  assertEquals(made, { shape: [4, 8], options: { size: 2 } });
  assertEquals(make(shape, options), { shape: [1, 8], options: { size: 3 } });
});

Deno.test("results of tensors alike share no array that a caller could change", () => {
  const values = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
  for (const format of ["int4", "q4_0", "nf4", "mlx"] as const) {
    const first = quantize(values, { format, shape: [2, 64] });
    const second = quantize(values, { format, shape: [2, 64] });
    const expected = structuredClone(second);
    (first.shape as number[])[0] = 7;
    for (const { shape, data } of Object.values(first.parts)) {
      shape[0] = 7;
      data.fill(0);
    }
    assertEquals(second, expected);
    assertEquals(quantize(values, { format, shape: [2, 64] }), expected);
    assertEquals(dequantize(second).length, 128);
  }
});
