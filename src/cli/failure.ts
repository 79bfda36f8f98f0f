/**
 * What to say where values of a tensor cannot be quantized.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { Misfit } from "../model/repack_fields.ts";
import { firstNonFinite, ScaleOverflow } from "../numeric/finite.ts";
import type { StreamTensor } from "../stream/tensor.ts";
import type { Window } from "../words/window.ts";
import type { QuantizeTask } from "./quantize_tasks.ts";

/** Where quantizing failed. */
export interface Failure {
  /** What was thrown. */
  readonly error: unknown;
  /** What was done. */
  readonly task: Pick<QuantizeTask, "tensor" | "layout">;
  /** The tensor as it is cut. */
  readonly tensor: StreamTensor;
  /** The window of it. */
  readonly window: Window;
  /** The values of the window, as they are in the file. */
  readonly values: Float32Array;
  /** Whether NaN and infinities were allowed. */
  readonly clamp: boolean;
}

const CLAMP = "--non-finite clamp";

/**
 * The same error, with the tensor and the place in it, and what to do next.
 *
 * @param failure What failed.
 * @returns What to throw; errors that are not about values are left as they are.
 */
export function located(failure: Failure): unknown {
  const { error, task, clamp, values } = failure;
  if (!(error instanceof RangeError)) return error;
  const at = clamp ? -1 : firstNonFinite(values);
  const reason = at >= 0
    ? nonFiniteReason(failure, at)
    : error instanceof ScaleOverflow
    ? overflowReason(failure, error)
    : error.message;
  return new RangeError(
    `Cannot quantize tensor ${
      quote(task.tensor.name)
    }: ${reason}; nothing is written`,
    { cause: error },
  );
}

/**
 * The same error, where a number does not fit another layout.
 *
 * @param error What was thrown.
 * @param task What was done.
 * @returns What to throw; errors that are not about numbers are left as they are.
 */
export function misfit(
  error: unknown,
  { tensor, unheld }: QuantizeTask,
): unknown {
  if (!(error instanceof RangeError)) return error;
  const reason = error.message.replace(/^Cannot repack: /, "")
    .replace(/; quantize anew .*$/, "");
  const sorting = error instanceof Misfit && error.role === "order"
    ? "pass --permute-to FILE to put its columns in the order of their groups, or "
    : "";
  return new RangeError(
    `Cannot convert tensor ${quote(tensor.name)}: ${reason}; ${sorting}${
      insteadOfRepacking(unheld)
    }; nothing is written`,
    { cause: error },
  );
}

/**
 * What to do about a tensor that cannot be repacked.
 *
 * @param unheld Why its values could not be quantized in the format either; undefined where they could.
 */
export function insteadOfRepacking(unheld: string | undefined): string {
  return unheld === undefined
    ? "pass --requantize to go on from its values, which adds the error of both"
    : "choose another format or other options, or leave the tensor out with --skip";
}

function nonFiniteReason(
  { task: { layout: { shape } }, tensor, window, values }: Failure,
  at: number,
): string {
  const index = tensor.indexOf(at, window);
  return `${values[at]} at index ${index} ([${
    coordinates(index, shape).join(", ")
  }]); pass ${CLAMP} to take NaN as 0 and an infinity as the largest magnitude of its group`;
}

function overflowReason(
  { task: { layout: { shape } }, clamp }: Failure,
  { group, first, stored }: ScaleOverflow,
): string {
  const next = `; pass ${CLAMP} to cut its values to what that can hold`;
  return `group ${group}, from index ${first} ([${
    coordinates(first, shape).join(", ")
  }]): its scale overflows ${stored}${clamp ? "" : next}`;
}

function coordinates(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return shape.toReversed().map((dimension) => {
    const at = rest % dimension;
    rest = Math.floor(rest / dimension);
    return at;
  }).reverse();
}
