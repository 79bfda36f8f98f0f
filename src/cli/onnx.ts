/**
 * ONNX models that are written.
 *
 * @module
 */
import { basename } from "node:path";
import { hasOnnxOperator } from "../files/onnx_wirings.ts";
import { planOnnx, writeOnnxFrame } from "../files/onnx_write.ts";
import { planSafetensors } from "../files/safetensors_write.ts";
import { formats } from "../formats.ts";
import type { Format } from "../words/format.ts";
import { type Call, UsageError } from "./command.ts";
import type { OutputPlan, OutputTensor } from "./output.ts";

/**
 * Checks that ONNX has operators for what a call asks for.
 *
 * @param call The call.
 * @param chosen The formats that may be used.
 * @throws {UsageError} If there is none for one of them.
 */
export function checkOnnxCall(call: Call, chosen: readonly Format[]): void {
  const stranger = chosen.find(({ name }) => !hasOnnxOperator(name));
  if (!stranger) return;
  const known = [...formats.keys()].filter(hasOnnxOperator);
  throw new UsageError(
    `ONNX has no operator for ${
      call.all("format").length === 0
        ? "int4, the default"
        : `format ${stranger.name}`
    }: add --format with one of ${known.join(", ")}`,
  );
}

/**
 * Lays out an ONNX model.
 *
 * @param path Where it goes.
 * @param tensors What it shall hold.
 * @returns The plan.
 * @throws {RangeError} If ONNX cannot hold a tensor.
 */
export function onnxOutput(
  path: string,
  tensors: readonly OutputTensor[],
): OutputPlan {
  const plan = planOnnx(
    tensors.flatMap(({ quantized }) => quantized ?? []),
    tensors.flatMap(({ name, shape, dtype, byteLength }) =>
      dtype === undefined ? [] : [{
        name,
        shape,
        dtype,
        byteLength: byteLength ?? bytesOf(dtype, shape),
      }]
    ),
    { location: `${basename(path)}.data` },
  );
  const { size, beside } = plan;
  return {
    size: size + (beside?.size ?? 0),
    ...(beside && { beside: { name: beside.name, start: size } }),
    offsetOf: (index, part) => plan.offsetOf(tensors[index].name, part),
    writeFrame: (sink) => writeOnnxFrame(sink, plan),
  };
}

function bytesOf(dtype: string, shape: readonly number[]): number {
  return planSafetensors([{ name: "", dtype, shape }]).tensors[0].byteLength;
}
