// Tiles read from copies of some rows have the codes of the part itself, and what is
// written to copies arrives in the part, whatever window and tiles.

import { assert, assertEquals } from "@std/assert";
import { formats } from "../../src/formats.ts";
import { packPart, unpackPart } from "../../src/layouts/pack.ts";
import { nearRows } from "../../src/layouts/near_rows.ts";
import {
  type Layout,
  partBytes,
  type PartPlan,
  type PlacedBytes,
} from "../../src/words/layout.ts";
import { type Tile, tileOf } from "../../src/words/tile.ts";
import {
  areaOf,
  cut,
  type Matrix,
  whole,
  type Window,
} from "../../src/words/window.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const SHAPE = [544, 4096];

/** Whole, from amid the matrix on, and so few rows that nothing is copied. */
const WINDOWS: Window[] = [
  { row: 0, rows: 544, column: 0, columns: 4096 },
  { row: 32, rows: 304, column: 1024, columns: 2048 },
  { row: 64, rows: 16, column: 0, columns: 4096 },
];

function planOf(
  name: "gptq" | "awq" | "keras",
  options: object,
  part: string,
): { plan: PartPlan; matrix: Matrix } {
  const format = formats.get(name)!;
  const resolved = format.resolve(options, SHAPE);
  const { matrix, parts } = format.layout(SHAPE, resolved) as Layout;
  return { plan: parts[part], matrix };
}

function tileFor(matrix: Matrix, window: Window): Tile {
  const codes = new Uint8Array(areaOf(window));
  const memory = (length: number) => new Float32Array(length);
  return tileOf(matrix, window, {}, codes, memory);
}

function codesIn(
  plan: PartPlan,
  matrix: Matrix,
  bytes: PlacedBytes,
  window: Window,
): Tile {
  const tile = tileFor(matrix, window);
  unpackPart({ plan, ...bytes }, matrix, {}, tile);
  return tile;
}

for (
  const [name, options, part] of [
    ["gptq", {}, "qweight"],
    ["awq", {}, "qweight"],
    ["keras", {}, "kernel"],
    ["keras", { axis: 0 }, "kernel"],
  ] as const
) {
  for (const rows of [16, 32]) {
    Deno.test(`nearRows: ${name} ${JSON.stringify(options)} in tiles of ${rows} rows`, () => {
      const { plan, matrix } = planOf(name, options, part);
      assertEquals(plan.near, nearRows);
      const length = partBytes(plan), area = whole(matrix), next = random(7);
      const bytes = Uint8Array.from({ length }, () => 256 * next());
      const grain = { rows, columns: 1024 };
      let copies = 0;
      for (const window of WINDOWS) {
        const written = new Uint8Array(length);
        const from = nearRows({ plan, bytes, area }, matrix, window);
        const to = nearRows({ plan, bytes: written, area }, matrix, window);
        for (const piece of cut(window, grain, rows * 1024)) {
          const source = from.reading(piece), target = to.writing(piece);
          const tile = codesIn(plan, matrix, source, piece);
          const direct = codesIn(plan, matrix, { bytes, area }, piece);
          assertSameBytes(tile.codes, direct.codes);
          packPart({ plan, ...target }, matrix, {}, tile);
          copies += Number(source.bytes !== bytes);
          copies += Number(target.bytes !== written);
        }
        from.close();
        to.close();
        for (const piece of cut(window, grain, rows * 1024)) {
          const direct = codesIn(plan, matrix, { bytes, area }, piece);
          const back = codesIn(
            plan,
            matrix,
            { bytes: written, area },
            piece,
          );
          assertSameBytes(back.codes, direct.codes);
        }
      }
      assert(copies > 0, "nothing was copied");
    });
  }
}
