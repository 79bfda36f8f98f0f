/**
 * Searches all groups of a tile in one call, where its arrays are where kernels
 * reach them: src/kernels/wasm/scale_search.ts, the same bits as scale_search.ts.
 *
 * @module
 */
import { callKernel } from "../kernels/arena.ts";
import { SCALES_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import type { Span, Tile } from "../words/tile.ts";
import type { ScaleSearch } from "../words/search.ts";
import type { Ladder, Ladders } from "./ladder.ts";
import type { MultiplesEffort, MultiplesRange } from "./multiples_explore.ts";
import { STARTS } from "./scale_search.ts";
import type { StoredScales } from "./stored_scale.ts";
import { COMPUTE_DTYPES, groupsOf } from "./tiles.ts";

const { fround } = Math;

/** What groups are searched for. */
export interface SearchJob {
  /** The grid. */
  readonly ladders: Ladders;
  /** What scales there are. */
  readonly stored: StoredScales;
  /** How. */
  readonly search: ScaleSearch;
}

/** Bytes of a record before the list of scales; {@linkcode recordOf} says what they are. */
const HEAD_BYTES = 456;

/** What part of a score is lost where the scale is the nearest of its type: the square of half a step. */
const LOSSES: Readonly<Record<ComputeDtype, number>> = {
  F32: 2 ** -48,
  F16: 2 ** -22,
  BF16: 2 ** -16,
};

/** Where exploring starts, over the scale that puts the largest value on the last level: below the first few, which depend on the grid. */
const POINTS: readonly number[] = [
  ...[2.3, 1.8, 1.5, 1.3, 1.16, 1.06, 0.98, 0.91, 0.85, 0.79, 0.73, 0.67],
];

/** The points as inverses, the first one left out: there nothing leaves the first levels. */
function pointsOf({ up, down, largest }: Ladders): number[] {
  const least = Math.min(...up.thresholds, ...down.thresholds);
  const ratio = (largest / least / POINTS[0]) ** 0.25;
  const wide = [3, 2, 1].map((power) => POINTS[0] * ratio ** power);
  return [...wide, ...POINTS].map((point) => 1 / point);
}

/** How far down the list half of a scale is, and from which number on; 0 where that is not so. */
function halvingOf(scales: ArrayLike<number>): [number, number] {
  const top = scales.length - 1, half = scales[top] / 2;
  let index = top;
  while (index >= 0 && scales[index] > half) index--;
  const by = top - index;
  let from = top;
  while (from - by >= 0 && scales[from - by] === scales[from] / 2) from--;
  return from === top ? [0, 0] : [by, from + 1];
}

const E2M1_LEVELS = [0, 0.5, 1, 1.5, 2, 3, 4, 6].join();

/** What the levels are: the numbers are those of src/kernels/wasm/scale_levels.ts. */
function kindOf({ up, down }: Ladders): number {
  const isUniform = ({ levels }: Ladder) =>
    levels.every((level, k) => Math.abs(level) === k);
  if (isUniform(up) && isUniform(down)) return 1;
  const isE2M1 = ({ levels }: Ladder) =>
    levels.map(Math.abs).join() === E2M1_LEVELS;
  return isE2M1(up) && isE2M1(down) ? 2 : 3;
}

/** Records that were made before: one for each way to search some scales on a grid. */
const records = new WeakMap<
  Ladders,
  WeakMap<StoredScales, Map<ScaleSearch, Uint8Array>>
>();

/** The record that the kernel reads. */
function recordFor({ ladders, stored, search }: SearchJob): Uint8Array {
  let ofGrid = records.get(ladders);
  if (!ofGrid) records.set(ladders, ofGrid = new WeakMap());
  let bySearch = ofGrid.get(stored);
  if (!bySearch) ofGrid.set(stored, bySearch = new Map());
  let record = bySearch.get(search);
  if (!record) {
    record = recordOf({ ladders, stored, search });
    bySearch.set(search, record);
  }
  return record;
}

function lastOf({ levels }: Ladder): number {
  return levels.length > 1 ? Math.abs(levels[levels.length - 1]) : 0;
}

function recordOf({ ladders, stored, search }: SearchJob): Uint8Array {
  const { up, down, largest } = ladders;
  const scales = stored.kind === "listed" ? stored.scales : [];
  const fields = stored.kind === "listed" ? stored.fields : [];
  const record = new ArrayBuffer(
    HEAD_BYTES + 8 * Math.ceil(1.5 * scales.length),
  );
  const words = new Uint32Array(record), numbers = new Float64Array(record);
  words[0] = stored.kind === "listed" ? 1 : 0;
  words[1] = search === "optimal" ? 1 : 0;
  if (stored.kind === "rounded") {
    words[2] = stored.signed ? 1 : 0;
    words[3] = COMPUTE_DTYPES.indexOf(stored.dtype);
    numbers[2] = stored.largest;
  }
  numbers.set([largest, lastOf(up), lastOf(down)], 3);
  words[12] = down.thresholds.length;
  words[13] = scales.length;
  words[14] = kindOf(ladders);
  const floats = new Float32Array(record);
  if (kindOf(ladders) === 2) words.set(halvingOf(scales), 112);
  if (stored.kind === "rounded") floats[15] = LOSSES[stored.dtype];
  floats.set(pointsOf(ladders), 97);
  numbers.fill(Infinity, 8, 24);
  numbers.set([...down.thresholds].reverse(), 8);
  numbers.set(up.thresholds, 8 + down.thresholds.length);
  const firsts = [up, down].map(({ thresholds }) => thresholds[0] ?? Infinity);
  const last = Math.max(...up.thresholds, ...down.thresholds);
  numbers.set([...firsts, last, up.levels[0]], 24);
  const levels = [...down.levels.slice(1)].reverse().concat([...up.levels]);
  const bytes = new Uint8Array(record);
  new Uint8Array(Float32Array.from(levels).buffer).forEach((byte, i) =>
    bytes[224 + 16 * (i & 3) + (i >> 2)] = byte
  );
  const codes = [...down.codes.slice(1)].reverse().concat([...up.codes]);
  bytes.set(codes, 288);
  numbers.set(STARTS, 38);
  numbers.set(scales, HEAD_BYTES / 8);
  floats.set(fields, HEAD_BYTES / 4 + 2 * scales.length);
  return bytes;
}

/** The steps that the kernel's tables go by, and what it keeps away from their ends. */
const STEPS = 127, MARGIN = 2 ** -12;

/** Whether no step of the kernel's tables has more than one threshold. */
function isSpread({ up, down }: Ladders): boolean {
  const last = Math.max(1, ...up.thresholds, ...down.thresholds);
  return [up, down].every(({ thresholds }) => {
    const places = [...thresholds].map((t) => t * STEPS / last);
    return places.every((place, k) =>
      k === 0 || Math.floor(places[k - 1] + MARGIN) + 1 + MARGIN < place
    );
  });
}

const known = new WeakMap<Ladders, boolean>();

/** Whether the kernel can do a grid. */
function isKnown(ladders: Ladders): boolean {
  let is = known.get(ladders);
  if (is === undefined) known.set(ladders, is = hasExactSums(ladders));
  return is;
}

/** Whether the kernel has the sums of a grid exactly: its levels are float32, and zeros that fill up a vector add whole numbers. */
function hasExactSums(ladders: Ladders): boolean {
  const { up, down } = ladders, levels = [...up.levels, ...down.levels];
  return levels.every((level) => fround(level) === level) &&
    (kindOf(ladders) !== 3 || isSpread(ladders)) &&
    (up.levels[0] === 0 || levels.every(Number.isInteger));
}

/** Whether the kernel knows the grid, and scales that are kept as they are. */
function isKnownJob({ ladders, stored }: SearchJob): boolean {
  const isInverse = stored.kind === "rounded" && stored.fieldOf !== undefined;
  return isKnown(ladders) && !isInverse;
}

/**
 * What came of searching a tile: all groups have new numbers; or some have none
 * that are better than none, or a scheme may have to refuse their values; or they
 * have to be searched one by one.
 */
export type Outcome = "done" | "left" | "unable";

/** By what kernels return. */
export const OUTCOMES: readonly Outcome[] = ["done", "left", "unable"];

/** Values of a tile and their weights; all the same where absent. */
export interface SearchedTile {
  /** The values. */
  readonly values: Float32Array;
  /** The weight of each. */
  readonly weights?: Float32Array;
  /** Receives numbers and codes. */
  readonly tile: Tile;
  /** The area that shares a scale. */
  readonly span: Span;
}

/** Calls a kernel with records and a list behind them, the fields of some roles and numbers at the end; the scale's role is the first. */
function call(
  name: string,
  { values, weights, tile, span }: SearchedTile,
  [role, ...others]: readonly string[],
  jobs: readonly SearchJob[],
  numbers: readonly number[] = [],
  list: readonly number[] = [],
): Outcome {
  if (span.rows > 1 || !sharedInstance(values, tile.codes)) return "unable";
  if (!jobs.every(isKnownJob)) return "unable";
  const records = jobs.map(recordFor), { length } = records[0];
  const size = records.length * length;
  const memory = tile.memory(size / 4 + 2 * list.length);
  const { buffer, byteOffset } = memory;
  const bytes = new Uint8Array(buffer, byteOffset, size);
  records.forEach((record, k) => bytes.set(record, k * length));
  new Float64Array(buffer, byteOffset + size, list.length).set(list);
  const { codes, fields } = tile;
  const arrays = [
    ...[values, weights ?? values, codes, fields[role], memory],
    ...others.map((other) => fields[other]),
  ];
  const instance = sharedInstance(...arrays), groups = groupsOf(tile, span);
  if (!instance || !groups) return "unable";
  const result = callKernel(SCALES_KERNELS, instance, name, [
    ...groups,
    ...arrays.map(({ byteOffset }) => byteOffset),
    weights ? 1 : 0,
    ...numbers,
  ]);
  return OUTCOMES[result ?? 2];
}

/**
 * Searches all groups of a tile for a single scale; where that is no better than
 * none, they stay as they are.
 *
 * @param searched The tile.
 * @param role The field of the scale.
 * @param job What is searched for.
 */
export function searchTile(
  searched: SearchedTile,
  role: string,
  job: SearchJob,
): Outcome {
  // With E2M1, halves of scales are left out as well, which the one for lists knows nothing of.
  const isLong = job.stored.kind === "listed" && kindOf(job.ladders) !== 2;
  const name = isLong ? "search_listed" : "search_scales";
  return call(name, searched, [role], [job]);
}

/**
 * The same for a scale and a zero point of 0 … 15, in the fields `scale` and `zero`.
 *
 * @param searched The tile.
 * @param jobs What is searched for with each zero point.
 * @param least The smallest zero point.
 * @param reach How many on either side of the first one are tried.
 */
export function searchZeros(
  searched: SearchedTile,
  jobs: readonly SearchJob[],
  least: number,
  reach: number,
): Outcome {
  const roles = ["scale", "zero"];
  return call("search_zeros", searched, roles, jobs, [least, reach]);
}

/** Values in a super-block at most, and groups. */
const MOST_VALUES = 256, MOST_GROUPS = 8;

/**
 * Searches super-blocks of groups with a multiple each, in the fields `scale` and
 * `steps`.
 *
 * @param searched The tile.
 * @param job The grid: whole levels.
 * @param range How large multiples may be, and how many values a group has.
 * @param effort How much is looked at.
 */
export function searchMultiples(
  searched: SearchedTile,
  job: SearchJob,
  { size, least, most }: MultiplesRange & { readonly size: number },
  { starts, lanes, rounds, fullness, unitRounds }: MultiplesEffort,
): Outcome {
  const { columns } = searched.span;
  if (columns > MOST_VALUES || columns > size * MOST_GROUPS || size % 16 > 0) {
    return "unable";
  }
  const numbers = [
    ...[size, least, most, starts.length, lanes, rounds],
    ...[fullness.length, unitRounds],
  ];
  const list = [...starts, ...fullness], roles = ["scale", "steps"];
  return call("search_multiples", searched, roles, [job], numbers, list);
}
