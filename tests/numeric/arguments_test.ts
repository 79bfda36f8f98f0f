// What callers pass, checked by kind: every refusal beside what is taken.

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import {
  describe,
  floatValues,
  intervalOf,
  numberOf,
  oneOf,
  plainOptions,
  shapeOf,
  typedArray,
  typedArrayKind,
  wholeNumber,
} from "../../src/numeric/arguments.ts";

function elsewhere<T>(code: string): T {
  return runInNewContext(code) as T;
}

/** A view whose memory has gone to another thread. */
function detached(): Float32Array {
  const array = new Float32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** A view that reaches beyond the end of its shrunk buffer. */
function outOfBounds(): Float32Array {
  const buffer = new ArrayBuffer(16, { maxByteLength: 16 });
  const array = new Float32Array(buffer, 0, 4);
  buffer.resize(8);
  return array;
}

Deno.test("arrays of another realm are taken as they are: the same memory, this realm's kind", () => {
  const foreign = elsewhere<Float32Array>(
    "Float32Array.of(0, 1, 2, 3).subarray(1)",
  );
  assert(Object.getPrototypeOf(foreign) !== Float32Array.prototype);
  assertEquals(typedArrayKind(foreign), "Float32Array");
  const local = floatValues(foreign, "values");
  assert(local instanceof Float32Array);
  assertStrictEquals(local.buffer, foreign.buffer);
  assertEquals([...local], [1, 2, 3]);
  assertEquals(
    [...typedArray(elsewhere("Uint8Array.of(7, 8)"), ["Uint8Array"], "data")],
    [7, 8],
  );
  assertEquals([...floatValues(elsewhere("[1, 2]"), "values")], [1, 2]);
  assertEquals(shapeOf(elsewhere("[2, 3]")), [2, 3]);
  assertEquals(plainOptions(elsewhere("({ a: 1 })"), "options").a, 1);
});

Deno.test("floats of every kind become float32, float32 stays where it is", () => {
  const own = new Float32Array(3);
  assertStrictEquals(floatValues(own, "values"), own);
  const third = 1 / 3, rounded = Math.fround(third);
  assertEquals(floatValues([third], "values")[0], rounded);
  assertEquals(floatValues(Float64Array.of(third), "values")[0], rounded);
  assertEquals(
    floatValues([NaN, -Infinity], "values"),
    Float32Array.of(NaN, -Infinity),
  );
  assertEquals(floatValues([], "values").length, 0);
  const shared = new Float32Array(new SharedArrayBuffer(8));
  assertStrictEquals(floatValues(shared, "values"), shared);
  class Weights extends Float32Array {}
  const plain = floatValues(new Weights(2), "values");
  assertStrictEquals(Object.getPrototypeOf(plain), Float32Array.prototype);
});

Deno.test("what is no array of floats is refused with what to pass", () => {
  const cases: [unknown, RegExp][] = [
    [
      [[1, 2], [3, 4]],
      /values: the element at index 0 .* an array of 2; pass one flat array/,
    ],
    [
      ["1"],
      /values: the element at index 0 must be a number, not the string "1"/,
    ],
    [[1, null], /values: the element at index 1 must be a number, not null/],
    // deno-lint-ignore no-sparse-arrays -- a hole is the point
    [
      [1, , 2],
      /values: the element at index 1 must be a number, not undefined/,
    ],
    [
      Buffer.alloc(8),
      /values: pass a Float32Array.* Uint8Array of 8; .*Uint8Array\.from\(bytes\)/,
    ],
    [new ArrayBuffer(8), /values: .*new Float32Array\(buffer\)/],
    [Int16Array.of(1), /values: .* Int16Array of 1; .*Float32Array\.from/],
    [detached(), /values: .*detached/],
    [outOfBounds(), /values: .*detached or too short/],
    [elsewhere("Uint8Array.of(1)"), /values: .* Uint8Array of 1/],
    [null, /values: .*null/],
    [{ length: 2, 0: 1, 1: 2 }, /values: .*an object/],
    ["12", /values: .*the string "12"/],
    [Symbol("x"), /values: .*a symbol/],
    [new DataView(new ArrayBuffer(8)), /values: .*DataView/],
  ];
  for (const [value, message] of cases) {
    const error = assertThrows(() => floatValues(value, "values"), TypeError);
    assert(message.test(error.message), error.message);
  }
  // The hint that Buffers get is right for them.
  const bytes = Buffer.from(Float32Array.of(1.5, -2).buffer);
  assertEquals(
    [...floatValues(new Float32Array(Uint8Array.from(bytes).buffer), "values")],
    [1.5, -2],
  );
});

Deno.test("a view in a resizable buffer is taken while its memory is there", () => {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  assertEquals(floatValues(new Float32Array(buffer, 0, 4), "values").length, 4);
  assertThrows(
    () => typedArray(outOfBounds(), ["Float32Array"], "into"),
    TypeError,
    "into",
  );
  assertThrows(
    () => typedArray(detached(), ["Float32Array"], "into"),
    TypeError,
    "into",
  );
});

Deno.test("a typed array is one of the kinds asked for, and no subclass", () => {
  const buffer = Buffer.from([1, 2, 3]);
  const bytes = typedArray(buffer, ["Int8Array", "Uint8Array"], "packed");
  assertStrictEquals(Object.getPrototypeOf(bytes), Uint8Array.prototype);
  assertEquals([...bytes], [1, 2, 3]);
  assertStrictEquals(bytes.buffer, buffer.buffer);
  assertThrows(
    () => typedArray([1], ["Int8Array", "Uint8Array"], "packed"),
    TypeError,
    "Cannot use packed: it must be an Int8Array or a Uint8Array, not an array of 1",
  );
});

Deno.test("options, words, numbers, shapes and intervals", () => {
  assertEquals(plainOptions(undefined, "options"), {});
  for (
    const wrong of [null, [], "x", 3, new Uint8Array(1), () => 1, new Map()]
  ) {
    assertThrows(() => plainOptions(wrong, "options"), TypeError, "options");
  }
  assertEquals(oneOf("js", ["wasm", "js"], "backend"), "js");
  assertThrows(
    () => oneOf("gpu", ["wasm", "js"], "backend"),
    RangeError,
    'Unknown backend "gpu": use "wasm" or "js"',
  );
  assertThrows(
    () => oneOf(["js"], ["wasm", "js"], "backend"),
    TypeError,
    "backend",
  );
  assertEquals(numberOf(NaN, "scale"), NaN);
  assertThrows(() => numberOf("1", "scale"), TypeError, "scale");
  assertThrows(() => numberOf(1n, "scale"), TypeError, "the bigint 1");
  assertEquals(wholeNumber(3, "length", 0, 3), 3);
  for (const wrong of [-1, 4, 1.5, NaN]) {
    assertThrows(
      () => wholeNumber(wrong, "length", 0, 3),
      RangeError,
      "length",
    );
  }
  assertEquals(shapeOf([]), []);
  const given = [2, 3];
  assert(shapeOf(given) !== given);
  for (const wrong of [null, 4, "2,3", ["2"], Int32Array.of(2)]) {
    assertThrows(() => shapeOf(wrong), TypeError, "shape");
  }
  for (const wrong of [[-1], [1.5], [2 ** 30, 2 ** 30], Array(65).fill(1)]) {
    assertThrows(() => shapeOf(wrong), RangeError, "shape");
  }
  assertEquals(intervalOf([-1, 0.1], "range"), [-1, Math.fround(0.1)]);
  assertThrows(() => intervalOf("12", "range"), TypeError, "range");
  assertThrows(() => intervalOf([1, "2"], "range"), TypeError, "range");
  for (const wrong of [[1], [1, 2, 3], [2, 1], [0, Infinity], [1e39, 1e39]]) {
    assertThrows(() => intervalOf(wrong, "range"), RangeError, "range");
  }
});

Deno.test("a description is short and never throws", () => {
  assertEquals(describe("x".repeat(100)).length, 'the string "…"'.length + 40);
  assertEquals(describe(Object.create(null)), "an object");
  assertEquals(describe(new Map()), "an object of type Map");
  assertEquals(
    describe(detached()),
    "a Float32Array whose buffer is detached or too short",
  );
});
