/**
 * Layouts are data, and data can be added up: what lies in a unit covers its
 * bytes just once, and units cover their part.
 */
import { assert, assertEquals } from "@std/assert";
import { formats } from "../../mod.ts";
import { writableTypes } from "../../src/ggml/writable.ts";
import {
  partBytes,
  type PartPlan,
  rangeOf,
  unitsOf,
} from "../../src/words/layout.ts";
import type { Format } from "../../src/words/format.ts";
import { areaOf, whole } from "../../src/words/window.ts";
import { casesOf } from "../format_cases.ts";

/** How often each bit of a unit is taken. */
function uses({ unit, holds }: PartPlan): number[] {
  const bits = new Array(8 * unit.bytes).fill(0);
  const use = (at: number, first: number, count: number) => {
    for (let k = 0; k < count; k++) bits[8 * at + first + k]++;
  };
  for (const item of holds) {
    if (item.kind === "codes") {
      assertEquals(item.nibbles.length, unit.rows * unit.columns);
      for (const nibble of [...item.nibbles, ...item.spare ?? []]) {
        use(item.at, 4 * nibble, 4);
      }
    } else if (item.kind === "bits") {
      assertEquals(item.places.length, unit.rows * unit.columns);
      for (const at of item.places) use(item.at, at * item.width, item.width);
    } else if (item.kind === "field") use(item.at, 0, 8 * item.codec.bytes);
    else if (item.kind === "constant") use(item.at, 0, 8 * item.bytes.length);
  }
  return bits;
}

/** Those of the registry, and ggml's types beside four bits. */
const all = new Map<string, Format>([
  ...formats,
  ...[...writableTypes.values()].map((format) =>
    [format.name, format as Format] as const
  ),
]);

Deno.test("codes of other widths than four bits are made up of all their bits, the lowest first", () => {
  const widths = [...writableTypes.values()].flatMap((format) => {
    const { blocks } = format.layout([256], {}).parts;
    const bits = blocks.holds.filter((item) => item.kind === "bits");
    let width = 0;
    for (const item of bits) {
      assertEquals(item.above, width, format.name);
      width += item.width;
    }
    return width > 0 ? [[format.name, width]] : [];
  });
  assertEquals(Object.fromEntries(widths), {
    ...{ q5_0: 5, q5_1: 5, q5_k: 5, q6_k: 6, q8_0: 8 },
  });
});

for (const [name, format] of all) {
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
        // Only the last unit may be cut short, and not to nothing.
        const short = units * plan.unit.bytes - partBytes(plan);
        assert(short >= 0 && short < plan.unit.bytes, `${name} [${shape}]`);
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
