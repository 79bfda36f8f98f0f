/**
 * Which formats can be repacked into which, found by trying: `formats --repack`.
 *
 * @module
 */
import { dequantizeWith, quantizeWith, repackWith } from "../core.ts";
import { formats } from "../formats.ts";
import type { Format, QuantizedTensor } from "../words/format.ts";
import { type Call, type Flag, show } from "./command.ts";
import { weightLike } from "./sample.ts";
import { columnsOf } from "./table.ts";
import type { Io } from "./terminal.ts";
import { type Variant, variantsOf } from "./variants.ts";

/** The flag of the table. */
export const REPACK_FLAG: Flag = {
  name: "repack",
  help: "which format can be repacked into which others, numbers as they were",
};

/** Rows and columns that every format takes. */
const SHAPE = [32, 256];

/** Variants of a format: more than any has. */
const ALL = 1000;

/** A way that numbers can go. */
interface Way {
  readonly to: Variant;
  /** Whether values are the same to the bit: formats round them to types of their own. */
  readonly exact: boolean;
}

/** A format with options, and where its numbers can go. */
interface Source {
  readonly from: Variant;
  readonly ways: readonly Way[];
}

/**
 * Prints which formats can be repacked into which.
 *
 * @param call The call of `formats`.
 * @param io Where to print.
 */
export function tellRepack(call: Call, io: Io): void {
  const sources = [...formats.values()].flatMap(sourcesOf);
  show(
    call,
    io.out,
    () => ({
      repack: sources.map(({ from, ways }) => ({
        format: from.format.name,
        options: from.options,
        to: ways.map(({ to, exact }) => ({
          format: to.format.name,
          options: to.options,
          sameValues: exact,
        })),
      })),
    }),
    () => [
      ...columnsOf(
        sources.map(({ from, ways }) => [
          nameOf(from),
          ways.map(({ to, exact }) => `${nameOf(to)}${exact ? "" : " *"}`)
            .join(", ") || "none",
        ]),
      ),
      "* codes and scales as they were, values rounded to another type, or a zero of the other sign",
      "Tried on weights: numbers that a format cannot hold are refused with their place.",
    ],
  );
}

/** A format, and those of its options with which its numbers go where they could not before. */
function sourcesOf(format: Format): Source[] {
  const sources: Source[] = [], known = new Set<string>();
  for (const from of variantsWith(format, 2)) {
    const ways = waysOf(from);
    const news = ways.filter(({ to, exact }) =>
      !known.has(`${nameOf(to)} ${exact}`)
    );
    if (sources.length > 0 && news.length === 0) continue;
    for (const { to, exact } of news) known.add(`${nameOf(to)} ${exact}`);
    sources.push({ from, ways });
  }
  return sources;
}

function waysOf({ format, options }: Variant): Way[] {
  const values = weightLike(SHAPE[0], SHAPE[1]);
  const quantized = quantizeWith(format, values, { shape: SHAPE, ...options });
  const before = dequantizeWith(format, quantized);
  return [...formats.values()].flatMap((target) => {
    if (target === format) return [];
    for (const to of variantsWith(target, 1)) {
      const repacked = tried(format, quantized, to);
      if (!repacked) continue;
      const after = dequantizeWith(target, repacked);
      return [{ to, exact: before.every((x, i) => Object.is(x, after[i])) }];
    }
    return [];
  });
}

/** The defaults first, then what takes so many flags at most. */
function variantsWith(format: Format, most: number): Variant[] {
  return variantsOf(format, {}, SHAPE, ALL)
    .filter(({ flags }) => flags.length <= most)
    .sort((a, b) => a.flags.length - b.flags.length);
}

function tried(
  from: Format,
  quantized: QuantizedTensor,
  to: Variant,
): QuantizedTensor | undefined {
  try {
    return repackWith(from, quantized, to.format, to.options);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function nameOf({ format, flags }: Variant): string {
  return [format.name, ...flags].join(" ");
}
