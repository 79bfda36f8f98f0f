// Kernels that move units and codes, of every small size, held to the plainest loops.

import "../../src/model/install.ts";
import { assertEquals } from "@std/assert";
import { allocateInArena, roomInstance } from "../../src/kernels/arena.ts";
import { random } from "../adversarial.ts";

/** Bytes between what is written, which have to stay. */
const GAP = 5;

/** Bytes in one memory, at odd addresses, and the kernels that reach them. */
function place() {
  const floats = allocateInArena(64 * 1024);
  const { kernels } = roomInstance(floats);
  let next = floats.byteOffset + 1;
  const take = (length: number) => {
    const bytes = new Uint8Array(floats.buffer, next, length);
    next += length + 3;
    return bytes;
  };
  return { kernels, take };
}

function randomBytes(bytes: Uint8Array): Uint8Array {
  const next = random(11);
  return bytes.map(() => 256 * next());
}

for (const [name, width] of [["words", 4], ["bytes", 1]] as const) {
  Deno.test(`tile_turn_${name}: rows become columns, and nothing else changes`, () => {
    for (let rows = 0; rows <= 18; rows++) {
      for (let columns = 0; columns <= 18; columns++) {
        const { kernels, take } = place();
        const from = columns * width + GAP, to = rows * width + GAP;
        const source = take(rows * from), target = take(columns * to);
        source.set(randomBytes(source));
        target.fill(0xaa);
        const expected = target.slice();
        for (let r = 0; r < rows; r++) {
          for (let c = 0; c < columns; c++) {
            const at = r * from + c * width;
            expected.set(
              source.subarray(at, at + width),
              c * to + r * width,
            );
          }
        }
        kernels[`tile_turn_${name}`](
          rows,
          columns,
          source.byteOffset,
          from,
          target.byteOffset,
          to,
        );
        assertEquals(target, expected, `${rows} × ${columns}`);
      }
    }
  });
}

Deno.test("tile_singles: the low half of each byte, flipped", () => {
  for (let n = 0; n <= 40; n++) {
    const { kernels, take } = place();
    const source = take(n), target = take(n + GAP);
    source.set(randomBytes(source));
    target.fill(0xaa);
    const expected = target.slice();
    source.forEach((byte, i) => expected[i] = byte & 15 ^ 8);
    kernels.tile_singles(n, source.byteOffset, target.byteOffset, 8);
    assertEquals(target, expected, `${n}`);
  }
});

Deno.test("tile_unpack_halves and tile_pack_halves: records with other bytes around their runs", () => {
  for (const half of [8, 16, 24, 32]) {
    for (const perUnit of [1, 2, 3]) {
      for (const highFirst of [0, 1]) {
        const { kernels, take } = place(), units = 3, flip = 8;
        const stride = half * perUnit + GAP, n = units * perUnit;
        const source = take(units * stride), codes = take(2 * half * n);
        source.set(randomBytes(source));
        const expected = new Uint8Array(codes.length);
        for (let run = 0; run < n; run++) {
          const at = Math.floor(run / perUnit) * stride +
            run % perUnit * half;
          for (let b = 0; b < half; b++) {
            const byte = source[at + b], first = 2 * half * run + b;
            expected[first + highFirst * half] = byte & 15 ^ flip;
            expected[first + (1 - highFirst) * half] = byte >> 4 ^ flip;
          }
        }
        const order = [perUnit, half, highFirst, flip];
        const label = `${half} ${perUnit} ${highFirst}`;
        const unpack = kernels.tile_unpack_halves;
        unpack(n, source.byteOffset, stride, codes.byteOffset, ...order);
        assertEquals(codes, expected, label);
        const packed = take(source.length).fill(0xaa), whole = packed.slice();
        for (let u = 0; u < units; u++) {
          const at = u * stride, end = at + half * perUnit;
          whole.set(source.subarray(at, end), at);
        }
        const pack = kernels.tile_pack_halves;
        pack(n, packed.byteOffset, stride, codes.byteOffset, ...order);
        assertEquals(packed, whole, label);
      }
    }
  }
});
