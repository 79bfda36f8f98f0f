/**
 * Repacking the numbers beside the codes: each has to become one that reads back as
 * it was, or there is no repacking.
 *
 * @module
 */
import { columnsByGroup, isInOrder, setOrder } from "../schemes/act_order.ts";
import { firstOutside } from "../numeric/finite.ts";
import type { Codec } from "../words/layout.ts";
import { groupOf, type Scheme } from "../words/scheme.ts";
import {
  areaNumber,
  fieldLength,
  type FieldPlan,
  type Tile,
  tileOf,
} from "../words/tile.ts";
import type { Window } from "../words/window.ts";
import { packTile, type TensorBytes } from "./pack_tile.ts";
import type { Tensor } from "./stages.ts";
import { checkFields, newTile, unpackTile } from "./tensor.ts";
import { asTensorScale, TENSOR_SCALES } from "./tensor_scale.ts";

/** Numbers that are told by their inverse, too: a divisor stands for the scale 1 / divisor, rounded. */
export const INVERSES: Readonly<Record<string, string>> = {
  scale: "divisor",
  divisor: "scale",
};

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
 * Moves the numbers beside the codes.
 *
 * @param from What the tensor is, without its codes.
 * @param source Its bytes.
 * @param to What it becomes, without its codes.
 * @param target Where it goes.
 * @param band The window.
 * @param sorted Whether columns are put in the order of their groups.
 * @returns The order in which columns are taken, where they are sorted.
 * @throws {RangeError} Names the first group and field that does not fit.
 */
export function repackFields(
  from: Tensor,
  source: TensorBytes,
  to: Tensor,
  target: TensorBytes,
  band: Window,
  sorted: boolean,
): Int32Array | undefined {
  const read = newTile(band, from, NO_CODES);
  unpackTile(from, read, source);
  const { columns } = groupOf(to.scheme, read.matrix);
  const order = sorted ? columnsByGroup(read.fields.order, columns) : undefined;
  if (order) setOrder(read, columns);
  const fields: Record<string, Float32Array> = {};
  for (const [role, plan] of Object.entries(to.scheme.fields)) {
    fields[role] = fieldFor(role, plan, from.scheme, to.scheme, read);
  }
  checkDropped(from.scheme, to.scheme, read);
  const written = { ...read, fields };
  packTile(to, written, target);
  checkKept(from, to, target, written);
  checkTaken(to, written);
  return order;
}

const NO_CODES = /* @__PURE__ */ new Uint8Array(0);

/** The numbers of a field: those that were read, a constant of the source, or the natural order of columns. */
function fieldFor(
  role: string,
  plan: FieldPlan,
  { constants = {} }: Scheme,
  target: Scheme,
  read: Tile,
): Float32Array {
  const own = read.fields[role], inverse = read.fields[INVERSES[role]];
  if (own) return own;
  if (inverse) return invertedField(role, inverse, plan, read);
  const field = read.memory(fieldLength(read, plan));
  if (role === "order") {
    const { columns } = groupOf(target, read.matrix);
    setOrder({ fields: { order: field }, column: read.column }, columns);
    return field;
  }
  if (TENSOR_SCALES.includes(role) && !(role in constants)) {
    return field.fill(asTensorScale(role, { ...constants, ...read.fields }));
  }
  const constant = constants[role];
  return typeof constant === "number"
    ? field.fill(constant)
    : field.map((_, i) => constant[i]);
}

/** Scales by divisors, or divisors whose inverses are just the scales. */
function invertedField(
  role: string,
  given: Float32Array,
  plan: FieldPlan,
  read: Tile,
): Float32Array {
  const field = given.map((x) => role === "scale" ? 1 / x : divisorOf(x));
  const bad = field.findIndex((x) => !Number.isFinite(x));
  if (bad < 0) return field;
  const why = `no float32 is the ${role} that stands for the same`;
  throw misfit(INVERSES[role], given[bad], why, plan, read, bad);
}

/** The number whose inverse rounds to a scale; NaN where there is none. */
function divisorOf(scale: number): number {
  const near = Math.fround(1 / scale), step = Math.abs(near) * 2 ** -23;
  for (const divisor of [near, near - step, near + step].map(Math.fround)) {
    if (Math.fround(1 / divisor) === scale) return divisor;
  }
  return NaN;
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
    if (INVERSES[role] in to.fields) continue;
    if (TENSOR_SCALES.includes(role) && holdsTensorScale(to)) continue;
    const { columns } = groupOf(from, read.matrix);
    const constant = constantOf(to, role);
    const field = read.fields[role];
    if (role === "order" && isInOrder(read, columns)) continue;
    const expected = role === "order"
      ? (i: number) => Math.floor((read.column + i) / columns)
      : (i: number) => constantAt(constant, i);
    const bad = typeof constant === "number"
      ? firstOutside(field, constant, constant)
      : field.findIndex((x, i) => x !== expected(i));
    if (bad < 0) continue;
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

/** What was written has to read back as it was, to the bit. */
function checkKept(
  from: Tensor,
  { scheme, layout }: Tensor,
  target: TensorBytes,
  { fields, ...tile }: Tile,
): void {
  const items = Object.values(layout.parts).flatMap(({ holds }) => holds);
  const all = items.some(({ kind }) => kind === "text");
  const roles = Object.keys(fields).filter((role) =>
    all ||
    !isKept(fields[role], codecOf(role, from.layout), codecOf(role, layout))
  );
  if (roles.length === 0) return;
  const plans = pick(scheme.fields, roles);
  const back = tileOf(tile.matrix, tile, plans, NO_CODES, tile.memory);
  const stored = all ? layout : { ...layout, parts: fieldsOf(layout, roles) };
  unpackTile(
    { scheme: { ...scheme, fields: plans }, layout: stored },
    back,
    target,
  );
  for (const role of roles) {
    const values = fields[role], again = back.fields[role];
    let bad = 0;
    while (bad < values.length && Object.is(values[bad], again[bad])) bad++;
    if (bad === values.length) continue;
    const why = `it would become ${again[bad]}`;
    throw misfit(role, values[bad], why, plans[role], back, bad);
  }
}

/** Whether numbers are stored as they were before, or are such as are always read as they were stored. */
function isKept(
  values: Float32Array,
  before: Codec | undefined,
  stored: Codec | undefined,
): boolean {
  if (!stored) return false;
  const { keeps } = stored;
  return stored === before || keeps === "all" ||
    keeps !== undefined && areWhole(values, keeps);
}

/** How numbers of a role are stored; undefined where that is not in one way. */
function codecOf(
  role: string,
  { parts }: Tensor["layout"],
): Codec | undefined {
  const [codec, ...others] = Object.values(parts).flatMap(({ holds }) =>
    holds.flatMap((item) =>
      item.kind === "field" && item.role === role ? [item.codec] : []
    )
  );
  return others.length === 0 ? codec : undefined;
}

function areWhole(
  values: Float32Array,
  [min, max]: readonly [min: number, max: number],
): boolean {
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    if (x !== (x | 0) || x < min || x > max) return false;
    if (x === 0 && 1 / x < 0) return false; // −0
  }
  return true;
}

/** Some of the members of an object. */
function pick<T>(
  from: Readonly<Record<string, T>>,
  names: readonly string[],
): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

/** The parts that hold numbers of these roles, with nothing else in them. */
function fieldsOf(
  { parts }: Tensor["layout"],
  roles: readonly string[],
): Tensor["layout"]["parts"] {
  return Object.fromEntries(
    Object.entries(parts).map(([name, plan]) => {
      const holds = plan.holds.filter((item) =>
        item.kind === "field" && roles.includes(item.role)
      );
      return [name, { ...plan, holds }];
    }),
  );
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
