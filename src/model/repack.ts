/**
 * Repacking: from one layout to another, without a look at what the numbers mean.
 * It moves numbers and changes none, or refuses with the reason.
 *
 * @module
 */
import { isInOrder, setOrder } from "../schemes/act_order.ts";
import { groupOf, type Scheme } from "../words/scheme.ts";
import { grainOf } from "../words/layout.ts";
import {
  areaNumber,
  fieldLength,
  type FieldPlan,
  type Fields,
  indexInTensor,
  type Span,
  type Tile,
  tileOf,
} from "../words/tile.ts";
import { cut, type Matrix, whole, type Window } from "../words/window.ts";
import { asTensorScale, TENSOR_SCALES } from "./tensor_scale.ts";
import { cuttingOf, type Tensor, windows } from "./stages.ts";
import {
  checkFields,
  newTile,
  openRoom,
  packTile,
  tallness,
  type TensorBytes,
  unpackFields,
  unpackTile,
} from "./tensor.ts";

/** Codes in a window: with what is written of them they stay in the second cache. */
const WINDOW_VALUES = 131072;

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
  return has(role) || role === "order" ||
    TENSOR_SCALES.includes(role) && TENSOR_SCALES.some(has);
}

/** A number that the other format has no place for. */
export class Misfit extends RangeError {
  /** The role of its field. */
  readonly role: string;

  /**
   * @param role The role of the field.
   * @param message What to say.
   */
  constructor(role: string, message: string) {
    super(message);
    this.role = role;
  }
}

/**
 * The windows to repack a tensor in: in each is all that either side keeps together.
 *
 * @param from What the tensor is.
 * @param to What it becomes.
 * @param capacity Values in a window at most, if that is not more.
 * @param tall Rows of a window, where there are as many and capacity allows.
 */
export function repackWindows(
  { scheme: { together } }: Tensor,
  { scheme, layout }: Tensor,
  capacity: number,
  tall: number,
): Iterable<Window> {
  const cutting = cuttingOf({
    layout,
    scheme: together ? { ...scheme, together } : scheme,
  });
  return windows(whole(layout.matrix), cutting, capacity, tall);
}

/**
 * Repacks a window.
 *
 * @param from What the tensor is.
 * @param source Its bytes, or as much of them as the window needs.
 * @param to What it becomes: {@linkcode whyNotRepack} had nothing against it.
 * @param target Where it goes.
 * @param window One of {@linkcode repackWindows}, or another that starts at the grain of `to`.
 * @param arrange Changes what was read before it is written.
 * @throws {RangeError} Names the first group and field that does not fit.
 */
export function repackWindow(
  from: Tensor,
  source: TensorBytes,
  to: Tensor,
  target: TensorBytes,
  window: Window,
  arrange?: (read: Tile) => void,
): void {
  const grain = grainOf(
    to.layout,
    to.scheme.fields,
    false,
    from.scheme.together,
  );
  openRoom(lowestBeside(source, target));
  const rows = Math.max(
    grain.rows,
    tallness(from, grain.columns),
    tallness(to, grain.columns),
  );
  const tall = { ...grain, rows: Math.ceil(rows / grain.rows) * grain.rows };
  for (const part of cut(window, tall, WINDOW_VALUES)) {
    const read = newTile(part, from);
    unpackTile(from, read, source);
    arrange?.(read);
    const fields: Record<string, Float32Array> = {};
    for (const [role, plan] of Object.entries(to.scheme.fields)) {
      fields[role] = fieldFor(role, plan, from.scheme, to.scheme, read);
    }
    checkDropped(from.scheme, to.scheme, read);
    checkCodes(from.scheme, to.scheme, read);
    packTile(to, { ...read, fields }, target);
    const back = tileOf(
      read.matrix,
      part,
      to.scheme.fields,
      read.codes,
      read.memory,
    );
    unpackFields(to, back, target);
    checkSame(fields, back, to.scheme);
    checkTaken(to, back);
  }
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

/** The numbers of a field: those that were read, a constant of the source, or the natural order of columns. */
function fieldFor(
  role: string,
  plan: FieldPlan,
  { constants = {} }: Scheme,
  target: Scheme,
  read: Tile,
): Float32Array {
  const own = read.fields[role];
  if (own) return own;
  const field = read.memory(fieldLength(read, plan));
  if (role === "order") {
    const { columns } = groupOf(target, read.matrix);
    setOrder({ fields: { order: field }, column: read.column }, columns);
    return field;
  }
  if (TENSOR_SCALES.includes(role) && !(role in constants)) {
    return field.fill(asTensorScale(role, { ...constants, ...read.fields }));
  }
  return field.map((_, i) => constantAt(constants[role], i)!);
}

/** A number of a constant: of a table where it is one. */
function constantAt(
  constant: number | readonly number[] | undefined,
  i: number,
): number | undefined {
  return typeof constant === "object" ? constant[i] : constant;
}

/** What the target has no field for has to be what the target takes it for. */
function checkDropped(from: Scheme, to: Scheme, read: Tile): void {
  for (const [role, plan] of Object.entries(from.fields)) {
    if (role in to.fields) continue;
    if (TENSOR_SCALES.includes(role) && holdsTensorScale(to)) continue;
    const { columns } = groupOf(from, read.matrix);
    const constant = constantOf(to, role);
    const field = read.fields[role];
    if (role === "order" && isInOrder(read, columns)) continue;
    const expected = role === "order"
      ? (i: number) => Math.floor((read.column + i) / columns)
      : (i: number) => constantAt(constant, i);
    let bad = 0;
    while (bad < field.length && field[bad] === expected(bad)) bad++;
    if (bad === field.length) continue;
    throw misfit(
      role,
      read.fields[role][bad],
      `it can only be ${expected(bad)} there`,
      plan,
      read,
      bad,
    );
  }
}

/** Whether a scheme has a field for the scale of the tensor, in whatever way it is told. */
function holdsTensorScale({ fields }: Scheme): boolean {
  return TENSOR_SCALES.some((role) => role in fields);
}

/** What a scheme without a field for a role takes it for. */
function constantOf(
  { constants = {} }: Scheme,
  role: string,
): number | readonly number[] | undefined {
  return TENSOR_SCALES.includes(role) &&
      TENSOR_SCALES.some((other) => other in constants)
    ? asTensorScale(role, constants)
    : constants[role];
}

/**
 * Codes have to stand for the same in the target. Libraries differ in the sign of
 * a zero, and that may change: ggml reads code 8 of E2M1 as 0, all others as −0.
 */
function checkCodes(from: Scheme, to: Scheme, read: Tile): void {
  const a = from.grid.values, b = to.grid.values;
  if (a === b) return;
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

/** What was written has to read back as it was, to the bit. */
function checkSame(
  fields: Fields,
  back: Tile,
  { fields: plans }: Scheme,
): void {
  for (const [role, values] of Object.entries(fields)) {
    const again = back.fields[role];
    let bad = 0;
    while (bad < values.length && Object.is(values[bad], again[bad])) bad++;
    if (bad === values.length) continue;
    throw misfit(
      role,
      values[bad],
      `it would become ${back.fields[role][bad]}`,
      plans[role],
      back,
      bad,
    );
  }
}

/** What was written has to be such as the target reads. */
function checkTaken(to: Tensor, back: Tile): void {
  try {
    checkFields(to, back);
    to.scheme.check?.(back);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(
      `Cannot repack: it could not be read there: ${cause.message}`,
      { cause },
    );
  }
}

function misfit(
  role: string,
  value: number,
  why: string,
  { span, length = 1 }: FieldPlan,
  tile: Tile,
  index: number,
): Misfit {
  const group = Math.floor(index / length);
  const perRow = Math.ceil(
    (tile.column % span.columns + tile.columns) / span.columns,
  );
  const row = tile.row + Math.floor(group / perRow) * span.rows;
  const column = tile.column - tile.column % span.columns +
    group % perRow * span.columns;
  const number = areaNumber(
    tile.matrix,
    span,
    row * tile.matrix.columns + column,
  );
  return new Misfit(
    role,
    `Cannot repack: ${role} ${value} of group ${number} does not fit: ${why}; ` +
      "quantize anew from the dequantized values instead",
  );
}
