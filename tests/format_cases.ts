/**
 * Shapes and options worth a try, made from the schema of a format: what is
 * registered is tested, without a list that names it.
 *
 * @module
 */
import type { Format } from "../src/words/format.ts";
import { isSearched } from "../src/words/search.ts";
import type { Option } from "../src/words/schema.ts";
import {
  combinationsOf,
  type GivenOptions,
  takes,
} from "../src/words/trials.ts";
import { importanceData } from "./formats/ggml_data.ts";

/** A tensor to try. */
export interface Case {
  /** Its shape. */
  readonly shape: number[];
  /** Options as a caller gives them. */
  readonly options: GivenOptions;
}

/** Group sizes around what kernels treat apart: odd, short, whole rows, beyond a tile. */
const NUMBERS = [
  1,
  2,
  3,
  5,
  16,
  20,
  32,
  33,
  48,
  64,
  100,
  128,
  256,
  1024,
  16386,
];

/** Values of an option to try; `undefined` leaves it out. */
function valuesOf(option: Option, columns: number): unknown[] {
  switch (option.kind) {
    case "boolean":
      return [true, false];
    case "choice":
      return [...option.choices];
    case "range":
      return [undefined, [-1.5, 2]];
    case "weights": {
      const { random, withZeros } = importanceData(columns);
      return [undefined, random, withZeros];
    }
    case "number": {
      const numbers = option.choices ??
        NUMBERS.filter((n) =>
          n >= option.min && n <= option.max &&
          (!option.powerOfTwo || Number.isInteger(Math.log2(n)))
        );
      return [undefined, ...numbers, ...(option.words ?? [])];
    }
  }
}

/** Combinations of option values: all, or evenly chosen ones, others for other columns. */
function combinations(
  format: Format,
  columns: number,
): GivenOptions[] {
  const all = combinationsOf(format, (option) => valuesOf(option, columns));
  return evenly(all, MOST_COMBINATIONS, columns);
}

/** At most so many of a list, as far from each other as can be; `turn` says which. */
function evenly<T>(list: readonly T[], most: number, turn = 0): T[] {
  const step = Math.max(1, list.length / most);
  return Array.from(
    { length: Math.min(most, list.length) },
    (_, i) => list[Math.floor(i * step + turn) % list.length],
  );
}

/** Last axes: around vectors, blocks and tiles, odd ones too. */
const COLUMNS = [
  ...[0, 1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 96, 100, 128, 129, 160, 256, 512],
  ...[1000, 1280, 2048, 2560, 4099, 9001, 20000],
];
/** Leading axes. */
const LEADING = [[], [1], [2], [3, 2], [8], [16], [32], [0]];

/** Longer rows are tried alone: the scalar reference takes its time. */
const MOST_COLUMNS = 600;

/** Nothing longer is searched, which takes a hundred times as long as the reference. */
const MOST_SEARCHED = 520;

/** How many combinations of options are tried on a number of columns at most. */
const MOST_COMBINATIONS = 60;

/** How many cases a format is tried on at most. */
const MOST = 60;

/**
 * The cases of a format: those that it takes. Throws where it takes none.
 *
 * @param format The format.
 * @param most How many at most, evenly chosen.
 */
export function casesOf(format: Format, most = MOST): Case[] {
  const cases: Case[] = [];
  for (const columns of COLUMNS) {
    for (const options of combinations(format, columns)) {
      for (const leading of LEADING) {
        const shape = [...leading, columns];
        if (columns > MOST_COLUMNS && leading.length > 0) continue;
        const isSlow = isSearched(options) &&
          shape.reduce((a, b) => a * b) > MOST_SEARCHED;
        if (!isSlow && takes(format, options, shape)) {
          cases.push({ shape, options });
        }
      }
    }
  }
  if (cases.length === 0) throw new Error(`No case for ${format.name}`);
  return evenly(cases, most);
}

/** The first shape of so many values that a format takes: in one row, or in several. */
export function shapeFor(format: Format, values: number): number[] {
  const shapes = [[values], ...[2, 32, 16, 8].map((n) => [n, values / n])];
  const shape = shapes.find((shape) => takes(format, {}, shape));
  if (shape) return shape;
  throw new Error(`No shape of ${values} values for ${format.name}`);
}
