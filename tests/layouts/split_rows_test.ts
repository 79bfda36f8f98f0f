// Codes of rows that are no neighbours are moved all at once as they are unit by unit.

import "../../src/model/install.ts";
import { assertEquals } from "@std/assert";
import { hqq } from "../../src/formats/hqq.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { packPart, unpackPart } from "../../src/layouts/pack.ts";
import { splitRows } from "../../src/layouts/split_rows.ts";
import { partBytes, type PartPlan } from "../../src/words/layout.ts";
import { type Tile, tileOf } from "../../src/words/tile.ts";
import {
  areaOf,
  type Matrix,
  whole,
  type Window,
} from "../../src/words/window.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

function tileFor(matrix: Matrix, window: Window): Tile {
  const room = new Room();
  room.open(new Uint8Array(0));
  const codes = room.bytes(areaOf(window));
  return tileOf(matrix, window, {}, codes, room.floats);
}

for (const way of ["wasm", "js"] as const) {
  for (
    const [groupSize, column, columns] of [[8, 0, 50], [16, 3, 7], [40, 2, 9]]
  ) {
    Deno.test(`splitRows: columns of ${groupSize} rows, ${columns} of them from ${column} on, ${way}`, () => {
      const before = backend();
      useBackend(way);
      const shape = [10, 8 * groupSize];
      const options = hqq.resolve({ axis: 0, groupSize }, shape);
      const { matrix, parts: { W_q: plan } } = hqq.layout(shape, options);
      assertEquals(plan.mover, splitRows);
      const unitByUnit: PartPlan = { ...plan, mover: undefined };
      const next = random(3), area = whole(matrix);
      const bytes = Uint8Array.from(
        { length: partBytes(plan) },
        () => 256 * next(),
      );
      const window = { ...area, column, columns };
      const tile = tileFor(matrix, window), expected = tileFor(matrix, window);
      unpackPart({ plan, bytes, area }, matrix, {}, tile);
      unpackPart({ plan: unitByUnit, bytes, area }, matrix, {}, expected);
      assertSameBytes(tile.codes, expected.codes);

      const packed = new Uint8Array(bytes.length), wanted = packed.slice();
      packPart({ plan, bytes: packed, area }, matrix, {}, tile);
      packPart({ plan: unitByUnit, bytes: wanted, area }, matrix, {}, tile);
      assertSameBytes(packed, wanted);
      useBackend(before);
    });
  }
}

Deno.test("splitRows: groups in rows have units of neighbours, and need none", () => {
  const shape = [8, 64];
  const { parts } = hqq.layout(shape, hqq.resolve({}, shape));
  assertEquals(parts.W_q.mover, undefined);
});
