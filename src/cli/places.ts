/**
 * Several files laid out as one output.
 *
 * @module
 */
import type { OutputPlan } from "./output.ts";

/** A file of several. */
export interface FilePlace {
  /** Where its first byte is in the whole. */
  readonly start: number;
  /** What is where in it. */
  readonly plan: OutputPlan;
  /** The tensors in it, by their numbers among all that are written. */
  readonly numbers: readonly number[];
}

/**
 * The whole of several files.
 *
 * @param files The files, one after the other.
 * @returns Where everything goes.
 */
export function placesIn(
  files: readonly FilePlace[],
): Pick<OutputPlan, "size" | "offsetOf" | "writeFrame"> {
  const places: [file: FilePlace, number: number][] = [];
  for (const file of files) {
    file.numbers.forEach((number, i) => places[number] = [file, i]);
  }
  return {
    size: files.reduce((sum, { plan }) => sum + plan.size, 0),
    offsetOf(number, part) {
      const [{ start, plan }, i] = places[number];
      return start + plan.offsetOf(i, part);
    },
    async writeFrame(sink) {
      for (const { start, plan } of files) {
        await plan.writeFrame({
          write: (offset, bytes) => sink.write(start + offset, bytes),
        });
      }
    },
  };
}
