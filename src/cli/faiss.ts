/**
 * faiss indexes that are written.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { type FaissMetric, faissMetricOf, planFaiss } from "../files/faiss.ts";
import type { TensorFile } from "../files/tensors.ts";
import type { Format } from "../words/format.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { choice } from "./flags.ts";
import type { OutputPlan, OutputTensor } from "./output.ts";

/** The flags of an index. */
export const FAISS_FLAGS: readonly Flag[] = [
  {
    name: "metric",
    takes: "METRIC",
    help:
      "by what a .faiss output compares: euclidean or dot (that of the input, or euclidean)",
  },
];

const FORMAT = "faiss_qt4";

/**
 * Checks that an index can hold what a call asks for.
 *
 * @param call The call.
 * @param chosen The formats that may be used.
 * @throws {UsageError} If it cannot.
 */
export function checkFaissCall(call: Call, chosen: readonly Format[]): void {
  metricOf(call);
  if (chosen.every(({ name }) => name === FORMAT)) return;
  throw new UsageError(
    `A faiss index holds vectors of the format ${FORMAT}: add --format ${FORMAT}`,
  );
}

/**
 * Checks that nothing is said of an index where none is written.
 *
 * @throws {UsageError} If it is.
 */
export function checkNoFaiss(call: Call): void {
  for (const { name } of FAISS_FLAGS) {
    if (!call.has(name)) continue;
    throw new UsageError(
      `Flag --${name} is for .faiss outputs: name the output so, or drop it`,
    );
  }
}

function metricOf(call: Call): FaissMetric | undefined {
  return choice<FaissMetric>(call, "metric", ["euclidean", "dot"]);
}

/**
 * Lays out an index.
 *
 * @param call The call; may know the metric.
 * @param file The input; may know it, too.
 * @param tensors What the index shall hold: one tensor.
 * @returns The plan.
 * @throws {RangeError} If it holds no such thing.
 */
export function faissOutput(
  call: Call,
  { metadata }: Pick<TensorFile, "metadata">,
  tensors: readonly OutputTensor[],
): OutputPlan {
  const [first] = tensors;
  const plan = first?.quantized;
  if (tensors.length !== 1 || plan?.format.name !== FORMAT) {
    const other = tensors.find(({ quantized }) =>
      quantized?.format.name !== FORMAT
    ) ?? first;
    throw new RangeError(
      `Cannot write a faiss index: it holds one tensor of the format ${FORMAT}, and there are ${tensors.length}${
        other ? `, ${quote(other.name)} among them` : ""
      }; choose one with --tensors NAME`,
    );
  }
  const index = planFaiss(
    plan,
    metricOf(call) ?? faissMetricOf(metadata) ?? "euclidean",
  );
  return {
    size: index.size,
    offsetOf: (_index, part) => index.offsetOf(part!),
    writeFrame: (sink) => index.writeFrame(sink),
  };
}
