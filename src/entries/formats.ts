/**
 * The formats themselves, for `./core`, which knows none by name. Those that have
 * WebAssembly kernels of their own bring them along; all work without, see
 * `./js/formats`.
 *
 * @example
 * ```ts
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 *
 * console.log(q4_0.bitsPerValue); // 4.5
 * ```
 *
 * @module
 */
import { formats as all, type Registry } from "../formats.ts";
import * as plain from "../formats/registry.ts";
import * as own from "../kernels/own_modules.ts";
import * as modules from "../kernels/modules.ts";

export * from "../formats/registry.ts";

// Each in place of the same without kernels, which the line above exports.

/** HQQ: scales and zero points in floats, groups in rows or columns. */
export const hqq: Registry["hqq"] = /* @__PURE__ */ modules.withKernels(
  plain.hqq,
  [own.COLUMNS],
);

/** 4-bit integers with float32 scales, of the original module. */
export const int4: Registry["int4"] = /* @__PURE__ */ modules.withKernels(
  plain.int4,
  [own.INT4],
);

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: Registry["iq4_nl"] = /* @__PURE__ */ modules.withKernels(
  plain.iq4_nl,
  [own.IQ4],
);

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: Registry["iq4_xs"] = /* @__PURE__ */ modules.withKernels(
  plain.iq4_xs,
  [own.IQ4],
);

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: Registry["mxfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.mxfp4,
  [own.E2M1],
);

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: Registry["nvfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.nvfp4,
  [own.E2M1],
);

/** INT4 as ONNX's DequantizeLinear takes it. */
export const onnx_int4: Registry["onnx_int4"] = /* @__PURE__ */ modules
  .withKernels(
    plain.onnx_int4,
    [own.COLUMNS],
  );

/** UINT4 as ONNX's DequantizeLinear takes it. */
export const onnx_uint4: Registry["onnx_uint4"] = /* @__PURE__ */ modules
  .withKernels(
    plain.onnx_uint4,
    [own.COLUMNS],
  );

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: Registry["q4_0"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_0,
  [own.Q4_0],
);

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: Registry["q4_1"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_1,
  [own.Q4_1],
);

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: Registry["q4_k"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_k,
  [own.Q4_K],
);

/** TensorFlow Lite's INT4. */
export const tflite: Registry["tflite"] = /* @__PURE__ */ modules.withKernels(
  plain.tflite,
  [own.COLUMNS],
);

/** Every format by its name. */
export const formats: typeof all = /* @__PURE__ */ modules.withKernels(
  all,
  own.FORMATS,
);

export type {
  FormatExport,
  FormatTypes,
  FormatTypesByName,
  Registry,
  TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
