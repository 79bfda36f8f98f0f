/**
 * The generic way: a tensor in memory is encoded and decoded tile by tile, by
 * whatever scheme and layout it has.
 *
 * @module
 */
import { backend } from "../kernels/engine.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import { Room } from "../kernels/room.ts";
import { packPart, type PartBytes, unpackPart } from "../layouts/pack.ts";
import { rejectNonFinite } from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { grainOf, type Layout, type PartPlan } from "../words/layout.ts";
import type {
  EncodeContext,
  Prepass,
  Ranges,
  Scheme,
} from "../words/scheme.ts";
import { areFinite } from "../schemes/tiles.ts";
import { numberInTensor, type Tile, tileOf } from "../words/tile.ts";
import {
  areaOf,
  cut,
  type Grain,
  leastCommonMultiple,
  valuesOf,
  whole,
  type Window,
} from "../words/window.ts";

/** Values in a tile: what is worked on stays in the second cache, and calls are rare. */
const TILE_VALUES = 32768;

/** A tensor: what its numbers mean and where its bytes lie. */
export interface Tensor {
  /** What the numbers mean. */
  readonly scheme: Scheme;
  /** Where the bytes lie. */
  readonly layout: Layout<Record<string, PartPlan>>;
}

/** Bytes of the parts of a tensor, or of a window of it. */
export interface TensorBytes {
  /** The bytes by part. */
  readonly bytes: Readonly<Record<string, Uint8Array>>;
  /** What they were taken for. */
  readonly area: Window;
}

/** Rows of a tile where units of a column lie together, so that more than a few bytes are touched at a time. */
const TILE_ROWS = 16;

/** Memory for tiles, used again and again. */
const room = /* @__PURE__ */ new Room();

/** Moves tiles to where kernels reach an array, or to where it can be copied to. */
export function openRoom(array: ArrayBufferView): void {
  room.open(array);
}

/** A tile for a window, in place of the one before. */
export function newTile(window: Window, { scheme, layout }: Tensor): Tile {
  room.clear();
  const codes = room.bytes(areaOf(window));
  return tileOf(layout.matrix, window, scheme.fields, codes, room.floats);
}

/** The grain, with rows enough for parts whose columns lie together. */
export function tallGrain(
  { matrix, parts }: Tensor["layout"],
  grain: Grain,
): Grain {
  const tall = Object.values(parts).some(({ order, holds }) =>
    order === "columns" && holds.some(({ kind }) => kind === "codes")
  );
  return tall
    ? {
      ...grain,
      rows: Math.min(
        matrix.rows,
        leastCommonMultiple(grain.rows, TILE_ROWS),
      ),
    }
    : grain;
}

/** An area that is quantized after all of it was measured, or needs no measuring. */
export interface Stage {
  /** Its windows, in order. */
  windows(): Iterable<Window>;
  /** Whether the range of the area's groups has to be measured first: they are longer than a window. */
  readonly measured: boolean;
}

/**
 * How a tensor is quantized in windows of at most `capacity` values: groups that
 * fit in a window are kept whole, longer ones are stages of their own.
 *
 * @param tensor The tensor.
 * @param capacity Values in a window.
 */
export function* stages(
  { scheme, layout }: Tensor,
  capacity: number,
): Generator<Stage, void> {
  const { matrix } = layout;
  const grain = grainOf(layout, scheme.fields, false, scheme.together);
  if (!scheme.byRange || grain.rows * grain.columns <= capacity) {
    const tall = tallGrain(layout, grain);
    const fits = tall.rows * tall.columns <= capacity;
    yield {
      measured: false,
      windows: () => cut(whole(matrix), fits ? tall : grain, capacity),
    };
    return;
  }
  const fine = grainOf(layout, scheme.fields, true, scheme.together);
  for (const group of cut(whole(matrix), grain, 0)) {
    yield { measured: true, windows: () => cut(group, fine, capacity) };
  }
}

/** Quantizes the values of a whole tensor into its parts. */
export function encodeTensor(
  tensor: Tensor,
  values: Float32Array,
  parts: TensorBytes["bytes"],
  context: EncodeContext = {},
): void {
  const { scheme, layout: { matrix } } = tensor;
  if (areaOf(whole(matrix)) === 0) return encodeEmpty(tensor, parts, context);
  const known = { ...prepassOf(tensor, values, context), ...context };
  room.open(values);
  for (const { windows, measured } of stages(tensor, TILE_VALUES)) {
    const ranges = measured
      ? measureGroups(tensor, values, windows())
      : known.ranges;
    for (const window of windows()) {
      const tile = newTile(window, tensor);
      const input = inputOf(values, tile);
      if (!context.checked && !areFinite(input)) rejectNonFinite(values);
      scheme.encode(input, tile, { ...known, ranges });
      packTile(tensor, tile, { bytes: parts, area: whole(matrix) });
    }
  }
}

/** The values of a tile where its codes are, so that kernels reach both. */
function inputOf(values: Float32Array, tile: Tile): Float32Array {
  const input = valuesOf(values, tile.matrix, tile, room.floats);
  if (isWithCodes(input, tile)) return input;
  const copy = room.floats(input.length);
  copy.set(input);
  return copy;
}

/** A tensor without values still has the numbers that are there once: those of a single zero. */
function encodeEmpty(
  { scheme, layout }: Tensor,
  bytes: TensorBytes["bytes"],
  context: EncodeContext,
): void {
  const parts = Object.fromEntries(
    Object.entries(layout.parts).filter(([name]) => bytes[name].length > 0),
  );
  if (Object.keys(parts).length === 0) return;
  const one = { scheme, layout: { matrix: { rows: 1, columns: 1 }, parts } };
  room.open(bytes[Object.keys(parts)[0]]);
  const tile = newTile(whole(one.layout.matrix), one);
  const nothing = scheme.prepass?.().result();
  scheme.encode(new Float32Array(1), tile, { ...nothing, ...context });
  packTile(one, tile, { bytes, area: tile });
}

/** Puts a tile into the parts. */
export function packTile(
  { scheme, layout: { matrix, parts } }: Tensor,
  tile: Tile,
  { bytes, area }: TensorBytes,
): void {
  for (const [name, plan] of Object.entries(parts)) {
    packPart({ plan, bytes: bytes[name], area }, matrix, scheme.fields, tile);
  }
}

/** Takes the fields of a tile out of the parts, and not its codes. */
export function unpackFields(
  { scheme, layout: { matrix, parts } }: Tensor,
  tile: Tile,
  { bytes, area }: TensorBytes,
): void {
  for (const [name, plan] of Object.entries(parts)) {
    const holds = plan.holds.filter(({ kind }) => kind !== "codes");
    const part = { plan: { ...plan, holds }, bytes: bytes[name], area };
    unpackPart(part, matrix, scheme.fields, tile);
  }
}

/** Takes a tile out of the parts. */
export function unpackTile(
  { scheme, layout: { matrix, parts } }: Tensor,
  tile: Tile,
  { bytes, area }: TensorBytes,
): void {
  for (const [name, plan] of Object.entries(parts)) {
    const part: PartBytes = { plan, bytes: bytes[name], area };
    unpackPart(part, matrix, scheme.fields, tile);
  }
}

function prepassOf(
  { scheme, layout: { matrix } }: Tensor,
  values: Float32Array,
  given: EncodeContext,
): Pick<EncodeContext, "ranges" | "known"> {
  if (!scheme.prepass || given.ranges || given.known) return {};
  measureMagnitude(values); // throws where one is not finite
  const prepass: Prepass = scheme.prepass();
  prepass.add(values.subarray(0, matrix.rows * matrix.columns));
  return prepass.result();
}

/** The range of each row of an area, whose windows come row by row. */
function measureGroups(
  { layout: { matrix } }: Tensor,
  values: Float32Array,
  windows: Iterable<Window>,
): Ranges {
  const min: number[] = [], max: number[] = [];
  let firstRow: number | undefined;
  for (const { row, rows, column, columns } of windows) {
    firstRow ??= row;
    for (let r = row; r < row + rows; r++) {
      const first = r * matrix.columns + column, i = r - firstRow;
      const [low, high] = extremes(values, first, first + columns);
      if (!Number.isFinite(low - high)) rejectNonFinite(values);
      if (!(min[i] <= low)) min[i] = low;
      if (!(max[i] >= high)) max[i] = high;
    }
  }
  return { min: Float32Array.from(min), max: Float32Array.from(max) };
}

function extremes(
  values: Float32Array,
  from: number,
  to: number,
): [min: number, max: number] {
  let min = Infinity, max = -Infinity;
  for (let i = from; i < to; i++) {
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  return [min, max];
}

/**
 * Dequantizes a window.
 *
 * @param tensor The tensor.
 * @param parts Its parts, or as much of them as the window needs.
 * @param window The window.
 * @param out One float32 for each value of the window, row by row.
 */
export function decodeWindow(
  tensor: Tensor,
  parts: TensorBytes,
  window: Window,
  out: Float32Array,
): void {
  const { scheme, layout } = tensor;
  const { columns } = grainOf(layout, scheme.fields);
  const grain = tallGrain(layout, { rows: 1, columns });
  room.open(out);
  for (const part of cut(window, grain, TILE_VALUES)) {
    const tile = newTile(part, tensor);
    unpackTile(tensor, tile, parts);
    checkFields(tensor, tile);
    const first = (part.row - window.row) * window.columns + part.column -
      window.column;
    const together = part.rows === 1 || part.columns === window.columns;
    const place = out.subarray(first, first + areaOf(part));
    const values = together && isWithCodes(place, tile)
      ? place
      : room.floats(areaOf(part));
    scheme.decode(tile, values);
    if (mayBeNaN(tile)) settleNaNs(values);
    if (values === place) continue;
    if (together) place.set(values);
    else copyRows(values, part, out, first, window.columns);
  }
}

/** Whether kernels reach both, or none of them. */
function isWithCodes(values: Float32Array, { codes }: Tile): boolean {
  return backend() === "js" || values.buffer === codes.buffer ||
    !room.holds(codes);
}

function copyRows(
  values: Float32Array,
  { rows, columns }: Window,
  out: Float32Array,
  first: number,
  stride: number,
): void {
  for (let r = 0; r < rows; r++) {
    const row = values.subarray(r * columns, (r + 1) * columns);
    out.set(row, first + r * stride);
  }
}

/** The product of two fields and an entry of a grid is finite below this. */
const SURELY_FINITE = 2 ** 60;

/** Whether a value can be a NaN: it takes numbers that are not finite, or products that overflow. */
function mayBeNaN({ fields }: Tile): boolean {
  for (const field of Object.values(fields)) {
    for (let i = 0; i < field.length; i++) {
      if (!(Math.abs(field[i]) < SURELY_FINITE)) return true;
    }
  }
  return false;
}

/** Throws a RangeError that names part and index of a number which its library never writes. */
function checkFields({ scheme, layout }: Tensor, tile: Tile): void {
  for (const [role, plan] of Object.entries(scheme.fields)) {
    if (!plan.between) continue;
    const [min, max] = plan.between, field = tile.fields[role];
    for (let i = 0; i < field.length; i++) {
      if (field[i] >= min && field[i] <= max) continue;
      throw new RangeError(
        `Cannot dequantize part "${partOf(role, layout)}": it has ${
          field[i]
        } at index ${
          numberInTensor(tile, plan, i)
        }, it must be from ${min} to ${max}`,
      );
    }
  }
}

/** Name of the part that holds a field. */
function partOf(role: string, { parts }: Tensor["layout"]): string {
  return Object.keys(parts).find((name) =>
    parts[name].holds.some((item) =>
      item.kind === "field" && item.role === role
    )
  ) ?? role;
}
