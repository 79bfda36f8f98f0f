/**
 * Searches all groups of a tile for scales and biases in one call, where its arrays
 * are where kernels reach them: src/kernels/wasm/affine_fit.ts and super_pairs.ts, to
 * the same bits as affine_fit.ts and super_block_pairs.ts.
 *
 * @module
 */
import { callKernel } from "../kernels/arena.ts";
import { SCALES_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import type { ScaleSearch } from "../words/search.ts";
import { type AffineEffort, effortOf, MOST_VALUES } from "./affine_explore.ts";
import { type Outcome, OUTCOMES, type SearchedTile } from "./search_kernel.ts";
import { COMPUTE_DTYPES, groupsOf } from "./tiles.ts";

/** What a kernel works on and what it goes by. */
interface AffineWork {
  /** The values, their weights, and how groups lie. */
  readonly searched: SearchedTile;
  /** The fields that it finds, in its order. */
  readonly roles: readonly string[];
  /** How much is looked at. */
  readonly effort: AffineEffort;
  /** Numbers that it reads. */
  readonly list?: readonly number[];
}

/** Calls a kernel; numbers before and after those of the effort. */
function call(
  name: string,
  { searched, roles, effort, list = [] }: AffineWork,
  before: readonly number[],
  after: readonly number[] = [],
): Outcome {
  const { values, weights, tile, span } = searched;
  if (span.rows > 1 || !sharedInstance(values)) return "unable";
  const { starts, lanes, rounds } = effort, count = starts.length / 2;
  // The list is of float64: it comes first, where memory is aligned.
  const memory = tile.memory(2 * list.length + count);
  const { buffer, byteOffset } = memory;
  const arrays = [
    ...[values, weights ?? values, tile.codes],
    ...roles.map((role) => tile.fields[role]),
    memory,
  ];
  const instance = sharedInstance(...arrays), groups = groupsOf(tile, span);
  if (!instance || !groups) return "unable";
  new Float64Array(buffer, byteOffset, list.length).set(list);
  const startsAt = byteOffset + 8 * list.length;
  new Int16Array(buffer, startsAt, starts.length).set(starts);
  const result = callKernel(SCALES_KERNELS, instance, name, [
    ...groups,
    ...arrays.map(({ byteOffset }) => byteOffset),
    ...[startsAt, weights ? 1 : 0],
    ...before,
    ...[count, lanes, rounds],
    ...after,
  ]);
  return OUTCOMES[result ?? 2];
}

/**
 * Fits scale and bias of every group, in the fields `scale` and `bias`.
 *
 * @param searched The tile.
 * @param search How much is looked at.
 * @param stored The type that both are stored in, and the largest number.
 */
export function fitTile(
  searched: SearchedTile,
  search: ScaleSearch,
  stored: StoredNumbers,
): Outcome {
  return fitGroups("fit_affine", "bias", searched, search, numbersOf(stored));
}

/** How numbers are stored. */
export interface StoredNumbers {
  /** Their type. */
  readonly dtype: ComputeDtype;
  /** The largest. */
  readonly largest: number;
}

function numbersOf({ dtype, largest }: StoredNumbers): readonly number[] {
  return [COMPUTE_DTYPES.indexOf(dtype), largest];
}

/**
 * Fits scale and zero point of every group, in the fields `scale` and `zero`.
 *
 * @param searched The tile.
 * @param search How much is looked at.
 * @param stored The type that both are stored in, and the largest number.
 * @param roundZero Whether zero points are whole numbers.
 */
export function fitZeros(
  searched: SearchedTile,
  search: ScaleSearch,
  stored: StoredNumbers,
  roundZero: boolean,
): Outcome {
  const numbers = [...numbersOf(stored), roundZero ? 1 : 0];
  return fitGroups("fit_zeros", "zero", searched, search, numbers);
}

/** Fits a scale and another number for every group. */
function fitGroups(
  kernel: string,
  role: string,
  searched: SearchedTile,
  search: ScaleSearch,
  numbers: readonly number[],
): Outcome {
  if (searched.span.columns > MOST_VALUES) return "unable";
  const work = { searched, effort: effortOf(search), roles: ["scale", role] };
  return call(kernel, work, [], numbers);
}

/**
 * Searches super-blocks of groups with two multiples each, in the fields `scale`,
 * `offset` and `steps`.
 *
 * @param searched The tile.
 * @param search How much is looked at.
 * @param size Values in a group.
 * @param tries What the largest multiples are taken to be.
 */
export function searchPairs(
  searched: SearchedTile,
  search: ScaleSearch,
  size: number,
  tries: readonly number[],
): Outcome {
  const roles = ["scale", "offset", "steps"];
  const effort = effortOf(search, true);
  const work = { searched, effort, roles, list: tries };
  return call("search_pairs", work, [size, tries.length]);
}
