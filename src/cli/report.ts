/**
 * What was done, for people and for programs.
 *
 * @module
 */
import type { Comparison } from "../compare.ts";
import { printable } from "../files/errors.ts";
import { bitsPerValue, type QuantizeTasks } from "./quantize_plan.ts";
import { table } from "./table.ts";
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
  /** The path of the output. */
  readonly output: string;
  /** What was done with each tensor. */
  readonly tasks: QuantizeTasks;
  /** The error of each quantized tensor. */
  readonly errors: ReadonlyMap<string, Comparison>;
  /** Size of the input. */
  readonly bytesBefore: number;
  /** Size of the output. */
  readonly bytesAfter: number;
  /** How long it took. */
  readonly seconds: number;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/** The report as a table with a line below it. */
export function quantizeText(report: QuantizeReport): string {
  const { tasks, errors, output } = report;
  const rows = tasks.quantized.map((task) => {
    const { tensor, plan, bytes: after } = task;
    return [
      printable(tensor.name),
      shapeText(tensor.shape),
      plan.format.name,
      bitsText(bitsPerValue(task)),
      bytes(tensor.byteLength),
      bytes(after),
      decibels(errors.get(tensor.name)!.sqnr),
    ];
  });
  const head = ["tensor", "shape", "format", "bits", "before", "after"];
  const right = "right" as const;
  const done = table(
    [...head, "SQNR dB"],
    rows,
    ["left", "left", "left", right, right, right, right],
  );
  return done + copiedText(tasks) + `${printable(output)}: ${totals(report)}\n`;
}

function copiedText({ copied }: QuantizeTasks): string {
  return copied.map(({ tensor: { name, dtype, shape }, reason }) =>
    `copied ${printable(name)} ${dtype} ${shapeText(shape)}: ${reason}\n`
  ).join("");
}

function totals(report: QuantizeReport): string {
  const { tasks, bytesBefore, bytesAfter } = report;
  const counts = [
    `${countOf(tasks.quantized.length, "tensor")} quantized`,
    ...(tasks.copied.length > 0 ? [`${tasks.copied.length} copied`] : []),
  ];
  const ratio = (bytesBefore / Math.max(1, bytesAfter)).toFixed(2);
  return `${counts.join(", ")}; ${bytes(bytesBefore)} → ${
    bytes(bytesAfter)
  }, ${ratio} times smaller, in ${seconds(report.seconds)}`;
}

/** The report as data. */
export function quantizeJson(report: QuantizeReport): unknown {
  const { tasks, errors } = report;
  return {
    input: report.input,
    output: report.output,
    bytesBefore: report.bytesBefore,
    bytesAfter: report.bytesAfter,
    seconds: report.seconds,
    tensors: tasks.quantized.map((task) => ({
      name: task.tensor.name,
      shape: task.tensor.shape,
      dtype: task.tensor.dtype,
      format: task.plan.format.name,
      options: task.plan.options,
      bitsPerValue: bitsPerValue(task),
      bytesBefore: task.tensor.byteLength,
      bytesAfter: task.bytes,
      ...comparisonJson(errors.get(task.tensor.name)!),
    })),
    copied: tasks.copied.map(({ tensor, reason }) => ({
      name: tensor.name,
      shape: tensor.shape,
      dtype: tensor.dtype,
      bytes: tensor.byteLength,
      reason,
    })),
    warnings: report.warnings,
  };
}

/** A comparison as data; sqnr is null where there is no error. */
export function comparisonJson(
  { mae, rmse, maxError, sqnr, cosine }: Comparison,
): Record<string, number | null> {
  return { mae, rmse, maxError, sqnr: jsonNumber(sqnr), cosine };
}
