/**
 * What to do where quantization went badly: other settings are tried on a
 * sample of the same values.
 *
 * @module
 */
import type { Noise } from "../compare.ts";
import { printable, quote } from "../files/errors.ts";
import type { TensorFile } from "../files/tensors.ts";
import { formats } from "../formats.ts";
import type { QuantizeTask, QuantizeTasks } from "./quantize_tasks.ts";
import { decibels } from "./text.ts";
import { readSample, trial } from "./trial.ts";
import { type Variant, variantsOf } from "./variants.ts";

/** Below this many dB a tensor is called poor: the noise has more than a thirtieth of the signal's power. */
export const POOR_DECIBELS = 15;

/** Tensors that are looked at; the rest is only counted. */
const MOST_TENSORS = 5;

/** Decibels that another setting has to gain to be worth a word. */
const WORTH_DECIBELS = 1;

/**
 * Warnings about the tensors whose error is large, each with the setting that
 * does better on a sample of their values.
 *
 * @param file The input.
 * @param tasks What was done.
 * @param errors How it went, by the numbers of the tensors.
 * @returns One line for each.
 */
export async function adviceFor(
  file: TensorFile,
  tasks: QuantizeTasks,
  errors: readonly Noise[],
): Promise<string[]> {
  const poor = tasks.quantized.filter(({ index }) =>
    errors[index].sqnr < POOR_DECIBELS
  );
  const lines: string[] = [];
  for (const task of poor.slice(0, MOST_TENSORS)) {
    const { sqnr } = errors[task.index];
    lines.push(
      `tensor ${quote(task.tensor.name)} kept ${
        decibels(sqnr)
      } dB only: ${await adviceOn(
        file,
        task,
        sqnr,
      )}`,
    );
  }
  if (poor.length > MOST_TENSORS) {
    lines.push(
      `${
        poor.length - MOST_TENSORS
      } more tensors are below ${POOR_DECIBELS} dB`,
    );
  }
  return lines;
}

async function adviceOn(
  file: TensorFile,
  task: QuantizeTask,
  sqnr: number,
): Promise<string> {
  const sample = await readSample(file, task.tensor);
  const tried = remediesFor(task, sample.shape).flatMap((remedy) => {
    const result = trial(remedy, sample);
    return result && result.sqnr > sqnr + WORTH_DECIBELS
      ? [{ ...remedy, ...result }]
      : [];
  });
  // Of those that are good the least change, then the smallest; or else the best.
  const good = tried.filter((result) => result.sqnr >= POOR_DECIBELS);
  good.sort((a, b) => cost(a, task) - cost(b, task) || a.bytes - b.bytes);
  tried.sort((a, b) => b.sqnr - a.sqnr);
  const best = good[0] ?? tried[0];
  return best === undefined
    ? `nothing here does better; --skip ${
      printable(task.tensor.name)
    } leaves it as it is`
    : `${flagsOf(best, task)} gives ${decibels(best.sqnr)} dB on a sample`;
}

/** How much a remedy changes: some flags are less than another format. */
function cost({ flags, format }: Variant, { layout }: QuantizeTask): number {
  return flags.length + (format === layout.format ? 0 : 10);
}

function flagsOf({ flags, format }: Variant, { layout }: QuantizeTask): string {
  const chosen = format === layout.format ? [] : [`--format ${format.name}`];
  return [...chosen, ...flags].join(" ");
}

function remediesFor(
  { layout: { format, options } }: QuantizeTask,
  shape: readonly number[],
): Variant[] {
  const given = options as Readonly<Record<string, unknown>>;
  return [
    ...variantsOf(format, given, shape).filter(({ flags }) => flags.length > 0),
    ...[...formats.values()].filter((other) => other !== format).map((
      other,
    ) => ({
      format: other,
      options: {},
      flags: [],
    })),
  ];
}
