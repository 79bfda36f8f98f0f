/**
 * Layouts are data, and data can be added up: what lies in a unit covers its
 * bytes just once, and units cover their part.
 */
import { assert, assertEquals } from "@std/assert";
import { formats } from "../../mod.ts";
import {
  partBytes,
  type PartPlan,
  rangeOf,
  unitsOf,
} from "../../src/words/layout.ts";
import { areaOf, whole } from "../../src/words/window.ts";
import { casesOf } from "../format_cases.ts";

/** How often each nibble of a unit is taken. */
function uses({ unit, holds }: PartPlan): number[] {
  const nibbles = new Array(2 * unit.bytes).fill(0);
  for (const item of holds) {
    if (item.kind === "codes") {
      assertEquals(item.nibbles.length, unit.rows * unit.columns);
      for (const nibble of [...item.nibbles, ...item.spare ?? []]) {
        nibbles[2 * item.at + nibble]++;
      }
    } else if (item.kind === "field") {
      for (let k = 0; k < 2 * item.codec.bytes; k++) nibbles[2 * item.at + k]++;
    } else if (item.kind === "constant") {
      assertEquals(item.bytes.length, unit.bytes);
      for (let k = 0; k < 2 * unit.bytes; k++) nibbles[k]++;
    }
  }
  return nibbles;
}

for (const [name, format] of formats) {
  Deno.test(`${name}: what lies in a unit covers its bytes just once`, () => {
    for (const { shape, options } of casesOf(format, 60)) {
      const resolved = format.resolve(options, shape);
      const plans = format.layout(shape, resolved).parts;
      for (const plan of Object.values(plans) as PartPlan[]) {
        if (plan.holds.some(({ kind }) => kind === "text")) continue;
        assert(uses(plan).every((n) => n === 1), `${name} [${shape}]`);
      }
    }
  });

  Deno.test(`${name}: units cover their part`, () => {
    for (const { shape, options } of casesOf(format)) {
      const resolved = format.resolve(options, shape);
      const { matrix, parts } = format.layout(shape, resolved);
      for (const plan of Object.values(parts) as PartPlan[]) {
        if (areaOf(whole(matrix)) === 0) continue;
        const units = areaOf(unitsOf(plan, matrix, whole(matrix)));
        assertEquals(units * plan.unit.bytes, partBytes(plan), `[${shape}]`);
        assertEquals(rangeOf(plan, matrix, whole(matrix)), {
          offset: 0,
          length: partBytes(plan),
          stride: partBytes(plan),
          count: 1,
        });
      }
    }
  });
}
