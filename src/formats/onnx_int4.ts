/**
 * `onnx_int4`: weights of ONNX's DequantizeLinear with element type INT4.
 *
 * ```text
 * data        U8 [ceil(size / 2)]  two codes to a byte over the ends of rows, the first in the low nibble,
 *                                  in two's complement: the initializer's raw_data
 * scale       F32, F16 or BF16     [1], one for each index of the axis, or the shape with the axis in blocks
 * zero_point  U8                   like the scales, packed as the codes are; with symmetric: false only
 * value = (code − zero) · scale, rounded to the type of the scales
 * ```
 *
 * code = clamp(RNE(x / scale) + zero, −8, 7), as QuantizeLinear has it. The operator
 * takes scales as they come; here they are found from the range of a block:
 * symmetric scale = max |x| / 7, asymmetric scale = (max − min) / 15 with the range
 * extended to hold 0, zero = RNE(−8 − min / scale); rounded to their type first, and 1
 * where that makes 0.
 *
 * Source: ONNX, opset 21, as onnxruntime 1.32.0 computes it.
 *
 * @module
 */
import {
  type OnnxLinearFormat,
  onnxLinearFormat,
} from "../model/onnx_linear.ts";

export type {
  OnnxLinearOptions,
  OnnxLinearParts,
  ResolvedOnnxLinearOptions,
} from "../model/onnx_linear.ts";

/**
 * The format `onnx_int4`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 64 * 9 }, (_, i) => Math.sin(i));
 * // [K, N], in blocks of 16 along K: attributes axis 0 and block_size 16.
 * const q = quantize(weight, {
 *   format: "onnx_int4",
 *   shape: [64, 9],
 *   axis: 0,
 *   blockSize: 16,
 * });
 * console.log(q.parts.data.shape, q.parts.scale.shape); // [288] [4, 9]
 * console.log(dequantize(q).length); // 576
 * ```
 */
export const onnx_int4: OnnxLinearFormat<"onnx_int4"> = onnxLinearFormat({
  name: "onnx_int4",
  summary:
    "ONNX DequantizeLinear with INT4: blocks, an axis or the tensor; optional zero points",
  signed: true,
  bitsPerValue: 5,
  errorBound: 1 / 14 + 1e-6,
});
