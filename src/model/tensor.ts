/**
 * The generic way: a tensor in memory is encoded and decoded tile by tile, by
 * whatever scheme and layout it has.
 *
 * @module
 */
import { backend } from "../kernels/engine.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import { Room } from "../kernels/room.ts";
import { firstOutside, NonFinite, rejectNonFinite } from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { areFinite, areWithin } from "../schemes/tiles.ts";
import { grainOf, type PartPlan } from "../words/layout.ts";
import { type EncodeContext, groupOf, type Prepass } from "../words/scheme.ts";
import { numberInTensor, type Tile, tileOf } from "../words/tile.ts";
import { areaOf, cut, valuesOf, whole, type Window } from "../words/window.ts";
import { close, nearby, packTile, type TensorBytes } from "./pack_tile.ts";
import { GroupRanges } from "./ranges.ts";
import {
  cuttingOf,
  fits,
  type Stage,
  stages,
  type Tensor,
  windows,
} from "./stages.ts";
import { TileReader, unpackParts } from "./tile_reader.ts";

/** Values in a tile: all that a room holds, so that calls are rare. */
const TILE_VALUES = 65536;

/** Rows of a tile of pieces of them, where units of a column lie together, so that more than a few bytes are touched at a time. */
const TILE_ROWS = 64;

/** Bytes of a column that a tile has at least, where they are brought together: less would take as long. */
const LEAST_BYTES = 8;

/** Memory for tiles, used again and again. */
const room = /* @__PURE__ */ new Room();

/** Moves tiles to where kernels reach an array, or to where it can be copied to. */
export function openRoom(array: ArrayBufferView): void {
  room.open(array);
}

/** A tile for a window, in place of the one before; with these codes, where it is not for any. */
export function newTile(
  window: Window,
  { scheme, layout }: Tensor,
  codes?: Uint8Array,
): Tile {
  room.clear();
  const own = codes ?? room.bytes(areaOf(window));
  return tileOf(layout.matrix, window, scheme.fields, own, room.floats);
}

/**
 * How many rows a tile should have: whole units, and many of them where units of a
 * column lie together.
 *
 * @param tensor The tensor.
 * @param columns Columns that a tile has at least.
 */
export function tallness(tensor: Tensor, columns: number): number {
  const step = rowsOfUnits(tensor), most = isInColumns(tensor) ? TILE_ROWS : 1;
  const rows = Math.min(most, TILE_VALUES / 2 / columns);
  return Math.max(1, Math.floor(rows / step)) * step;
}

/** How many rows a tile has at least: words of bytes of every column, where these are brought together. */
function leastRows(tensor: Tensor, columns: number): number {
  const step = rowsOfUnits(tensor), most = TILE_VALUES / columns;
  const wanted = codeParts(tensor).map(({ near, unit }) =>
    near ? LEAST_BYTES / unit.bytes * unit.rows : 1
  );
  const rows = Math.min(Math.max(1, ...wanted), most);
  return Math.floor(rows / step) * step || step;
}

function codeParts({ layout: { parts } }: Tensor): PartPlan[] {
  return Object.values(parts).filter(({ holds }) =>
    holds.some(({ kind }) => kind === "codes")
  );
}

function rowsOfUnits(tensor: Tensor): number {
  const rows = codeParts(tensor).map(({ unit: { rows, rowStep = 1 } }) =>
    rows * rowStep
  );
  return Math.max(1, ...rows);
}

function isInColumns(tensor: Tensor): boolean {
  return codeParts(tensor).some(({ order }) => order === "columns");
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
  const found = prepassOf(tensor, values, context);
  const known = { ...found, ...context };
  const isChecked = context.checked || found !== undefined || scheme.checks;
  const cutting = cuttingOf(tensor), area = whole(matrix);
  const bytes = nearby(tensor, { bytes: parts, area }, area);
  for (
    const stage of stages(
      matrix,
      cutting,
      TILE_VALUES,
      leastRows(tensor, cutting.columns),
    )
  ) {
    const groups = stage.measured
      ? measureGroups(tensor, values, stage)
      : undefined;
    room.open(values);
    for (const window of stage.windows()) {
      const ranges = groups?.ranges(window) ?? known.ranges;
      const tile = newTile(window, tensor);
      const input = inputOf(
        valuesOf(values, matrix, window, room.floats),
        tile,
      );
      if (!isChecked && !areFinite(input)) rejectNonFinite(values);
      const own = input.buffer !== values.buffer;
      naming(
        values,
        () => scheme.encode(input, tile, { ...known, ranges, own }),
      );
      packTile(tensor, tile, bytes, area);
    }
  }
  close(bytes);
}

/** Runs work on a part of some values, and says which it was where it finds one that is not finite. */
function naming(values: Float32Array, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof NonFinite) rejectNonFinite(values);
    throw error;
  }
}

/** The values of a tile where its codes are, so that kernels reach both. */
function inputOf(values: Float32Array, tile: Tile): Float32Array {
  if (isWithCodes(values, tile)) return values;
  const copy = room.floats(values.length);
  copy.set(values);
  return copy;
}

/** Whether kernels reach both, or none of them. */
function isWithCodes(values: Float32Array, { codes }: Tile): boolean {
  return backend() === "js" || values.buffer === codes.buffer ||
    !room.holds(codes);
}

/**
 * Quantizes one window.
 *
 * @param tensor The tensor.
 * @param values The values of the window, row by row; all finite.
 * @param window The window: one of a {@linkcode Stage}.
 * @param parts Where the bytes go: those of the window at least.
 * @param context Ranges are those of the groups that the window touches.
 */
export function encodeWindow(
  tensor: Tensor,
  values: Float32Array,
  window: Window,
  parts: TensorBytes,
  context: EncodeContext,
): void {
  room.open(values);
  for (const part of piecesOf(tensor, window, context)) {
    const tile = newTile(part, tensor);
    const place = {
      ...part,
      row: part.row - window.row,
      column: part.column - window.column,
    };
    const input = inputOf(valuesOf(values, window, place, room.floats), tile);
    const own = input.buffer !== values.buffer;
    tensor.scheme.encode(input, tile, { ...context, own });
    packTile(tensor, tile, parts, window);
  }
}

/** A window in pieces of the size of tiles, or whole where ranges are those of its groups. */
function piecesOf(
  tensor: Tensor,
  window: Window,
  { ranges }: EncodeContext,
): Iterable<Window> {
  if (areaOf(window) <= TILE_VALUES || ranges && ranges.min.length > 1) {
    return [window];
  }
  const cutting = cuttingOf(tensor);
  if (!fits(cutting, TILE_VALUES)) return [window];
  const tall = tallness(tensor, cutting.columns);
  return windows(window, cutting, TILE_VALUES, tall);
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
  const names = Object.keys(parts);
  if (names.length === 0) return;
  // Columns may have numbers of their own, but no more than there are bytes for.
  const most = Math.max(...names.map((name) => bytes[name].length));
  const columns = Math.max(1, Math.min(layout.matrix.columns, most));
  const one = { scheme, layout: { matrix: { rows: 1, columns }, parts } };
  room.open(bytes[names[0]]);
  const tile = newTile(whole(one.layout.matrix), one);
  const nothing = scheme.prepass?.().result();
  scheme.encode(new Float32Array(columns), tile, { ...nothing, ...context });
  packTile(one, tile, { bytes, area: tile });
}

/** Takes a tile out of the parts. */
export function unpackTile(
  tensor: Tensor,
  tile: Tile,
  bytes: TensorBytes,
): void {
  unpackParts(tensor, Object.keys(tensor.layout.parts), tile, bytes);
}

/** What has to be known of all values, which are found to be finite; undefined where that is nothing, or given. */
export function prepassOf(
  { scheme, layout: { matrix } }: Tensor,
  values: Float32Array,
  given: EncodeContext,
): Pick<EncodeContext, "ranges" | "known"> | undefined {
  if (!scheme.prepass || given.ranges || given.known) return undefined;
  const prepass: Prepass = scheme.prepass();
  if (!prepass.checks) measureMagnitude(values); // throws where one is not finite
  prepass.add(values.subarray(0, matrix.rows * matrix.columns));
  return prepass.result();
}

/** Measures the groups of a stage. */
function measureGroups(
  { scheme, layout: { matrix } }: Tensor,
  values: Float32Array,
  { area, windows }: Stage,
): GroupRanges {
  const groups = new GroupRanges(area, groupOf(scheme, matrix));
  for (const window of windows()) {
    room.open(values);
    groups.add(valuesOf(values, matrix, window, room.floats), window);
  }
  return groups;
}

/**
 * Dequantizes a window.
 *
 * @param tensor The tensor.
 * @param parts Its parts, or as much of them as the window needs: whole units of codes.
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
  const grain = grainOf(layout, scheme.fields).columns;
  const unit = grainOf(layout, scheme.fields, true).columns;
  const tiles = { rows: leastRows(tensor, grain), columns: grain };
  const bytes = nearby(tensor, parts, window);
  const reader = new TileReader(tensor, bytes, window, room);
  room.open(out);
  for (const piece of cut(window, tiles, TILE_VALUES)) {
    const around = wholeUnits(piece, unit, layout.matrix.columns);
    const tile = reader.read(around);
    checkFields(tensor, tile);
    const first = (piece.row - window.row) * window.columns + piece.column -
      window.column;
    const together = areaOf(around) === areaOf(piece) &&
      (piece.rows === 1 || piece.columns === window.columns);
    const place = out.subarray(first, first + areaOf(piece));
    // One tile is not worth finding out where it is copied fast.
    const isOnly = areaOf(piece) === areaOf(window);
    const size = areaOf(around);
    const values = together && isWithCodes(place, tile)
      ? place
      : isOnly
      ? room.floats(size)
      : room.floatsFor(
        size,
        place.byteOffset - 4 * (piece.column - around.column),
      );
    scheme.decode(tile, values);
    if (reader.mayMakeNaNs(tile)) settleNaNs(values);
    if (values === place) continue;
    if (together) place.set(values);
    else copyRows(values, around, piece, out.subarray(first), window.columns);
  }
  close(bytes);
}

/** Copies a piece of a tile into rows of `stride` values. */
function copyRows(
  values: Float32Array,
  tile: Window,
  { rows, column, columns }: Window,
  out: Float32Array,
  stride: number,
): void {
  for (let r = 0; r < rows; r++) {
    const first = r * tile.columns + column - tile.column;
    out.set(values.subarray(first, first + columns), r * stride);
  }
}

/** Schemes of records decode whole ones: what a window touches of a row. */
function wholeUnits(window: Window, unit: number, columns: number): Window {
  const first = Math.floor(window.column / unit) * unit;
  const end = Math.ceil((window.column + window.columns) / unit) * unit;
  return {
    ...window,
    column: first,
    columns: Math.min(end, columns) - first,
  };
}

/** Throws a RangeError that names part and index of a number which its library never writes. */
export function checkFields({ scheme, layout }: Tensor, tile: Tile): void {
  for (const [role, plan] of Object.entries(scheme.fields)) {
    if (!plan.between) continue;
    const [min, max] = plan.between, field = tile.fields[role];
    if (areWithin(field, min, max)) continue;
    const bad = firstOutside(field, min, max);
    throw new RangeError(
      `Cannot dequantize part "${partOf(role, layout)}": it has ${
        field[bad]
      } at index ${
        numberInTensor(tile, plan, bad)
      }, it must be from ${min} to ${max}`,
    );
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
