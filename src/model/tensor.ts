/**
 * The generic way: a tensor in memory is encoded and decoded tile by tile, by
 * whatever scheme and layout it has.
 *
 * @module
 */
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
import {
  areaNumber,
  indexInTensor,
  numberInTensor,
  type Run,
  runs,
  type Tile,
  tileOf,
} from "../words/tile.ts";
import { areaOf, cut, valuesOf, whole, type Window } from "../words/window.ts";

/** Values in a tile: what is worked on fits in the first caches. */
const TILE_VALUES = 16384;

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
    yield {
      measured: false,
      windows: () => cut(whole(matrix), grain, capacity),
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
  rejectNonFinite(values);
  if (areaOf(whole(matrix)) === 0) return encodeEmpty(tensor, parts, context);
  const known = { ...prepassOf(tensor, values, context), ...context };
  for (const { windows, measured } of stages(tensor, TILE_VALUES)) {
    const groups = measured
      ? measureGroups(tensor, values, windows())
      : undefined;
    for (const window of windows()) {
      const ranges = groups?.(window) ?? known.ranges;
      const input = valuesOf(values, matrix, window, workspace.values);
      const tile = workspace.tile(window, tensor);
      scheme.encode(input, tile, { ...known, ranges });
      packTile(tensor, tile, { bytes: parts, area: whole(matrix) });
    }
  }
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

/** Measures the groups of an area by its windows; tells the ranges of those that a window touches. */
function measureGroups(
  { scheme: { fields, groupedBy }, layout: { matrix } }: Tensor,
  values: Float32Array,
  windows: Iterable<Window>,
): (window: Window) => Ranges {
  const { span } = fields[groupedBy];
  const known = new Map<number, [min: number, max: number]>();
  const firstOf = (window: Window, run: Run) =>
    indexInTensor({ ...window, matrix }, run.first);
  for (const window of windows) {
    for (const run of runs(window, span)) {
      const first = firstOf(window, run);
      const [low, high] = extremes(values, first, first + run.count);
      const group = areaNumber(matrix, span, first);
      const [min, max] = known.get(group) ?? [low, high];
      known.set(group, [Math.min(min, low), Math.max(max, high)]);
    }
  }
  return (window) => {
    const min: number[] = [], max: number[] = [];
    for (const run of runs(window, span)) {
      const group = areaNumber(matrix, span, firstOf(window, run));
      [min[run.area], max[run.area]] = known.get(group)!;
    }
    return { min: Float32Array.from(min), max: Float32Array.from(max) };
  };
}

function extremes(
  values: Float32Array,
  from: number,
  to: number,
): [min: number, max: number] {
  let min = Infinity, max = -Infinity;
  for (let i = from; i < to; i++) {
    min = Math.min(min, values[i]);
    max = Math.max(max, values[i]);
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
  for (const part of cut(window, { rows: 1, columns }, TILE_VALUES)) {
    const tile = workspace.tile(part, tensor);
    unpackTile(tensor, tile, parts);
    checkFields(tensor, tile);
    const first = (part.row - window.row) * window.columns + part.column -
      window.column;
    scheme.decode(tile, out.subarray(first, first + areaOf(part)));
  }
  settleNaNs(out, 0, areaOf(window));
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
