/**
 * What was done, for people and for programs.
 *
 * @module
 */
import type { Comparison } from "../compare.ts";
import { printable } from "../files/errors.ts";
import type { TensorNoise } from "./quantize_run.ts";
import {
  bitsPerValue,
  type CopyTask,
  type QuantizeTask,
  type QuantizeTasks,
} from "./quantize_tasks.ts";
import { pathsJson, pathsText } from "./split.ts";
import { rowsFor, table } from "./table.ts";
import {
  bitsText,
  bytes,
  countOf,
  decibels,
  jsonNumber,
  seconds,
  shapeText,
} from "./text.ts";

/** What `quantize` did. */
export interface QuantizeReport {
  /** The path of the input. */
  readonly input: string;
  /** The paths of the output: one, or those of a split GGUF. */
  readonly paths: readonly string[];
  /** What was done with each tensor. */
  readonly tasks: QuantizeTasks;
  /** The error of each quantized tensor, by its number in the file. */
  readonly errors: readonly TensorNoise[];
  /** Size of the input. */
  readonly bytesBefore: number;
  /** Size of the output. */
  readonly bytesAfter: number;
  /** How long it took. */
  readonly seconds: number;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/**
 * The report as a table with lines below it.
 *
 * @param report What was done.
 * @param columns Columns of the terminal, if it is one.
 * @returns The lines.
 */
export function quantizeText(
  report: QuantizeReport,
  columns?: number,
): string[] {
  const { tasks, errors, paths } = report;
  const isGained = errors.some(({ gained }) => gained !== undefined);
  const done = tasksTable(tasks, columns, {
    "SQNR dB": ({ index, repacked }) =>
      repacked ? "repacked" : decibels(errors[index].sqnr),
    ...(isGained && {
      "gained": ({ index }: QuantizeTask) => gainText(errors[index]),
    }),
  });
  const where = pathsText(paths);
  return [...done, ...copiedText(tasks), `${where}: ${totals(report)}`];
}

/** Decibels that a search gained over the reference. */
function gainText({ gained }: TensorNoise): string {
  if (gained === undefined) return "";
  return `${gained < 0 ? "" : "+"}${gained.toFixed(2)}`;
}

/**
 * The tensors that are quantized, as a table; nothing where there are none.
 *
 * @param tasks What is done.
 * @param columns Columns of the terminal, if it is one.
 * @param more Further columns.
 * @returns The lines.
 */
export function tasksTable(
  { quantized }: QuantizeTasks,
  columns?: number,
  more: Readonly<Record<string, (task: QuantizeTask) => string>> = {},
): string[] {
  if (quantized.length === 0) return [];
  const texts = ["tensor", "shape", "format"];
  const numbers = ["bits", "before", "after", ...Object.keys(more)];
  return table(
    [...texts, ...numbers],
    rowsFor(quantized, (task) => [
      printable(task.plan.name),
      shapeText(task.tensor.shape),
      task.plan.format.name,
      bitsText(bitsPerValue(task)),
      bytes(task.tensor.byteLength),
      bytes(task.bytes),
      ...Object.values(more).map((cell) => cell(task)),
    ]),
    [
      ...texts.map(() => "left" as const),
      ...numbers.map(() => "right" as const),
    ],
    columns,
  );
}

/** The tensors that stay as they are: a line for all that are left for the same reason. */
export function copiedText({ copied }: QuantizeTasks): string[] {
  const groups = new Map<string, CopyTask[]>();
  for (const task of copied) {
    const { reason, cast = "" } = task;
    const key = `${cast} ${reason}`;
    const group = groups.get(key);
    if (group) group.push(task);
    else groups.set(key, [task]);
  }
  return Array.from(groups.values(), (tasks) => {
    const [{ tensor: { dtype, shape }, name, reason, cast }] = tasks;
    const as = cast === undefined || cast === dtype ? "" : ` as ${cast}`;
    return tasks.length === 1
      ? `copied ${printable(name)} ${dtype} ${shapeText(shape)}${as}: ${reason}`
      : `copied ${tasks.length} tensors (${namesText(tasks)})${as}: ${reason}`;
  });
}

/** Names that are told of a group. */
const SHOWN_NAMES = 5;

function namesText(tasks: readonly CopyTask[]): string {
  const names = tasks.slice(0, SHOWN_NAMES).map(({ name }) => printable(name));
  const more = tasks.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function totals(report: QuantizeReport): string {
  const { tasks, bytesBefore, bytesAfter } = report;
  const repacked = tasks.quantized.filter(({ repacked }) => repacked).length;
  const quantized = tasks.quantized.length - repacked;
  const counts = [
    ...(quantized > 0 || repacked === 0
      ? [`${countOf(quantized, "tensor")} quantized`]
      : []),
    ...(repacked > 0
      ? [`${countOf(repacked, "tensor")} repacked, numbers as they were`]
      : []),
    ...(tasks.copied.length > 0 ? [`${tasks.copied.length} copied`] : []),
  ];
  return `${counts.join(", ")}; ${bytes(bytesBefore)} → ${bytes(bytesAfter)}${
    changeText(bytesBefore, bytesAfter)
  }, in ${seconds(report.seconds)}`;
}

/** How many times smaller or larger; nothing where that is no number. */
function changeText(before: number, after: number): string {
  if (before === 0 || after === 0) return "";
  return before < after
    ? `, ${(after / before).toFixed(2)} times larger`
    : `, ${(before / after).toFixed(2)} times smaller`;
}

/** The report as data. */
export function quantizeJson(report: QuantizeReport): object {
  const { tasks, errors } = report;
  return {
    input: report.input,
    output: pathsJson(report.paths),
    bytesBefore: report.bytesBefore,
    bytesAfter: report.bytesAfter,
    seconds: report.seconds,
    tensors: tasks.quantized.map((task) => ({
      ...taskJson(task),
      ...noiseJson(errors[task.index]),
    })),
    copied: tasks.copied.map(copiedJson),
    warnings: report.warnings,
  };
}

/** What is done with a tensor, as data. */
export function taskJson(task: QuantizeTask): object {
  return {
    name: task.plan.name,
    shape: task.tensor.shape,
    dtype: task.tensor.dtype,
    format: task.plan.format.name,
    options: task.plan.options,
    bitsPerValue: bitsPerValue(task),
    repacked: task.repacked,
    bytesBefore: task.tensor.byteLength,
    bytesAfter: task.bytes,
  };
}

/** A tensor that stays as it is, as data. */
export function copiedJson({ tensor, name, reason, cast }: CopyTask): object {
  const { shape, dtype, byteLength: bytes } = tensor;
  return { name, shape, dtype, bytes, reason, ...(cast && { cast }) };
}

function noiseJson(
  { rmse, sqnr, gained }: TensorNoise,
): Record<string, number | null> {
  return {
    rmse,
    sqnr: jsonNumber(sqnr),
    ...(gained !== undefined && { gained: jsonNumber(gained) }),
  };
}

/** A comparison as data; sqnr is null where there is no error. */
export function comparisonJson(
  { mae, rmse, maxError, sqnr, cosine }: Comparison,
): Record<string, number | null> {
  return { mae, rmse, maxError, sqnr: jsonNumber(sqnr), cosine };
}
