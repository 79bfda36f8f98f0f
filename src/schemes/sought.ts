/**
 * What a format has to be searched for, as data. The searches themselves are the
 * larger part of a format's code, so they are brought along apart from it
 * (searches.ts), and most bundles do without.
 *
 * @module
 */
import {
  isSearched,
  type ResolvedSearchOptions,
  type ScaleSearch,
} from "../words/search.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import { UINT4 } from "./grids.ts";
import type { HqqPlan } from "./hqq.ts";
import type { StoredPlan } from "./stored_plan.ts";

/** Groups that have a scale and nothing else. */
export interface ScaleSought {
  /** Tells it from the other kinds. */
  readonly kind: "scale";
  /** What codes stand for before scaling. */
  readonly levels: readonly number[];
  /** The field of the scale. */
  readonly role: string;
  /** What scales there are. */
  readonly stored: StoredPlan;
}

/** Groups that have a scale and a zero point of 0 … 15. */
export interface ZeroSought {
  /** Tells it from the other kinds. */
  readonly kind: "zero";
  /** What scales there are. */
  readonly stored: StoredPlan;
  /** The smallest zero point. */
  readonly least: number;
}

/** Groups that have a scale and a bias. */
export interface BiasSought {
  /** Tells it from the other kinds. */
  readonly kind: "bias";
  /** The type of both. */
  readonly dtype: ComputeDtype;
}

/** Groups whose scales are numbers of a table, stretched and moved for many groups together. */
export interface NestedSought {
  /** Tells it from the other kinds. */
  readonly kind: "nested";
  /** What the codes of values stand for. */
  readonly levels: readonly number[];
  /** How many values share a scale. */
  readonly blockSize: number;
  /** How many scales share a nested one. */
  readonly blocks: number;
  /** What values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/** Blocks whose groups have multiples of a float16 for scales. */
export interface MultiplesSought {
  /** Tells it from the other kinds. */
  readonly kind: "multiples";
  /** What codes stand for before scaling. */
  readonly levels: readonly number[];
  /** Values in a group. */
  readonly size: number;
  /** The smallest multiple. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
}

/** Blocks whose groups have a scale and an offset to take away, both six-bit multiples of a float16. */
export interface PairsSought {
  /** Tells it from the other kinds. */
  readonly kind: "pairs";
  /** Values in a group. */
  readonly size: number;
}

/** Ranges of whole columns, or of all of them, that a prepass finds. */
export interface RangeSought {
  /** Tells it from the other kinds. */
  readonly kind: "range";
  /** How many columns there are. */
  readonly columns: number;
  /** Whether one range serves all. */
  readonly together: boolean;
  /** Where the level of the smallest code lies above the start of its range, in steps. */
  readonly offset: number;
  /** Changes a copy of a row before it is measured. */
  readonly prepare?: (row: Float32Array) => void;
}

/** Groups of HQQ's scheme. */
export interface HqqSought {
  /** Tells it from the other kinds. */
  readonly kind: "hqq";
  /** The scheme. */
  readonly plan: HqqPlan;
}

/** What a format has to be searched for, and how it can be. */
export type Sought =
  & {
    /** The searches that it can do beside the reference. */
    readonly able: readonly ScaleSearch[];
  }
  & (
    | ScaleSought
    | ZeroSought
    | BiasSought
    | NestedSought
    | MultiplesSought
    | PairsSought
    | RangeSought
    | HqqSought
  );

/** Makes of a scheme one that searches; `columns` is how many there are weights for: the last axis. */
export type Searcher = (
  scheme: Scheme,
  sought: Sought,
  options: ResolvedSearchOptions,
  columns: number,
) => Scheme;

let searcher: Searcher | undefined;

/** Says what searches. Entry points do, so that one which does without need not carry it. */
export function useSearcher(searching: Searcher): void {
  searcher = searching;
}

/**
 * Makes a scheme that searches.
 *
 * @param scheme How the format finds its numbers without.
 * @param sought What is searched for.
 * @param options What is asked for; with `"reference"` the scheme stays as it is.
 * @param columns How many columns there are weights for: the last axis.
 * @throws {RangeError} When no entry point brought searches along.
 */
export function searched(
  scheme: Scheme,
  sought: Sought,
  options: ResolvedSearchOptions,
  columns: number,
): Scheme {
  if (!isSearched(options)) return scheme;
  if (searcher) return searcher(scheme, sought, options, columns);
  throw new RangeError(
    `Cannot use search "${options.search}": searches are apart from formats; ` +
      `import "@nibblewise/nibblewise/searches" or "@nibblewise/nibblewise/js/searches"`,
  );
}

/** The searches for a single scale. */
export const SCALE_SEARCHES: readonly ScaleSearch[] = ["fast", "optimal"];

/** A single scale in a field. */
export function seekScale(
  levels: readonly number[],
  role: string,
  stored: StoredPlan,
): Sought {
  return { kind: "scale", able: SCALE_SEARCHES, levels, role, stored };
}

/** The searches for a scale and a zero point. */
export const ZERO_SEARCHES: readonly ScaleSearch[] = [
  "fast",
  "optimal",
  "best",
];

/** A scale and a zero point of at least `least`. */
export function seekZero(stored: StoredPlan, least = 0): Sought {
  return { kind: "zero", able: ZERO_SEARCHES, stored, least };
}

/** The searches for a scale and a bias. */
export const BIAS_SEARCHES: readonly ScaleSearch[] = ["fast", "best"];

/** A scale and a bias in a float type. */
export function seekBias(dtype: ComputeDtype): Sought {
  return { kind: "bias", able: BIAS_SEARCHES, dtype };
}

/** Multiples of a float16 for the groups of a block. */
export function seekMultiples(
  of: Omit<MultiplesSought, "kind">,
): Sought {
  return { kind: "multiples", able: ["fast", "best"], ...of };
}

/** Six-bit multiples of two float16 for the groups of a block, of `size` values each. */
export function seekPairs(size: number): Sought {
  return { kind: "pairs", able: ["fast", "best"], size };
}

/** Ranges that a prepass finds. */
export function seekRanges(of: Omit<RangeSought, "kind">): Sought {
  return { kind: "range", able: BIAS_SEARCHES, ...of };
}

/** How the integers of a format are stored. */
export interface StoredIntegers {
  /** Whether the zero point is 8 for all groups, or one of 0 … 15 for each. */
  readonly symmetric: boolean;
  /** The type of the scales. */
  readonly dtype: ComputeDtype;
  /** Whether scales may be negative. */
  readonly signed?: boolean;
  /** The type that values are rounded to; F32 by default. */
  readonly compute?: ComputeDtype;
}

/** Groups of integers: a scale, and a zero point where each has its own. */
export function seekIntegers(
  { symmetric, dtype, signed = false, compute = "F32" }: StoredIntegers,
): Sought {
  if (!symmetric) return seekZero({ dtype, level: 15, compute });
  const levels = UINT4.values.map((c) => c - 8);
  return seekScale(levels, "scale", { dtype, signed, level: 8, compute });
}
