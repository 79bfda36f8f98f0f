/**
 * The bytes of windows, in memory that is used again and again.
 *
 * @module
 */
import { totalOf } from "../layouts/runs.ts";
import { type PartPlan, rangeOf } from "../words/layout.ts";
import type { Matrix, Window } from "../words/window.ts";
import type { ByteMemory } from "./memory.ts";

/** The bytes of a window's parts, without gaps. */
export interface WindowBytes {
  /** By the name of the part. */
  readonly bytes: Record<string, Uint8Array>;
  /** What they are the bytes of. */
  readonly area: Window;
}

/** Where the parts of a tensor lie. */
export interface Parted {
  /** The tensor as its layout sees it. */
  readonly matrix: Matrix;
  /** Its parts. */
  readonly plans: readonly (readonly [name: string, plan: PartPlan])[];
}

/** A tensor, and windows of which one at a time has its parts in a piece of memory. */
export type Areas = readonly [
  tensor: Parted,
  area: Window,
  ...others: readonly Window[],
];

/**
 * Takes memory for the parts of windows of several tensors, all in one piece so that
 * kernels reach all of them.
 *
 * @param areas What it is for.
 * @param memory Where it is taken from.
 * @returns The bytes for each: those of its first window, which {@linkcode forArea} makes those of another one.
 */
export function carve(
  areas: readonly Areas[],
  memory: ByteMemory,
): WindowBytes[] {
  const sizes = areas.map(([{ plans, matrix }, ...windows]) =>
    plans.map(([, plan]) =>
      windows.reduce(
        (most, window) =>
          Math.max(most, totalOf(rangeOf(plan, matrix, window))),
        0,
      )
    )
  );
  const all = sizes.flat();
  memory.reset(all.reduce((sum, size) => sum + size, 0), all.length);
  return areas.map(([tensor, area], i) =>
    forArea(
      tensor,
      area,
      Object.fromEntries(
        tensor.plans.map(([name], k) => [name, memory.take(sizes[i][k])]),
      ),
    )
  );
}

/** Memory as the bytes of a window: as much of it as that takes. */
export function forArea(
  { plans, matrix }: Parted,
  area: Window,
  memory: WindowBytes["bytes"],
): WindowBytes {
  return {
    area,
    bytes: Object.fromEntries(
      plans.map(([name, plan]) => {
        const size = totalOf(rangeOf(plan, matrix, area));
        return [name, memory[name].subarray(0, size)];
      }),
    ),
  };
}
