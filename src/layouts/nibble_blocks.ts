/**
 * Codes that lie as nibbles in both of two parts go from one to the other in blocks
 * of 32 rows and columns, by a kernel that never takes bytes apart.
 *
 * Sixteen bytes hold 32 columns of a row, 32 rows of a column, eight columns of each
 * of four rows, or sixteen columns of two rows. Which of these it is, how far apart
 * they are and in what order their nibbles are follows from the layout.
 *
 * @module
 */
import { callKernel, type Instance } from "../kernels/arena.ts";
import { wasmInForce } from "../kernels/engine.ts";
import { REPACK_KERNELS } from "../kernels/modules.ts";
import { isBeside, Room, sharedInstance } from "../kernels/room.ts";
import { type CodesItem, rangeWithin } from "../words/layout.ts";
import {
  areaOf,
  cut,
  leastCommonMultiple,
  type Matrix,
  type Window,
} from "../words/window.ts";
import { isWholeUnit } from "./band.ts";
import { gather, scatter, totalOf } from "./runs.ts";
import { bandOf, type PartBytes } from "./units.ts";

/** A part, and the codes in each of its units. */
export interface CodesPart extends PartBytes {
  /** The codes. */
  readonly item: CodesItem;
}

/** Rows and columns of a block. */
export const BLOCK_SIDE = 32;
/** Rows of what is copied to where kernels reach it, so that runs of columns are worth a copy. */
const TALL = 256;
/** Values that are copied at a time: with what becomes of them they stay in the second cache. */
const COPIED_VALUES = 262144;

const room = /* @__PURE__ */ new Room();

/**
 * Moves what blocks cover of a window.
 *
 * @param from Where the codes lie.
 * @param to Where they go.
 * @param matrix The tensor.
 * @param window Which of them; starts at whole units of both.
 * @param beside An array in the memory where kernels should work.
 * @returns The windows that are left to be moved code by code.
 */
export function moveInBlocks(
  from: CodesPart,
  to: CodesPart,
  matrix: Matrix,
  window: Window,
  beside: Uint8Array,
): readonly Window[] {
  if (!wasmInForce() || REPACK_KERNELS.hex === undefined) return [window];
  const covered = coveredOf(from, to, matrix, window);
  if (!covered) return [window];
  const { area: inner, tall } = covered;
  room.open(beside);
  const instance = sharedInstance(room.bytes(1));
  if (!instance) return [window];
  const copies = [from, to].some(({ bytes }) => !isBeside(bytes, instance));
  const pieces = copies
    ? cut(inner, { rows: tall, columns: stepOf(from, to) }, COPIED_VALUES)
    : [inner];
  for (const piece of pieces) {
    room.clear();
    movePiece(instance, from, to, matrix, piece);
  }
  return around(window, inner);
}

/** The ways in which codes lie one after the other, so that neither rows nor columns have to be turned. */
const LINES: readonly Place["way"][] = ["rows", "columns"];

/** What blocks cover of a window, and how many of its rows are copied together. */
interface Covered {
  readonly area: Window;
  readonly tall: number;
}

/** What blocks cover of a window; undefined where that is nothing. */
function coveredOf(
  from: CodesPart,
  to: CodesPart,
  matrix: Matrix,
  window: Window,
): Covered | undefined {
  // The last nibble of such a row is another one's: a tile has both.
  if (to.item.stale !== undefined && matrix.columns % 2 !== 0) return undefined;
  const a = placeOf(from, matrix, window), b = placeOf(to, matrix, window);
  if (!a || !b || a.way === b.way && !LINES.includes(a.way)) return undefined;
  const { rows, columns } = window, step = stepOf(from, to);
  const wide = { ...window, columns: columns - columns % step };
  const tall = { ...window, rows: rows - rows % BLOCK_SIDE };
  const covered = a.way !== b.way
    ? { area: { ...wide, rows: tall.rows }, tall: TALL }
    : a.way === "rows"
    ? { area: wide, tall: 1 }
    : { area: tall, tall: TALL };
  return areaOf(covered.area) === 0 ? undefined : covered;
}

/** Columns that hold whole blocks and whole units. */
function stepOf(...parts: readonly CodesPart[]): number {
  return parts.reduce(
    (step, { plan: { unit } }) => leastCommonMultiple(step, unit.columns),
    BLOCK_SIDE,
  );
}

/** What is around an area at the top left of a window. */
function around(window: Window, { rows, columns }: Window): Window[] {
  const right = {
    ...window,
    rows,
    column: window.column + columns,
    columns: window.columns - columns,
  };
  const below = {
    ...window,
    row: window.row + rows,
    rows: window.rows - rows,
  };
  return [right, below].filter((rest) => areaOf(rest) > 0);
}

// ---- one piece ----

function movePiece(
  instance: Instance,
  from: CodesPart,
  to: CodesPart,
  matrix: Matrix,
  piece: Window,
): void {
  const source = reached(from, matrix, piece, instance, true);
  // What else is in units stays as it is.
  const isAll = isWholeUnit(to.plan.unit, to.item);
  const target = reached(to, matrix, piece, instance, !isAll);
  const a = placeOf(source, matrix, piece)!;
  const b = placeOf(target, matrix, piece)!;
  if (a.way === b.way) moveLines(instance, a, b, piece);
  else moveBlocks(instance, a, b, piece);
  if (target === to) return;
  scatter(
    target.bytes,
    rangeWithin(to.plan, matrix, to.area, piece),
    to.bytes,
  );
}

/** A part where kernels reach it, or a copy of what a window needs. */
function reached(
  part: CodesPart,
  matrix: Matrix,
  area: Window,
  instance: Instance,
  filled: boolean,
): CodesPart {
  if (isBeside(part.bytes, instance)) return part;
  const range = rangeWithin(part.plan, matrix, part.area, area);
  const bytes = room.bytes(totalOf(range));
  if (filled) gather(part.bytes, range, bytes);
  return { ...part, bytes, area };
}

function moveLines(
  instance: Instance,
  from: Place,
  to: Place,
  { rows, columns }: Window,
): void {
  const [lines, length] = from.way === "rows"
    ? [rows, columns]
    : [columns, rows];
  callKernel(REPACK_KERNELS, instance, "nibbles_lines", [
    lines,
    length / BLOCK_SIDE,
    ...[from.at, from.line, from.step],
    ...[to.at, to.line, to.step],
    orderAt(from.order, to.order),
    from.flip ^ to.flip,
  ]);
}

/** The numbers of ways in src/kernels/wasm/nibble_blocks.ts. */
const WAYS = { rows: 0, columns: 1, words: 2, pairs: 3 };

function moveBlocks(
  instance: Instance,
  from: Place,
  to: Place,
  { rows, columns }: Window,
): void {
  const turned = [from, to].find(({ way }) => way === "columns");
  const orderFor = ({ way, order }: Place) =>
    way === "columns" ? IN_ORDER : order;
  callKernel(REPACK_KERNELS, instance, "nibbles_blocks", [
    rows / BLOCK_SIDE,
    columns / BLOCK_SIDE,
    ...[from.at, WAYS[from.way], from.line, from.step],
    orderAt(orderFor(from), IN_ORDER),
    ...[to.at, WAYS[to.way], to.line, to.step],
    orderAt(IN_ORDER, orderFor(to)),
    placesOf(turned?.order ?? IN_ORDER),
    from.flip ^ to.flip,
  ]);
}

/** The places of a word's eight nibbles in their column, as a word of four bits each. */
function placesOf(order: readonly number[]): number {
  let places = 0;
  for (let k = 0; k < 8; k++) places |= k << 4 * order[k];
  return places;
}

// ---- where codes lie ----

/** Where the codes of a window lie, by sixteen bytes. */
interface Place {
  /** What sixteen bytes hold: 32 columns of a row, 32 rows of a column, eight columns of four rows, or sixteen columns of two rows. */
  readonly way: keyof typeof WAYS;
  /** Address of the first. */
  readonly at: number;
  /** From a row to the next, from a column, or from two rows; 0 for words, whose rows lie side by side. */
  readonly line: number;
  /** From the 32 codes of a line to the next, those of pairs of rows as well; from eight columns of words. */
  readonly step: number;
  /** Where each of the 32 has its nibble. */
  readonly order: readonly number[];
  /** See {@linkcode CodesItem.flip}. */
  readonly flip: number;
}

/** Codes one after the other, the first of two in the low nibble. */
const IN_ORDER: readonly number[] = /* @__PURE__ */ Array.from(
  { length: BLOCK_SIDE },
  (_, k) => k,
);

function placeOf(
  part: CodesPart,
  matrix: Matrix,
  window: Window,
): Place | undefined {
  const { plan: { unit }, item, bytes } = part, { rows, columns } = unit;
  const { flip = 0, nibbles } = item;
  const aligned = window.row % rows === 0 && window.column % columns === 0;
  if (!aligned || item.spare || unit.rowStep !== undefined) return undefined;
  const { at, rowStride, stride } = bandOf(part, matrix, {
    row: window.row / rows,
    rows: 1,
    column: window.column / columns,
    columns: 1,
  });
  const first = bytes.byteOffset + at + item.at;
  const place = (way: Place["way"], line: number, step: number) => {
    const order = orderOf(nibbles);
    return order && { way, at: first, line, step, order, flip };
  };
  const isAll = isWholeUnit(unit, item), count = nibbles.length;
  if (rows === 1) {
    if (isAll && stride === unit.bytes) return place("rows", rowStride, 16);
    if (count === BLOCK_SIDE) return place("rows", rowStride, stride);
    const isWord = isAll && count === 8 && rowStride === unit.bytes;
    return isWord && isInOrder(nibbles) ? place("words", 0, stride) : undefined;
  }
  if (columns > 1 || !isAll) return undefined;
  if (rowStride === unit.bytes && isOfWords(nibbles)) {
    return place("columns", stride, 16);
  }
  const isPair = rows === 2 && stride === 1 && isInOrder(nibbles);
  return isPair ? place("pairs", rowStride, 32) : undefined;
}

function isInOrder(nibbles: readonly number[]): boolean {
  return nibbles.every((nibble, k) => nibble === k);
}

/** Whether eight nibbles of a column, or fewer, repeat their order. */
function isOfWords({ length }: readonly number[]): boolean {
  return 8 % length === 0;
}

const orders = /* @__PURE__ */ new WeakMap<
  readonly number[],
  readonly number[] | undefined
>();

/** The order of 32 codes, where that of units repeats itself; worked out once for each array. */
function orderOf(nibbles: readonly number[]): readonly number[] | undefined {
  if (!orders.has(nibbles)) orders.set(nibbles, repeatedOrder(nibbles));
  return orders.get(nibbles);
}

function repeatedOrder(
  nibbles: readonly number[],
): readonly number[] | undefined {
  const { length } = nibbles, period = Math.min(length, BLOCK_SIDE);
  const nibbleAt = (k: number) => k - k % period + nibbles[k % period];
  const fits = BLOCK_SIDE % period === 0 && length % period === 0 &&
    nibbles.every((nibble, k) =>
      nibble === nibbleAt(k) && nibbles[k % period] < period
    );
  return fits ? IN_ORDER.map(nibbleAt) : undefined;
}

/** No byte of sixteen. */
const NONE = 255;

/** Address of what tells the kernels how to bring nibbles from one order to another; 0 where they stay where they are. */
function orderAt(from: readonly number[], to: readonly number[]): number {
  if (from.every((nibble, k) => nibble === to[k])) return 0;
  const table = room.bytes(4 * 16).fill(NONE);
  to.forEach((nibble, k) => {
    const source = from[k];
    table[32 * (nibble & 1) + 16 * (source & 1) + (nibble >> 1)] = source >> 1;
  });
  return table.byteOffset;
}

/** Whether all codes of a tensor lie in one part, and as nibbles. */
export function onlyCodes(
  plans: Readonly<Record<string, PartBytes["plan"]>>,
): readonly [name: string, item: CodesItem] | undefined {
  const all = Object.entries(plans).flatMap(([name, { holds }]) =>
    holds.map((item) => [name, item] as const)
  );
  const [[name, item]] = all;
  return all.length === 1 && item.kind === "codes" ? [name, item] : undefined;
}
