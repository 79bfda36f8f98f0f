// Runs copied piece by piece, held to the plainest loop, at addresses that are whole words and at others.

import { assertEquals } from "@std/assert";
import { copyPieces, type Pieces } from "../../src/layouts/copy_pieces.ts";
import { random } from "../adversarial.ts";

/** What is where: a byte of a run and its place among the pieces. */
function* places(
  { at, stride, count, length, piece, apart }: Pieces,
): Generator<[run: number, piece: number]> {
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < length; k++) {
      const number = Math.floor(k / piece);
      const size = Math.min(piece, length - number * piece);
      yield [
        at + i * stride + k,
        number * apart + i * size + k % piece,
      ];
    }
  }
}

const cases: [name: string, unit: number, piece: number, left: number][] = [
  ["pairs of words", 4, 2, 0],
  ["pairs of words and a rest", 4, 2, 1],
  ["words", 4, 5, 3],
  ["bytes", 1, 8, 0],
  ["bytes and a rest", 1, 7, 2],
];

for (const [name, unit, piece, left] of cases) {
  Deno.test(`copyPieces: ${name}, there and back`, () => {
    const next = random(5);
    for (const count of [0, 1, 7, 16, 17, 40]) {
      for (const times of [1, 3]) {
        const length = (times * piece + left) * unit;
        const plan: Pieces = {
          at: 3 * unit,
          stride: length + 2 * unit,
          count,
          length,
          piece: piece * unit,
          apart: count * piece * unit + 5 * unit,
        };
        const size = plan.at + count * plan.stride;
        const runs = Uint8Array.from({ length: size }, () => 256 * next());
        const pieces = new Uint8Array((times + 1) * plan.apart).fill(0xaa);
        const expected = pieces.slice();
        for (const [run, at] of places(plan)) expected[at] = runs[run];
        copyPieces(runs, pieces, plan, false);
        assertEquals(pieces, expected, `${count} runs of ${times}`);

        const back = new Uint8Array(size).fill(0x55), wanted = back.slice();
        for (const [run] of places(plan)) wanted[run] = runs[run];
        copyPieces(back, pieces, plan, true);
        assertEquals(back, wanted, `${count} runs of ${times}, back`);
      }
    }
  });
}

Deno.test("copyPieces: runs without gaps are copied as one", () => {
  const runs = Uint8Array.from({ length: 30 }, (_, i) => i);
  const plan = { at: 6, stride: 6, count: 3, length: 6, piece: 6, apart: 0 };
  const pieces = new Uint8Array(20);
  copyPieces(runs, pieces, plan, false);
  assertEquals([...pieces], [...runs.subarray(6, 24), 0, 0]);
  const back = new Uint8Array(30);
  copyPieces(back, pieces, plan, true);
  assertEquals([...back.subarray(6, 24)], [...runs.subarray(6, 24)]);
  assertEquals([...back.subarray(24)], [0, 0, 0, 0, 0, 0]);
});
