/**
 * Repacks the tensors of a file: large windows are read, and piece by piece what
 * becomes of them is written while the next piece is made.
 *
 * @module
 */
import type { TensorFile } from "../files/tensors.ts";
import { BLOCK_SIDE } from "../layouts/nibble_blocks.ts";
import { repackWindow, repackWindows } from "../model/repack.ts";
import { leaveBusy, settle, type Slot } from "../stream/memory.ts";
import { StreamTensor } from "../stream/tensor.ts";
import type { StoredValues } from "../stream/values.ts";
import { carve, forArea, type WindowBytes } from "../stream/window_bytes.ts";
import type { Window } from "../words/window.ts";
import type { Finish } from "./copy.ts";
import { misfit } from "./failure.ts";
import type { QuantizeTask } from "./quantize_tasks.ts";
import { inFormat, openValues, shareOf } from "./tensors.ts";

/** How many times as many values as others a piece has: codes take an eighth of the memory of floats, and stay in a cache until they are written. */
const PIECE_TIMES = 4;
/** The same for windows where codes lie by columns: what a low one has of a column would be a short run. */
const TALL_TIMES = 64;
/** Pieces in memory: one is made while the other is written. */
const PIECES = 2;

/** A window whose numbers move as they are. */
export interface RepackJob {
  readonly kind: "repack";
  readonly task: QuantizeTask;
  readonly from: StreamTensor;
  readonly values: StoredValues;
  readonly to: StreamTensor;
  readonly window: Window;
  /** What it is written in. */
  readonly pieces: readonly Window[];
}

/**
 * The jobs of a tensor.
 *
 * @param file The input.
 * @param task The tensor.
 * @param to What it becomes.
 * @param capacity Values in a window of floats.
 */
export function* repackJobs(
  file: TensorFile,
  task: QuantizeTask,
  to: StreamTensor,
  capacity: number,
): Generator<RepackJob, void> {
  const from = new StreamTensor(inFormat(task.tensor)!);
  const values = openValues(file, task.tensor) as StoredValues;
  const isTall = Math.max(from.tall, to.tall) > 1;
  const cut = (times: number, tall: number, area?: Window) =>
    repackWindows(from.tensor, to.tensor, times * capacity, tall, area);
  for (const window of cut(isTall ? TALL_TIMES : PIECE_TIMES, to.tall)) {
    // Pieces of columns hold whole ones, those of rows whole blocks of them.
    const tall = to.tall > 1 ? window.rows : BLOCK_SIDE;
    const pieces = [...cut(PIECE_TIMES, tall, window)];
    yield { kind: "repack", task, from, values, to, window, pieces };
  }
}

/**
 * Reads a window.
 *
 * @param job The window.
 * @param slot Where to.
 * @param write Starts writing a piece.
 * @returns Repacks it.
 */
export async function readToRepack(
  { task, from, values, to, window, pieces }: RepackJob,
  slot: Slot,
  write: (piece: WindowBytes) => Promise<unknown> | undefined,
): Promise<Finish> {
  await slot.busy;
  const area = from.around(window), rooms = Math.min(PIECES, pieces.length);
  const [taken, ...memory] = carve([
    [from, [area]],
    ...Array.from({ length: rooms }, () => [to, pieces] as const),
  ], slot.parts);
  const source = { bytes: taken, area };
  await values.readParts(source);
  return async () => {
    const targets = memory.map((bytes) => ({ bytes, busy: slot.busy }));
    for (const [i, piece] of pieces.entries()) {
      const room = targets[i % rooms];
      await room.busy;
      const target = forArea(to, piece, room.bytes);
      try {
        const { permuted } = task;
        repackWindow(from.tensor, source, to.tensor, target, piece, permuted);
      } catch (error) {
        throw misfit(error, task);
      }
      leaveBusy(room, write(target));
    }
    leaveBusy(slot, settle(targets));
    return [task.tensor.name, shareOf(task.tensor, window)];
  };
}
