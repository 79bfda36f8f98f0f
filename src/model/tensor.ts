/**
 * The generic way: a tensor in memory is encoded and decoded tile by tile, by
 * whatever scheme and layout it has.
 *
 * @module
 */
import { packPart, type PartBytes, unpackPart } from "../layouts/pack.ts";
import { rejectNonFinite } from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { grainOf } from "../words/layout.ts";
import { type EncodeContext, groupOf, type Prepass } from "../words/scheme.ts";
import { numberInTensor, type Tile, tileOf } from "../words/tile.ts";
import { areaOf, cut, valuesOf, whole, type Window } from "../words/window.ts";
import { GroupRanges } from "./ranges.ts";
import { cuttingOf, type Stage, stages, type Tensor } from "./stages.ts";

/** Values in a tile: what is worked on fits in the first caches. */
const TILE_VALUES = 16384;

/** Bytes of the parts of a tensor, or of a window of it. */
export interface TensorBytes {
  /** The bytes by part. */
  readonly bytes: Readonly<Record<string, Uint8Array>>;
  /** What they were taken for. */
  readonly area: Window;
}

/** Memory for tiles, used again and again. */
class Workspace {
  #codes = new Uint8Array(0);
  #values = new Float32Array(0);
  readonly #fields = new Map<string, Float32Array>();

  tile(window: Window, { scheme, layout }: Tensor): Tile {
    const count = areaOf(window);
    if (this.#codes.length < count) this.#codes = new Uint8Array(count);
    return tileOf(
      layout.matrix,
      window,
      scheme.fields,
      this.#codes,
      this.#memory,
    );
  }

  values = (length: number): Float32Array => {
    if (this.#values.length < length) this.#values = new Float32Array(length);
    return this.#values;
  };

  #memory = (role: string, length: number): Float32Array => {
    let memory = this.#fields.get(role);
    if (!memory || memory.length < length) {
      memory = new Float32Array(length);
      this.#fields.set(role, memory);
    }
    return memory.subarray(0, length);
  };
}

const workspace = new Workspace();

/** Quantizes the values of a whole tensor into its parts. */
export function encodeTensor(
  tensor: Tensor,
  values: Float32Array,
  parts: TensorBytes["bytes"],
  context: EncodeContext = {},
): void {
  const { scheme, layout: { matrix } } = tensor;
  rejectNonFinite(values);
  if (areaOf(whole(matrix)) === 0) return encodeEmpty(tensor, parts, context);
  const known = { ...prepassOf(tensor, values, context), ...context };
  const cutting = cuttingOf(tensor);
  for (const stage of stages(matrix, cutting, TILE_VALUES)) {
    const groups = stage.measured
      ? measureGroups(tensor, values, stage)
      : undefined;
    for (const window of stage.windows()) {
      const input = valuesOf(values, matrix, window, workspace.values);
      const ranges = groups?.ranges(window) ?? known.ranges;
      const tile = workspace.tile(window, tensor);
      scheme.encode(input, tile, { ...known, ranges });
      packTile(tensor, tile, { bytes: parts, area: whole(matrix) });
    }
  }
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
  const tile = workspace.tile(window, tensor);
  tensor.scheme.encode(values, tile, context);
  packTile(tensor, tile, parts);
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
  const tile = workspace.tile(whole(one.layout.matrix), one);
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
  const prepass: Prepass = scheme.prepass();
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
    const input = valuesOf(values, matrix, window, workspace.values);
    groups.add(input, window);
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
  const pieces = cut(window, { rows: 1, columns: grain }, TILE_VALUES);
  for (const piece of pieces) {
    const around = wholeUnits(piece, unit, layout.matrix.columns);
    const tile = workspace.tile(around, tensor);
    unpackTile(tensor, tile, parts);
    checkFields(tensor, tile);
    const to = out.subarray(
      (piece.row - window.row) * window.columns + piece.column - window.column,
    ).subarray(0, areaOf(piece));
    if (areaOf(around) === areaOf(piece)) {
      scheme.decode(tile, to);
      continue;
    }
    const values = workspace.values(areaOf(around))
      .subarray(0, areaOf(around));
    scheme.decode(tile, values);
    for (let r = 0; r < piece.rows; r++) {
      const first = r * around.columns + piece.column - around.column;
      const row = values.subarray(first, first + piece.columns);
      to.set(row, r * piece.columns);
    }
  }
  settleNaNs(out, 0, areaOf(window));
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
