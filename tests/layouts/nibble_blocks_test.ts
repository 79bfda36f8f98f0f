// Codes moved in blocks are those moved code by code, whatever the two layouts, and
// nothing beside them is touched.

import { assert, assertEquals } from "@std/assert";
import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { formats } from "../../src/formats.ts";
import { allocateInArena } from "../../src/kernels/arena.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import {
  type CodesPart,
  moveInBlocks,
} from "../../src/layouts/nibble_blocks.ts";
import { packPart, unpackPart } from "../../src/layouts/pack.ts";
import {
  type Layout,
  partBytes,
  type PartPlan,
} from "../../src/words/layout.ts";
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

/** A part with nothing but codes, of which it has one item. */
interface Codes {
  readonly name: string;
  readonly plan: PartPlan;
  readonly item: CodesPart["item"];
}

/** Formats and options to try. */
const TRIED = [...formats].flatMap(([name, format]) =>
  [{ options: {} }, ...casesOf(format, 8)].map(({ options }) =>
    [name, format, options] as const
  )
);

/** All ways in which formats lay out codes of a shape: those of one kind once. */
function layoutsOf(
  shape: readonly number[],
  { rows, columns }: Matrix,
): Codes[] {
  const found = new Map<string, Codes>();
  for (const [name, format, given] of TRIED) {
    let layout: Layout;
    try {
      layout = format.layout(shape, format.resolve(given, shape)) as Layout;
    } catch {
      continue; // a format that cannot hold the shape
    }
    const { matrix } = layout;
    if (matrix.rows !== rows || matrix.columns !== columns) continue;
    for (const plan of Object.values(layout.parts)) {
      const [item, ...others] = plan.holds.filter(({ kind }) =>
        kind === "codes"
      );
      if (item?.kind !== "codes" || others.length > 0) continue;
      const { unit, order } = plan, { at, nibbles, flip } = item;
      const key = JSON.stringify([unit, order, at, nibbles, flip]);
      const only = { ...plan, holds: [item] };
      if (!found.has(key)) found.set(key, { name, plan: only, item });
    }
  }
  return [...found.values()];
}

const SHAPES = [[72, 160], [160, 320], [1, 4128], [40, 33]];

/** Windows that start at whole units of every layout. */
function windowsOf(matrix: Matrix): Window[] {
  const { rows, columns } = matrix;
  if (rows < 48 || columns < 128) return [whole(matrix)];
  const inside = { row: 8, rows: rows - 8, column: 64, columns: columns - 64 };
  return [whole(matrix), inside];
}

function onHeap(bytes: Uint8Array): Uint8Array {
  return bytes.slice();
}

/** At an odd address, so that nothing is aligned. */
function inArena(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset } = allocateInArena(bytes.length / 4 + 2);
  const copy = new Uint8Array(buffer, byteOffset + 1, bytes.length);
  copy.set(bytes);
  return copy;
}

/** Moves codes of a window by way of a tile. */
function moveByTile(
  from: CodesPart,
  to: CodesPart,
  matrix: Matrix,
  window: Window,
) {
  const codes = new Uint8Array(areaOf(window));
  const memory = (length: number) => new Float32Array(length);
  const tile = tileOf(matrix, window, {}, codes, memory);
  unpackPart(from, matrix, {}, tile);
  packPart(to, matrix, {}, tile);
}

for (const shape of SHAPES) {
  const [rows, columns] = shape, matrix = { rows, columns };
  Deno.test(`[${shape}]: blocks and tiles move the same codes between all layouts`, () => {
    const before = backend(), layouts = layoutsOf(shape, matrix);
    let moved = 0;
    const next = random(7), area = whole(matrix);
    const some = (plan: PartPlan) =>
      new Uint8Array(partBytes(plan)).map(() => 256 * next());
    for (const from of layouts) {
      for (const to of layouts) {
        const source = some(from.plan), target = some(to.plan);
        for (const window of windowsOf(matrix)) {
          const expected = target.slice();
          useBackend("js");
          moveByTile(
            { ...from, bytes: source, area },
            { ...to, bytes: expected, area },
            matrix,
            window,
          );
          useBackend("wasm");
          for (
            const [a, b] of [[onHeap, onHeap], [inArena, inArena], [
              onHeap,
              inArena,
            ]]
          ) {
            const one = { ...from, bytes: a(source), area };
            const other = { ...to, bytes: b(target), area };
            const rest = moveInBlocks(one, other, matrix, window, other.bytes);
            for (const left of rest) moveByTile(one, other, matrix, left);
            const label = `${from.name} to ${to.name} ${
              JSON.stringify(window)
            } ${a.name} ${b.name}`;
            assertSameBytes(other.bytes, expected, label);
            const areas = rest.map(areaOf).reduce((sum, n) => sum + n, 0);
            if (areas < areaOf(window)) moved++;
          }
        }
      }
    }
    useBackend(before);
    assert(columns % 2 !== 0 || moved > 0, "blocks move something");
  });
}

/** The codes of a format. */
function codesOf(
  name: string,
  shape: readonly number[],
  options: Record<string, unknown>,
): CodesPart {
  const format = formats.get(name as "int4")!;
  const layout = format.layout(
    shape,
    format.resolve(options, shape),
  ) as Layout;
  const [plan] = Object.values(layout.parts);
  const item = plan.holds.find(({ kind }) => kind === "codes");
  assert(item?.kind === "codes", `${name} has codes in its first part`);
  const area = whole(layout.matrix);
  const only = { ...plan, holds: [item] };
  return { plan: only, item, area, bytes: new Uint8Array(partBytes(plan)) };
}

Deno.test(
  "blocks leave what is below and beside them, and all where one layout is of another kind",
  {
    ignore: backend() === "js", // which leaves all of it to tiles
  },
  () => {
    const matrix = { rows: 72, columns: 208 }, all = whole(matrix);
    const left = (from: string, to: string) => {
      const shape = [matrix.rows, matrix.columns];
      const options = { groupSize: 16 };
      const one = codesOf(from, shape, options);
      const other = codesOf(to, shape, options);
      return moveInBlocks(one, other, matrix, all, other.bytes);
    };
    const right = { row: 0, rows: 64, column: 192, columns: 16 };
    const below = { row: 64, rows: 8, column: 0, columns: 208 };
    assertEquals(left("gptq", "keras"), [right, below]);
    assertEquals(left("keras", "int4_modelopt"), [right, below]);
    // Rows that stay rows need no others beside them.
    assertEquals(left("int4", "compressed_tensors"), [{ ...right, rows: 72 }]);
    // One to a byte.
    const single = codesOf("ml_dtypes", [72, 208], {});
    const other = codesOf("gptq", [72, 208], {});
    assertEquals(moveInBlocks(single, other, matrix, all, other.bytes), [all]);
  },
);
