/**
 * What to do where quantization went badly: other settings are tried on a
 * sample of the same values.
 *
 * @module
 */
import { compare, type Noise } from "../compare.ts";
import { printable, quote } from "../files/errors.ts";
import type { TensorFile } from "../files/tensors.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import { formats } from "../formats.ts";
import { dequantize } from "../quantize.ts";
import type { Format } from "../types.ts";
import { cut, layoutBytes, roomFor } from "./pieces.ts";
import type { QuantizeTask, QuantizeTasks } from "./quantize_plan.ts";
import { quantizeInto } from "./blocks.ts";
import { decibels } from "./text.ts";
import { allocateSlots, PartsMemory, ValueReader } from "./values.ts";

/** Below this many dB a tensor is called poor: the noise has more than a thirtieth of the signal's power. */
export const POOR_DECIBELS = 15;

/** Values of a tensor that other settings are tried on. */
const SAMPLE_VALUES = 64 * 1024;

/** Tensors that are looked at; the rest is only counted. */
const MOST_TENSORS = 5;

/** Decibels that another setting has to gain to be worth a word. */
const WORTH_DECIBELS = 1;

interface Remedy {
  readonly flags: string;
  readonly format: Format;
  readonly options: object;
}

/**
 * Warnings about the tensors whose error is large, each with the setting that
 * does better on a sample of their values.
 *
 * @param file The input.
 * @param tasks What was done.
 * @param errors How it went.
 * @returns One line for each.
 */
export async function adviceFor(
  file: TensorFile,
  tasks: QuantizeTasks,
  errors: ReadonlyMap<string, Noise>,
): Promise<string[]> {
  const poor = tasks.quantized.filter(({ tensor: { name } }) =>
    errors.get(name)!.sqnr < POOR_DECIBELS
  );
  const lines: string[] = [];
  for (const task of poor.slice(0, MOST_TENSORS)) {
    const { sqnr } = errors.get(task.tensor.name)!;
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
  const sample = await readSample(file, task);
  const tried = remediesFor(task).flatMap((remedy) => {
    const result = trial(remedy, sample.values, sample.shape);
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
    : `${best.flags} gives ${decibels(best.sqnr)} dB on a sample`;
}

/** How much a remedy changes: some flags are less than another format. */
function cost({ flags, format }: Remedy, { layout }: QuantizeTask): number {
  return flags.split("--").length + (format === layout.format ? 0 : 10);
}

/** The first values of a tensor: some rows, or a stretch of the first one. */
async function readSample(file: TensorFile, { tensor }: QuantizeTask) {
  const capacity = SAMPLE_VALUES;
  const reader = new ValueReader(file, tensor, capacity);
  const [slot] = allocateSlots(
    1,
    roomFor(tensor.shape, capacity, reader.grain),
  );
  const piece = cut(tensor.shape, capacity, reader.grain).next().value!;
  const values = (await reader.read(piece, slot))();
  return { values, shape: piece.shape };
}

function remediesFor({ layout }: QuantizeTask): Remedy[] {
  const { format, options } = layout;
  const given = options as { groupSize?: unknown; scaleMethod?: unknown };
  const remedies: Remedy[] = [];
  if (format.name === "int4") {
    for (const scaleMethod of ["absmax", "affine"]) {
      for (const groupSize of [given.groupSize, 128, 32]) {
        const flags = [
          ...(scaleMethod === given.scaleMethod
            ? []
            : [`--scale-method ${scaleMethod}`]),
          ...(groupSize === given.groupSize
            ? []
            : [`--group-size ${groupSize}`]),
        ];
        remedies.push({
          flags: flags.join(" "),
          format,
          options: { groupSize, scaleMethod },
        });
      }
    }
  }
  for (const other of formats.values()) {
    if (other.name === format.name) continue;
    remedies.push({
      flags: `--format ${other.name}`,
      format: other,
      options: {},
    });
  }
  return remedies.filter(({ flags }) => flags !== "");
}

/** How a sample fares with other settings; undefined where they cannot hold it. */
function trial(
  { format, options }: Remedy,
  values: Float32Array,
  shape: readonly number[],
): { sqnr: number; bytes: number } | undefined {
  if (firstNonFinite(values) >= 0) return undefined;
  try {
    const resolved = format.resolve(options, shape);
    const layout = { format, shape, options: resolved };
    const quantized = {
      format: format.name,
      shape,
      options: resolved,
      parts: new PartsMemory().carve(format.parts(shape, resolved)),
    };
    quantizeInto(quantized, values);
    const { sqnr } = compare(values, dequantize(quantized));
    return { sqnr, bytes: layoutBytes(layout) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
