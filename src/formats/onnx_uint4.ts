/**
 * `onnx_uint4`: weights of ONNX's DequantizeLinear with element type UINT4.
 *
 * As `onnx_int4`, but codes and zero points are 0 … 15, and there are zero points by
 * default: without them (`symmetric: true`) the operator takes 0, so that no value can
 * be negative. zero = RNE(−min / scale).
 *
 * Source: ONNX, opset 21, as onnxruntime 1.32.0 computes it.
 *
 * @module
 */
import {
  type OnnxLinearFormat,
  onnxLinearFormat,
} from "../model/onnx_linear.ts";

/**
 * The format `onnx_uint4`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 8 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, { format: "onnx_uint4", shape: [8, 64] });
 * console.log(q.parts.scale.shape, q.parts.zero_point?.shape); // [8, 2] [8]
 * console.log(dequantize(q).length); // 512
 * ```
 */
export const onnx_uint4: OnnxLinearFormat<"onnx_uint4"> = onnxLinearFormat({
  name: "onnx_uint4",
  summary:
    "ONNX DequantizeLinear with UINT4: blocks, an axis or the tensor; zero points",
  signed: false,
  bitsPerValue: 5.125,
  errorBound: 0.068,
});
