/**
 * Numbers that no writer puts beside codes: refused where they are read, by part
 * and group.
 *
 * @module
 */
import { firstOutside } from "../numeric/finite.ts";
import { fieldAreas, type FieldPlans, type Tile } from "../words/tile.ts";
import { areWithin } from "./tiles.ts";

/** What scales a reader takes. */
export interface ScaleCheck {
  /** The part that they lie in, for messages. */
  readonly part: string;
  /** Whether negative ones are among them. */
  readonly signed?: boolean;
}

/**
 * Throws a RangeError that names part, group and row where a number of a field is
 * not as it has to be.
 *
 * @param tile The tile.
 * @param plans The fields of its scheme.
 * @param role The field.
 * @param part The part that it lies in.
 * @param between The smallest and the largest number that is taken; a NaN is not.
 * @param wanted What it must be, to go after "it must be".
 * @param offset What the field counts more than the part does.
 */
export function checkField(
  tile: Tile,
  plans: FieldPlans,
  role: string,
  part: string,
  [min, max]: readonly [min: number, max: number],
  wanted: string,
  offset = 0,
): void {
  const field = tile.fields[role];
  if (areWithin(field, min, max)) return;
  const bad = firstOutside(field, min, max);
  const areas = fieldAreas(tile, plans[role]);
  const group = areas.column + bad % areas.columns;
  const row = areas.row + Math.floor(bad / areas.columns);
  throw new RangeError(
    `Cannot dequantize: part "${part}" has ${
      field[bad] - offset
    } for group [${row}, ${group}]; ` +
      `it must be ${wanted}: the part is damaged or of another format`,
  );
}

/** Refuses scales that are no numbers, and negative ones where no writer makes them. */
export function checkScales(
  tile: Tile,
  plans: FieldPlans,
  role: string,
  { part, signed = false }: ScaleCheck,
): void {
  checkField(
    tile,
    plans,
    role,
    part,
    [signed ? -Infinity : 0, Infinity],
    signed ? "a number" : "a number and not negative",
  );
}

/** Refuses zero points that are no codes: fields count from 0, what is stored from `least`. */
export function checkZeros(
  tile: Tile,
  plans: FieldPlans,
  part: string,
  least: number,
): void {
  checkField(
    tile,
    plans,
    "zero",
    part,
    [0, 15],
    `from ${least} to ${least + 15}`,
    -least,
  );
}
