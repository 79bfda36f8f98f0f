/**
 * The bytes of windows, in memory that is used again and again.
 *
 * @module
 */
import { totalOf } from "../layouts/runs.ts";
import { type PartPlan, rangeOf } from "../words/layout.ts";
import type { Matrix, Window } from "../words/window.ts";
import type { ByteMemory } from "./memory.ts";

/** Memory for the parts of a window, by name. */
export type PartMemory = Record<string, Uint8Array>;

/** The bytes of a window's parts, without gaps. */
export interface WindowBytes {
  /** By the name of the part. */
  readonly bytes: PartMemory;
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

/**
 * Takes memory for the parts of windows of several tensors, all in one piece so that
 * kernels reach all of them.
 *
 * @param areas What it is for: of the windows of a tensor one at a time has its parts there.
 * @param memory Where it is taken from.
 * @returns The memory for each.
 */
export function carve(
  areas: readonly (readonly [tensor: Parted, windows: readonly Window[]])[],
  memory: ByteMemory,
): PartMemory[] {
  const sizes = areas.map(([{ plans, matrix }, windows]) =>
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
  return areas.map(([{ plans }], i) =>
    Object.fromEntries(
      plans.map(([name], k) => [name, memory.take(sizes[i][k])]),
    )
  );
}

/** Memory as the bytes of a window: as much of it as that takes. */
export function forArea(
  { plans, matrix }: Parted,
  area: Window,
  memory: PartMemory,
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
