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

/** numpy's arrays of ml_dtypes' types of four bits. */
export const ml_dtypes: Registry["ml_dtypes"] = /* @__PURE__ */ modules
  .withKernels(
    plain.ml_dtypes,
    [own.E2M1_TILES],
  );

/** Apple MLX's quantized weights: scales and biases, or E2M1 values. */
export const mlx: Registry["mlx"] = /* @__PURE__ */ modules.withKernels(
  plain.mlx,
  [own.E2M1_TILES],
);

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: Registry["mxfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.mxfp4,
  [own.E2M1],
);

/** compressed-tensors' MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_ct: Registry["mxfp4_ct"] = /* @__PURE__ */ modules
  .withKernels(
    plain.mxfp4_ct,
    [own.E2M1_TILES],
  );

/** gpt-oss's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_hf: Registry["mxfp4_hf"] = /* @__PURE__ */ modules
  .withKernels(
    plain.mxfp4_hf,
    [own.E2M1_TILES],
  );

/** ModelOpt's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_modelopt: Registry["mxfp4_modelopt"] =
  /* @__PURE__ */ modules.withKernels(
    plain.mxfp4_modelopt,
    [own.E2M1_TILES],
  );

/** torchao's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_torchao: Registry["mxfp4_torchao"] = /* @__PURE__ */ modules
  .withKernels(
    plain.mxfp4_torchao,
    [own.E2M1_TILES],
  );

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: Registry["nvfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.nvfp4,
  [own.E2M1],
);

/** compressed-tensors' NVFP4: 16 E2M1 values share an E4M3 scale, the tensor a divisor. */
export const nvfp4_ct: Registry["nvfp4_ct"] = /* @__PURE__ */ modules
  .withKernels(
    plain.nvfp4_ct,
    [own.E2M1_TILES],
  );

/** ModelOpt's NVFP4: 16 E2M1 values share an E4M3 scale, the tensor another scale. */
export const nvfp4_modelopt: Registry["nvfp4_modelopt"] =
  /* @__PURE__ */ modules.withKernels(
    plain.nvfp4_modelopt,
    [own.E2M1_TILES],
  );

/** torchao's NVFP4: 16 E2M1 values share an E4M3 scale, the tensor another scale. */
export const nvfp4_torchao: Registry["nvfp4_torchao"] = /* @__PURE__ */ modules
  .withKernels(
    plain.nvfp4_torchao,
    [own.E2M1_TILES],
  );

/** OpenVINO's weights of 4 bits as NNCF compresses them. */
export const openvino: Registry["openvino"] = /* @__PURE__ */ modules
  .withKernels(
    plain.openvino,
    [own.E2M1_TILES],
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
