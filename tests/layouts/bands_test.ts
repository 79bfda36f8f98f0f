// Codes of units that a tile has whole are moved many at once; those at its edges
// one by one. Both have to agree, on both backends, and in both directions.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { formats } from "../../src/formats.ts";
import { allocateInArena } from "../../src/kernels/arena.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { packPart, unpackPart } from "../../src/layouts/pack.ts";
import type { Layout, PartPlan } from "../../src/words/layout.ts";
import { partBytes } from "../../src/words/layout.ts";
import { tileOf } from "../../src/words/tile.ts";
import {
  areaOf,
  type Matrix,
  whole,
  type Window,
} from "../../src/words/window.ts";
import { random } from "../adversarial.ts";
import { casesOf } from "../format_cases.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** A part with its codes only. */
function codesOf(plan: PartPlan): PartPlan {
  return { ...plan, holds: plan.holds.filter(({ kind }) => kind === "codes") };
}

/** A tile in the memory of `beside`, where kernels reach that. */
function tileFor(
  matrix: Matrix,
  window: Window,
  beside: Uint8Array = new Uint8Array(0),
) {
  const room = new Room();
  room.open(beside);
  return tileOf(matrix, window, {}, room.bytes(areaOf(window)), room.floats);
}

function bytesOf(length: number): Uint8Array {
  return new Uint8Array(length);
}

/** Bytes in an arena that all of a test share, one odd so that nothing is aligned. */
function bytesInArena(length: number): Uint8Array {
  const floats = allocateInArena(Math.ceil(length / 4) + 1);
  return new Uint8Array(floats.buffer, floats.byteOffset + 1, length);
}

/** Codes of a window, column by column: no unit is whole in a column. */
function oneByOne(plan: PartPlan, matrix: Matrix, bytes: Uint8Array) {
  const { rows, columns } = matrix, codes = new Uint8Array(rows * columns);
  const part = { plan, bytes, area: whole(matrix) };
  for (let column = 0; column < columns; column++) {
    const tile = tileFor(matrix, { row: 0, rows, column, columns: 1 });
    unpackPart(part, matrix, {}, tile);
    tile.codes.forEach((code, row) => codes[row * columns + column] = code);
  }
  return codes;
}

for (const [name, format] of formats) {
  Deno.test(`${name}: codes moved in bands are those moved one by one`, () => {
    const before = backend();
    for (const { shape, options: given } of casesOf(format, 12)) {
      const options = format.resolve(given, shape);
      const { matrix, parts } = format.layout(shape, options);
      if (matrix.rows * matrix.columns === 0) continue;
      for (const plan of Object.values(parts as Layout["parts"]).map(codesOf)) {
        if (plan.holds.length === 0) continue;
        const next = random(1), bytes = new Uint8Array(partBytes(plan));
        bytes.forEach((_, i) => bytes[i] = 256 * next());
        const expected = oneByOne(plan, matrix, bytes);
        const part = { plan, bytes, area: whole(matrix) };
        for (const way of ["wasm", "js", "wasm beside the tile"] as const) {
          useBackend(way === "js" ? "js" : "wasm");
          const label = `${name} ${way} [${shape}] ${JSON.stringify(given)}`;
          const take = way === "wasm beside the tile" ? bytesInArena : bytesOf;
          const own = take(bytes.length);
          own.set(bytes);
          const tile = tileFor(matrix, whole(matrix), own);
          unpackPart({ ...part, bytes: own }, matrix, {}, tile);
          assertSameBytes(tile.codes, expected, label);
          const packed = take(bytes.length).fill(0);
          packPart({ ...part, bytes: packed }, matrix, {}, tile);
          const again = oneByOne(plan, matrix, packed);
          assertSameBytes(again, expected, `${label} packed`);
        }
      }
    }
    useBackend(before);
  });
}
