import { assertEquals, assertThrows } from "@std/assert";
import { countElements } from "../../src/files/shapes.ts";

Deno.test("countElements: products up to 2^53 - 1", () => {
  assertEquals(countElements([]), 1);
  assertEquals(countElements([3, 4]), 12);
  assertEquals(countElements([3, 0, 4]), 0);
  assertEquals(countElements([2 ** 53 - 1]), 2 ** 53 - 1);
  assertEquals(countElements([2 ** 26, 2 ** 26]), 2 ** 52);
  assertThrows(
    () => countElements([2 ** 27, 2 ** 26]),
    RangeError,
    "more than 2^53 - 1",
  );
  assertThrows(
    () => countElements([0, 2 ** 27, 2 ** 26]),
    RangeError,
    "more than 2^53 - 1",
  );
  assertThrows(
    () => countElements([2 ** 52 + 1, 2]),
    RangeError,
    "more than 2^53 - 1",
  );
});

Deno.test("countElements: only integers from 0", () => {
  for (const bad of [-1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => countElements([2, bad]), RangeError, "dimension 1 is");
  }
});

Deno.test("countElements: at most 64 dimensions", () => {
  assertEquals(countElements(Array(64).fill(1)), 1);
  assertThrows(
    () => countElements(Array(65).fill(1)),
    RangeError,
    "65 dimensions",
  );
});
