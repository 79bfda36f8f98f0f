/**
 * Repacking: from one layout to another, without a look at what the numbers mean.
 * It moves numbers and changes none, or refuses with the reason.
 *
 * @module
 */
import { moveInBlocks, onlyCodes } from "../layouts/nibble_blocks.ts";
import { takeColumns } from "../schemes/act_order.ts";
import { groupOf, type Scheme } from "../words/scheme.ts";
import { grainOf, type PartPlan } from "../words/layout.ts";
import { indexInTensor, type Span, type Tile } from "../words/tile.ts";
import { cut, type Matrix, whole, type Window } from "../words/window.ts";
import { packTile, type TensorBytes } from "./pack_tile.ts";
import { INVERSES, repackFields } from "./repack_fields.ts";
import { TENSOR_SCALES } from "./tensor_scale.ts";
import { cuttingOf, type Tensor, windows } from "./stages.ts";
import { newTile, openRoom, tallness, unpackTile } from "./tensor.ts";

/** Codes in a window: with what is written of them they stay in the second cache. */
const WINDOW_VALUES = 131072;

/** Values whose numbers beside the codes are moved at once: these stay in the second cache, and lie together. */
const BAND_VALUES = 1024 * 1024;

/**
 * Why a tensor cannot be repacked whatever its numbers are; undefined where it can be tried.
 *
 * @param from What it is.
 * @param to What it should become.
 * @param sameFormat Whether only options differ: then any form will do.
 */
export function whyNotRepack(
  from: Tensor,
  to: Tensor,
  sameFormat = false,
): string | undefined {
  const a = from.scheme, b = to.scheme;
  if (a.grid.name !== b.grid.name) {
    return `its codes stand for ${a.grid.name}, not ${b.grid.name}`;
  }
  if (a.form !== b.form || a.form === "other" && !sameFormat) {
    return `its values are ${describeForm(a)}, not ${describeForm(b)}`;
  }
  const { matrix } = from.layout;
  if (
    matrix.rows !== to.layout.matrix.rows ||
    matrix.columns !== to.layout.matrix.columns
  ) return "its groups run across rows on one side only";
  const [spanA, spanB] = [groupOf(a, matrix), groupOf(b, matrix)];
  if (!sameAreas(spanA, spanB, matrix)) {
    return `its groups have ${sizeText(spanA)}, not ${sizeText(spanB)}`;
  }
  const missing = Object.keys(b.fields).find((role) => !hasRole(a, role));
  if (missing !== undefined) return `it has no ${missing}`;
  const other = Object.entries(a.constants ?? {}).find(([role, value]) =>
    (b.constants?.[role] ?? value) !== value
  );
  return other &&
    `its ${other[0]} is ${other[1]}, not ${b.constants![other[0]]}`;
}

function describeForm({ form }: Scheme): string {
  return form === "other" ? "of a form of its own" : form;
}

function sizeText({ rows, columns }: Span): string {
  return rows === 1 ? `${columns} values` : `${rows} × ${columns} values`;
}

/** Whether two spans cut a matrix in the same areas. */
function sameAreas(a: Span, b: Span, { rows, columns }: Matrix): boolean {
  return Math.min(a.rows, rows) === Math.min(b.rows, rows) &&
    Math.min(a.columns, columns) === Math.min(b.columns, columns);
}

function hasRole({ fields, constants = {} }: Scheme, role: string): boolean {
  const has = (role: string) => role in fields || role in constants;
  return has(role) || role === "order" || has(INVERSES[role]) ||
    TENSOR_SCALES.includes(role) && TENSOR_SCALES.some(has);
}

/**
 * The windows to repack a tensor in: in each is all that either side keeps together.
 *
 * @param from What the tensor is.
 * @param to What it becomes.
 * @param capacity Values in a window at most, if that is not more.
 * @param tall Rows of a window, where there are as many and capacity allows.
 * @param area What is cut: one of such windows, or all.
 */
export function repackWindows(
  { scheme: { together } }: Tensor,
  { scheme, layout }: Tensor,
  capacity: number,
  tall: number,
  area: Window = whole(layout.matrix),
): Iterable<Window> {
  const cutting = cuttingOf({
    layout,
    scheme: together ? { ...scheme, together } : scheme,
  });
  return windows(area, cutting, capacity, tall);
}

/**
 * Repacks a window.
 *
 * @param from What the tensor is.
 * @param source Its bytes, or as much of them as the window needs.
 * @param to What it becomes: {@linkcode whyNotRepack} had nothing against it.
 * @param target Where it goes.
 * @param window One of {@linkcode repackWindows}, or another that starts at the grain of `to`.
 * @param sorted Whether columns are put in the order of their groups.
 * @throws {RangeError} Names the first group and field that does not fit.
 */
export function repackWindow(
  from: Tensor,
  source: TensorBytes,
  to: Tensor,
  target: TensorBytes,
  window: Window,
  sorted = false,
): void {
  const grain = grainOf(
    to.layout,
    to.scheme.fields,
    false,
    from.scheme.together,
  );
  const rows = Math.max(
    grain.rows,
    tallness(from, grain.columns),
    tallness(to, grain.columns),
  );
  const tall = { ...grain, rows: Math.ceil(rows / grain.rows) * grain.rows };
  const [fieldsFrom, codesFrom] = apart(from), [fieldsTo, codesTo] = apart(to);
  const beside = lowestBeside(source, target);
  openRoom(beside);
  for (const band of cut(window, tall, BAND_VALUES)) {
    const columns = repackFields(
      fieldsFrom,
      source,
      fieldsTo,
      target,
      band,
      sorted,
    );
    const rest = columns
      ? [band]
      : movedInBlocks(codesFrom, source, codesTo, target, band, beside);
    for (const part of rest.flatMap((a) => [...cut(a, tall, WINDOW_VALUES)])) {
      const read = newTile(part, codesFrom);
      unpackTile(codesFrom, read, source);
      if (columns) takeColumns(read, columns);
      checkCodes(from.scheme, to.scheme, read);
      packTile(codesTo, read, target);
    }
  }
}

/** Moves codes in blocks, where they lie so here and there; gives the windows that are left. */
function movedInBlocks(
  from: Tensor,
  source: TensorBytes,
  to: Tensor,
  target: TensorBytes,
  band: Window,
  beside: Uint8Array,
): readonly Window[] {
  const one = onlyCodes(from.layout.parts), other = onlyCodes(to.layout.parts);
  if (!one || !other || !sameCodes(from.scheme, to.scheme)) return [band];
  const partOf = (
    { layout }: Tensor,
    { bytes, area }: TensorBytes,
    [name, item]: typeof one,
  ) => ({ plan: layout.parts[name], bytes: bytes[name], area, item });
  return moveInBlocks(
    partOf(from, source, one),
    partOf(to, target, other),
    to.layout.matrix,
    band,
    beside,
  );
}

/** A tensor as its numbers beside the codes, and as codes without any: numbers are moved for many more values at a time. */
function apart({ scheme, layout }: Tensor): [fields: Tensor, codes: Tensor] {
  const isCode = ({ kind }: PartPlan["holds"][number]) =>
    kind === "codes" || kind === "bits";
  const only = (wanted: boolean): Tensor["layout"] => ({
    ...layout,
    parts: Object.fromEntries(
      Object.entries(layout.parts).map(([name, plan]) => {
        const holds = plan.holds.filter((item) => isCode(item) === wanted);
        return [name, { ...plan, holds }] as const;
      }).filter(([, { holds }]) => holds.length > 0),
    ),
  });
  return [
    { scheme, layout: only(false) },
    { scheme: { ...scheme, fields: {} }, layout: only(true) },
  ];
}

/** The array by which tiles are made in the memory of the largest part, if no part lies there where tiles do. */
function lowestBeside(...parts: readonly TensorBytes[]): Uint8Array {
  const arrays = parts.flatMap(({ bytes }) => Object.values(bytes));
  const { buffer } = arrays.reduce((a, b) => b.length > a.length ? b : a);
  return arrays.filter((array) => array.buffer === buffer)
    .reduce((a, b) => b.byteOffset < a.byteOffset ? b : a);
}

/** Repacks a whole tensor. */
export function repackTensor(
  from: Tensor,
  source: TensorBytes["bytes"],
  to: Tensor,
  target: TensorBytes["bytes"],
): void {
  const area = whole(to.layout.matrix);
  repackWindow(
    from,
    { bytes: source, area },
    to,
    { bytes: target, area },
    area,
  );
}

/**
 * Codes have to stand for the same in the target. Libraries differ in the sign of
 * a zero, and that may change: ggml reads code 8 of E2M1 as 0, all others as −0.
 */
function checkCodes(from: Scheme, to: Scheme, read: Tile): void {
  if (sameCodes(from, to)) return;
  const a = from.grid.values, b = to.grid.values;
  const { codes } = read;
  let bad = 0;
  while (bad < codes.length && a[codes[bad]] === b[codes[bad]]) bad++;
  if (bad === codes.length) return;
  const code = read.codes[bad];
  throw new RangeError(
    `Cannot repack: code ${code} at index ${
      indexInTensor(read, bad)
    } does not fit: it stands for ${a[code]}, there for ${
      b[code]
    }; quantize anew from the dequantized values instead`,
  );
}

/** Whether every code stands for the same. */
function sameCodes({ grid: { values } }: Scheme, { grid }: Scheme): boolean {
  return values.every((value, code) => value === grid.values[code]);
}
