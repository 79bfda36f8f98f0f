/**
 * `mlx`: the quantized weights of Apple's MLX, in its three modes of 4 bits.
 *
 * ```
 * weight        U32           [..., columns / 8]          eight codes to a word, the first in the lowest nibble
 * scales        F32 F16 BF16  [..., columns / groupSize]  affine; may be negative
 *               U8                                        mxfp4: E8M0, nvfp4: E4M3
 * biases        like scales                               affine only
 * global_scale  F32           []                          nvfp4 with globalScale only
 * ```
 *
 * Quantized in float32 (W is the type of the weights, `scaleDtype`, A a largest
 * magnitude; RNE rounds half to even):
 *
 * - `affine`: s = max((max − min) / 15, 1e-7), negated unless |min| > |max|; edge is
 *   the larger end, n = RNE(edge / s); where n is not 0, s = edge / n and b = edge,
 *   otherwise b = 0. code = clamp(RNE((x − b) / s), 0, 15) with s and b as they are
 *   before they are stored.
 * - `mxfp4`: s = the least power of two ≥ W(A / 6), at least 2^-127, where MLX lets
 *   the byte wrap around; 1 where that is 0. code = E2M1(x / s).
 * - `nvfp4`: s = E4M3(W(A / 6) · e), e = 2688 / global_scale or 1;
 *   code = E2M1(W(x / s) · e), 0 where s is 0. global_scale is A of the tensor.
 *
 * E2M1 is the first of the codes with the least |value − x|, in float32: ties go
 * toward zero, code 8 is not written, and among magnitudes so large that all
 * differences are equal the code is 0.
 *
 * Dequantized in `computeDtype` C, with C rounding every step: `affine`
 * C(C(code · s) + b), the others C(E2M1[code] · C(s)); with a global scale in
 * float32, E2M1[code] · (s · (global_scale / 2688)), whatever C is.
 *
 * Source: ml-explore/mlx 0.32.4 on the CPU, `mx.quantize` and `mx.dequantize`
 * (mlx/ops.cpp, mlx/backend/cpu/quantized.cpp); before 0.32.2 `mxfp4` rounded
 * log2(A / 6) to even. Its kernels for GPUs round some ties otherwise.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { E4M3, F32, U8 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption, FLOATS } from "../model/groups.ts";
import {
  GROUP_SIZES,
  mlxConvention,
  type MlxMode,
} from "../model/mlx_checkpoint.ts";
import { firstNoScale } from "../model/e2m1_checkpoint.ts";
import { badNumber } from "../model/numbers.ts";
import { TENSOR_SCALES } from "../model/tensor_scale.ts";
import { decodeE4M3 } from "../numeric/e4m3.ts";
import { FROM_BITS } from "../numeric/compute.ts";
import { LARGEST_F16 } from "../numeric/f16.ts";
import { matrixOf, rowLength, sizeOf, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { linearScheme } from "../schemes/linear.ts";
import {
  BIAS_SEARCHES,
  SCALE_SEARCHES,
  searched,
  seekBias,
  seekScale,
} from "../schemes/sought.ts";
import {
  type E2M1Rules,
  fitAffine,
  mxfp4Rules,
  nvfp4Rules,
} from "../schemes/mlx.ts";
import type { StoredPlan } from "../schemes/stored_plan.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { booleanOption, choiceOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import { everywhere } from "../words/tile.ts";

const NAME = "mlx";

export type { MlxMode };

/** Options of the format `mlx`. */
export interface MlxOptions extends SearchOptions {
  /** `"affine"` (the default): a scale and a bias for each group; `"mxfp4"` and `"nvfp4"`: E2M1 values. */
  readonly mode?: MlxMode;
  /** How many values of a row share a scale: 32, 64 (the default) or 128; `mxfp4` has 32, `nvfp4` 16. */
  readonly groupSize?: number;
  /**
   * The type that the weights have in MLX. In mode `"affine"` scales and biases are
   * stored in it: `"BF16"` by default, since mlx-lm leaves weights in the type of
   * their checkpoint, which nowadays is that. The other modes find their scales in
   * it: `computeDtype` by default where that is given, `"F32"` otherwise.
   */
  readonly scaleDtype?: ComputeDtype;
  /** In which type values are computed from codes: that of the scales in mode `"affine"`, `"BF16"` in the others. */
  readonly computeDtype?: ComputeDtype;
  /** Whether an `nvfp4` tensor has a scale of its own, found from its largest magnitude; its values are always float32. */
  readonly globalScale?: boolean;
}

/** `mlx` options with everything filled in. */
export interface ResolvedMlxOptions extends ResolvedSearchOptions {
  /** What the numbers are. */
  readonly mode: MlxMode;
  /** How many values of a row share a scale. */
  readonly groupSize: number;
  /** The type of the weights. */
  readonly scaleDtype: ComputeDtype;
  /** In which type values are computed. */
  readonly computeDtype: ComputeDtype;
  /** Whether the tensor has a scale of its own. */
  readonly globalScale: boolean;
}

/** The arrays of an `mlx` tensor. */
export interface MlxParts {
  /** Eight codes to a word, the first in the lowest nibble. */
  readonly weight: Part<"U32">;
  /** One scale for each group: a float, or a byte in the modes of E2M1 values. */
  readonly scales: Part<ComputeDtype | "U8">;
  /** One bias for each group; only in mode `"affine"`. */
  readonly biases?: Part<ComputeDtype>;
  /** The scale of the tensor; only with `globalScale`. */
  readonly global_scale?: Part<"F32">;
}

const OPTIONS: Schema<MlxOptions> = {
  mode: choiceOption({
    choices: ["affine", "mxfp4", "nvfp4"],
    default: "affine",
    kept: true,
    help: "scale and bias for each group, or E2M1 values",
  }),
  groupSize: numberOption({
    min: 16,
    max: 128,
    choices: [16, 32, 64, 128],
    kept: true,
    help: "values that share a scale: 64 by default; 32 in mxfp4, 16 in nvfp4",
  }),
  scaleDtype: dtypeOption(
    undefined,
    true,
    "type of the weights in MLX, and of affine scales (BF16 by default)",
  ),
  computeDtype: dtypeOption(
    undefined,
    true,
    "type that values are computed in: that of affine scales, else BF16",
  ),
  globalScale: booleanOption({
    default: false,
    kept: true,
    help: "a scale for the whole tensor, in nvfp4",
  }),
  ...searchSchema(["fast", "optimal", "best"]),
};

function complete(options: ResolvedMlxOptions): ResolvedMlxOptions {
  const { mode, groupSize = GROUP_SIZES[mode][0] } = options;
  const affine = mode === "affine";
  const scaleDtype = options.scaleDtype ??
    (affine ? "BF16" : options.computeDtype ?? "F32");
  const computeDtype = options.computeDtype ?? (affine ? scaleDtype : "BF16");
  return { ...options, groupSize, scaleDtype, computeDtype };
}

function check(
  options: ResolvedMlxOptions,
  shape: readonly number[],
): void {
  const { mode, groupSize, globalScale } = options;
  const able = mode === "affine" ? BIAS_SEARCHES : SCALE_SEARCHES;
  checkSearch(options, able, `mode "${mode}"`);
  if (!GROUP_SIZES[mode].includes(groupSize)) {
    const sizes = GROUP_SIZES[mode].join(", ");
    throw new RangeError(
      `Cannot use groupSize: in mode "${mode}" it must be ${sizes}, not the number ${groupSize}`,
    );
  }
  if (globalScale && mode !== "nvfp4") {
    throw new RangeError(
      `Cannot use globalScale in mode "${mode}": it is for mode "nvfp4"`,
    );
  }
  const columns = rowLength(shape);
  if (columns % groupSize !== 0) {
    throw new RangeError(
      `Cannot lay out shape [${shape}] as ${NAME}: the last axis is ${columns}, ` +
        `it must be a multiple of ${groupSize}`,
    );
  }
  if (sizeOf(shape) % 32 !== 0) {
    throw new RangeError(
      `Cannot lay out shape [${shape}] as ${NAME}: it has ${
        sizeOf(shape)
      } values, ` +
        "MLX takes multiples of 32",
    );
  }
}

// ---- where bytes lie ----

function layout(
  shape: readonly number[],
  { mode, groupSize, scaleDtype, globalScale }: ResolvedMlxOptions,
): Layout<MlxParts> {
  const matrix = matrixOf(shape), columns = rowLength(shape);
  const group = { rows: 1, columns: groupSize };
  const groups = withLastAxis(shape, columns / groupSize);
  const numbers = (role: string) =>
    fieldPart(role, group, scaleDtype, groups, FLOATS[scaleDtype]);
  const weight = packedRows({
    dtype: "U32",
    shape: withLastAxis(shape, columns / 8),
    columns: 8,
  });
  if (mode === "affine") {
    const parts = {
      weight,
      scales: numbers("scale"),
      biases: numbers("bias"),
    };
    return { matrix, parts };
  }
  const scales = mode === "mxfp4"
    ? fieldPart("exponent", group, "U8", groups, U8)
    : fieldPart("scale", group, "U8", groups, E4M3);
  const ofTensor = everywhere(matrix);
  const global_scale = globalScale &&
    fieldPart("tensorAbsmax", ofTensor, "F32", [], F32);
  return {
    matrix,
    parts: { weight, scales, ...(global_scale && { global_scale }) },
  };
}

// ---- what numbers mean ----

function scheme(
  shape: readonly number[],
  options: ResolvedMlxOptions,
): Scheme {
  const { mode, groupSize, scaleDtype, computeDtype, globalScale } = options;
  if (mode === "affine") {
    const plan = seekBias(scaleDtype);
    return searched(affine(options), plan, options, rowLength(shape));
  }
  const rules = mode === "mxfp4"
    ? mxfp4Rules(scaleDtype, computeDtype)
    : nvfp4Rules(scaleDtype, globalScale);
  const scheme = e2m1Scheme({
    ...rules,
    matrix: matrixOf(shape),
    group: groupSize,
    grid: E2M1,
    computeDtype: globalScale ? "F32" : computeDtype,
  });
  const plan = seekScale(E2M1.values, rules.stored, storedBy(rules, options));
  return searched(scheme, plan, options, rowLength(shape));
}

/** What scales there are in the modes of E2M1 values. */
function storedBy(
  { stored, scale, ofTensor }: E2M1Rules,
  { computeDtype }: ResolvedMlxOptions,
): StoredPlan {
  return {
    numbers: stored === "exponent" ? "E8M0" : "E4M3",
    scaleOf: scale,
    ofTensor: ofTensor?.role,
    holds: computeDtype,
  };
}

/** The largest magnitude of which the scale of a group and its bias are finite. */
const LIMITS: Readonly<Record<ComputeDtype, number>> = {
  F16: LARGEST_F16,
  // Half of the largest float32: the width between this and its negative is finite.
  BF16: 1.7014117331926443e38,
  F32: 1.7014117331926443e38,
};

function affine(
  { groupSize, scaleDtype, computeDtype }: ResolvedMlxOptions,
): Scheme {
  return linearScheme({
    group: { rows: 1, columns: groupSize },
    offset: "bias",
    rounding: "shift",
    fit: fitAffine,
    rule: "edge",
    stored: scaleDtype,
    limit: LIMITS[scaleDtype],
    computeDtype,
  });
}

/**
 * Options for numbers of another format. Scales and biases are stored in float16
 * where values are computed in float32: those of ggml are.
 */
function like(
  { grid, fields, groupedBy, computeDtype }: Scheme,
): MlxOptions {
  const mode = grid.name !== E2M1.name
    ? "affine"
    : groupedBy === "exponent"
    ? "mxfp4"
    : "nvfp4";
  const columns = fields[groupedBy]?.span.columns;
  return {
    mode,
    computeDtype,
    ...(mode === "affine" &&
      { scaleDtype: computeDtype === "F32" ? "F16" : computeDtype }),
    ...(TENSOR_SCALES.some((role) => role in fields) && { globalScale: true }),
    ...(GROUP_SIZES[mode].includes(columns) && { groupSize: columns }),
  };
}

// ---- numbers that MLX does not write ----

function checkNumbers(
  { scales, biases, global_scale }: MlxParts,
  { mode, scaleDtype }: ResolvedMlxOptions,
): void {
  if (biases) return checkAffine(scales, biases, FROM_BITS[scaleDtype]);
  const ofTensor = global_scale?.data[0] ?? 1;
  if (!(ofTensor >= 0 && ofTensor < Infinity)) {
    const wanted = "finite and not negative";
    throw badNumber(NAME, "global_scale", 0, ofTensor, wanted);
  }
  const bytes = scales.data as Uint8Array;
  const index = mode === "mxfp4"
    ? bytes.indexOf(255)
    // What MLX makes of a tensor of zeros.
    : firstNoScale(bytes, ofTensor === 0 ? [0xfe] : []);
  if (index < 0) return;
  const seen = mode === "mxfp4" ? NaN : decodeE4M3(bytes[index]);
  throw badNumber(NAME, "scales", index, seen, "a number and not negative");
}

/** From here on the constant value of a group, over 1e-7, is beyond float32, and its scale 0. */
const SCALELESS = 3e31;

function checkAffine(
  scales: Part,
  biases: Part,
  decode: (bits: number) => number,
): void {
  for (let i = 0; i < scales.data.length; i++) {
    const scale = decode(scales.data[i] as number);
    const bias = decode(biases.data[i] as number);
    if (!Number.isFinite(bias)) {
      throw badNumber(NAME, "biases", i, bias, "finite");
    }
    if (
      !Number.isFinite(scale) || scale === 0 && Math.abs(bias) < SCALELESS
    ) throw badNumber(NAME, "scales", i, scale, "finite and not 0");
  }
}

/**
 * MLX's quantized weights; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "mlx", shape: [4, 64], groupSize: 32 });
 * console.log(q.parts.weight.shape, q.parts.scales.shape); // [4, 8] [4, 2]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const mlx: Format<"mlx", MlxOptions, MlxParts, ResolvedMlxOptions> =
  defineFormat({
    name: NAME,
    summary:
      "Apple MLX: signed scales and biases per group, or E2M1 values in mxfp4 and nvfp4",
    source: "ml-explore/mlx 0.32.4 mx.quantize on the CPU",
    groupSize: 64,
    bitsPerValue: 4.5,
    // The end beside the edge may be a whole step beyond code 15: 1 / 8 of the
    // largest magnitude where 7.5 steps became 8. The rest is bfloat16's roundings.
    errorBound: 0.137,
    options: OPTIONS,
    complete,
    check,
    checkNumbers,
    like,
    layout,
    scheme,
    fast: byGroups(E2M1_TILES_KERNELS),
    convention: mlxConvention,
  });
