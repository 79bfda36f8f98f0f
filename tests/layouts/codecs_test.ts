// Runs of numbers become the bytes that they become one by one, on every backend.

import "../../src/model/install.ts";
import { assertEquals } from "@std/assert";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { E4M3, nibbles } from "../../src/layouts/codecs.ts";
import { decodeE4M3, encodeE4M3 } from "../../src/numeric/e4m3.ts";

/** All numbers of E4M3 without a sign, then some that have one or are between them. */
const EXACT = Array.from({ length: 127 }, (_, byte) => decodeE4M3(byte));
const OTHERS = [-0, -1, 449, Infinity, NaN, 1.03, 2 ** -10, 3e-3];

Deno.test("runs of E4M3 are stored as single numbers are, whatever is among them", () => {
  const before = backend();
  for (const name of ["wasm", "js"] as const) {
    useBackend(name);
    for (const other of [undefined, ...OTHERS]) {
      const room = new Room();
      room.open(new Uint8Array(0));
      const numbers = other === undefined ? EXACT : [...EXACT, other];
      const field = room.floats(numbers.length + 1);
      field.set(numbers, 1);
      for (const count of [1, 3, 4, numbers.length]) {
        for (const stride of [1, 3]) {
          const first = numbers.length + 1 - count;
          const bytes = new Uint8Array(2 + stride * count).fill(0xaa);
          E4M3.storeRun!(field, first, count, bytes, 2, stride, 1);
          const expected = bytes.slice().fill(0xaa);
          numbers.slice(first - 1).forEach((x, i) =>
            expected[2 + stride * i] = encodeE4M3(x)
          );
          assertEquals(bytes, expected, `${name} ${other} ${count} ${stride}`);
        }
      }
    }
  }
  useBackend(before);
});

Deno.test("half bytes are stored in either order, padding where there is no number", () => {
  const bytes = new Uint8Array(2);
  nibbles(1, 3, 8).store(Float32Array.of(1, NaN, 3), bytes, 0);
  assertEquals([...bytes], [0x81, 0x83]);
  nibbles(1, 3, 8, { first: "high", flip: 8 })
    .store(Float32Array.of(1, NaN, 3), bytes, 0);
  assertEquals([...bytes], [0x98, 0xb8]);
});

Deno.test("half bytes of neighbouring units are moved at once as they are one by one", () => {
  for (const [rows, columns] of [[1, 2], [2, 5], [2, 4]]) {
    for (const order of [{}, { first: "high", flip: 8 }] as const) {
      const codec = nibbles(rows, columns, 0, order), units = 3;
      const size = rows * columns, label = `${rows} x ${columns}`;
      const numbers = Float32Array.from(
        { length: 1 + units * size },
        (_, i) => i * 7 % 16,
      );
      const bytes = new Uint8Array(2 + units * codec.bytes).fill(0xaa);
      const expected = bytes.slice();
      codec.storeUnits!(numbers, 1, units, bytes, 2);
      for (let u = 0; u < units; u++) {
        const own = numbers.subarray(1 + u * size, 1 + (u + 1) * size);
        codec.store(own, expected, 2 + u * codec.bytes);
      }
      assertEquals(bytes, expected, label);
      const read = new Float32Array(numbers.length);
      codec.loadUnits!(bytes, 2, units, read, 1);
      assertEquals(read.subarray(1), numbers.subarray(1), label);
    }
  }
  assertEquals(nibbles(1, 3).loadUnits, undefined);
});
