/**
 * `int4_modelopt`: INT4 weights of the checkpoints that NVIDIA ModelOpt exports for its
 * algorithm W4A16_AWQ.
 *
 * ```text
 * weight        U8 [out / 2, in]      outputs 2r in the low and 2r + 1 in the high nibble, in two's complement
 * weight_scale  F32, F16 or BF16 [out, in / groupSize]
 * value = code · scale in float32
 * ```
 *
 * scale = max |x| / 7, 1e-8 at least, code = clamp(RNE(x / scale), −8, 7). The channel
 * scales that AWQ searches for (`pre_quant_scale`) apply to the inputs of the layer and
 * are no part of the weight.
 *
 * Source: nvidia-modelopt 0.47.0, `export.quant_utils.pack_int4_in_uint8`.
 *
 * @module
 */
import { lowFirst } from "../layouts/orders.ts";
import { fieldPart } from "../layouts/parts.ts";
import { memberOf, shownValue } from "../model/config.ts";
import {
  modeloptConfig,
  type ModeloptSettings,
  modeloptSettings,
} from "../model/modelopt_config.ts";
import { defineFormat } from "../model/define.ts";
import {
  checkMatrix,
  checkWholeGroups,
  FLOATS,
  groupSizeOption,
  LARGEST,
  rowGroups,
} from "../model/groups.ts";
import { roundTo } from "../numeric/compute.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { linearScheme } from "../schemes/linear.ts";
import { SCALE_SEARCHES, searched, seekIntegers } from "../schemes/sought.ts";
import type {
  Candidate,
  Convention,
  Format,
  Part,
  Recognized,
} from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const { abs, fround, max: larger } = Math;

/** Options of the format `int4_modelopt`. */
export interface Int4ModeloptOptions extends SearchOptions {
  /** How many inputs share a scale, or `"row"` for all of them; 128 by default. */
  readonly groupSize?: number | "row";
  /** The type of the scales: `"F32"` (the default), `"F16"` or `"BF16"`. */
  readonly scaleDtype?: ComputeDtype;
}

/** The arrays of an `int4_modelopt` tensor. */
export interface Int4ModeloptParts {
  /** Codes, two outputs of an input to a byte. */
  readonly weight: Part<"U8">;
  /** Scales, one for each output and group. */
  readonly weight_scale: Part<ComputeDtype>;
}

/** `int4_modelopt` options with everything filled in. */
export type ResolvedInt4ModeloptOptions =
  & Required<Omit<Int4ModeloptOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<Int4ModeloptOptions> = {
  groupSize: groupSizeOption(128),
  scaleDtype: {
    kind: "choice",
    choices: ["F32", "F16", "BF16"],
    default: "F32",
    help: "type of the scales",
    kept: true,
  },
  ...searchSchema(SCALE_SEARCHES),
};

function check(
  options: ResolvedInt4ModeloptOptions,
  shape: readonly number[],
): void {
  const { groupSize } = options;
  checkMatrix("int4_modelopt", shape);
  checkWholeGroups("int4_modelopt", shape, groupSize);
  const { rows } = matrixOf(shape);
  if (rows % 2 === 0) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as int4_modelopt: its ${rows} outputs are no pairs, as the library packs them`,
  );
}

function layout(
  shape: readonly number[],
  { groupSize, scaleDtype }: ResolvedInt4ModeloptOptions,
): Layout<Int4ModeloptParts> {
  const matrix = matrixOf(shape), { rows, columns } = matrix;
  const { groups, ...group } = rowGroups(shape, groupSize);
  return {
    matrix,
    parts: {
      weight: {
        dtype: "U8",
        shape: [rows / 2, columns],
        unit: { rows: 2, columns: 1, bytes: 1 },
        order: "rows",
        holds: [{ kind: "codes", at: 0, nibbles: lowFirst(2), flip: 8 }],
      },
      weight_scale: fieldPart(
        "scale",
        group,
        scaleDtype,
        [rows, groups],
        FLOATS[scaleDtype],
      ),
    },
  };
}

const LEAST = fround(1e-8);

function scheme(
  shape: readonly number[],
  options: ResolvedInt4ModeloptOptions,
): Scheme {
  const { groupSize, scaleDtype } = options;
  const { groups: _, ...group } = rowGroups(shape, groupSize);
  const round = roundTo(scaleDtype);
  const scheme = linearScheme({
    group,
    fit: (min, max) => [
      round(larger(fround(larger(abs(min), abs(max)) / 7), LEAST)),
      8,
    ],
    rule: { of: "magnitude", divisor: 7, least: LEAST, dtype: scaleDtype },
    rounding: "divide",
    // Nothing divided by nothing is nothing.
    zeroScale: (code, x) => x === 0 ? 8 : code,
    stored: scaleDtype,
    limit: scaleDtype === "F32" ? LARGEST.F32 : LARGEST[scaleDtype] * 7 / 8,
    scales: { part: "weight_scale" },
  });
  const plan = seekIntegers({ symmetric: true, dtype: scaleDtype });
  return searched(scheme, plan, options, rowLength(shape));
}

// ---- checkpoints ----

const ALGORITHM = "W4A16_AWQ";

function recognize(
  candidate: Candidate,
): Recognized | undefined {
  const { weight, weight_scale: scales } = candidate.parts;
  if (weight.dtype !== "U8" || !Object.hasOwn(FLOATS, scales.dtype)) {
    return undefined;
  }
  if (weight.shape.length !== 2 || scales.shape.length !== 2) return undefined;
  const settings = modeloptSettings(candidate);
  const algorithm = memberOf(settings, "quant_algo") ?? ALGORITHM;
  if (algorithm !== ALGORITHM) return undefined;
  const [pairs, inputs] = weight.shape, [outputs, groups] = scales.shape;
  if (2 * pairs !== outputs) {
    fail(`"weight" has ${2 * pairs} outputs, "weight_scale" has ${outputs}`);
  }
  const size = inputs / groups, said = memberOf(settings, "group_size") ?? size;
  if (!Number.isInteger(size) || said !== size) {
    fail(
      `"weight_scale" has ${groups} groups of ${inputs} inputs, the config's group_size is ${
        shownValue(said)
      }`,
    );
  }
  return {
    shape: [outputs, inputs],
    options: { groupSize: size, scaleDtype: scales.dtype },
  };
}

function fail(what: string): never {
  throw new RangeError(`Cannot read it as int4_modelopt: ${what}`);
}

function settingsOfOptions(options: object): ModeloptSettings {
  const { groupSize } = options as ResolvedInt4ModeloptOptions;
  return {
    algorithm: ALGORITHM,
    type: "int",
    group: groupSize === "row" ? undefined : groupSize,
    more: { has_zero_point: false, pre_quant_scale: false },
  };
}

const convention: Convention = {
  entries: {
    weight: "{stem}.weight",
    weight_scale: "{stem}.weight_scale",
  },
  needed: ["weight", "weight_scale"],
  recognize,
  ...modeloptConfig(settingsOfOptions),
};

/**
 * The format `int4_modelopt`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 8 * 256 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, { format: "int4_modelopt", shape: [8, 256] });
 * console.log(q.parts.weight.shape); // [4, 256]: two outputs to a byte
 * console.log(q.parts.weight_scale.shape); // [8, 2]
 * console.log(dequantize(q).length); // 2048
 * ```
 */
export const int4_modelopt: Format<
  "int4_modelopt",
  Int4ModeloptOptions,
  Int4ModeloptParts,
  ResolvedInt4ModeloptOptions
> = defineFormat({
  name: "int4_modelopt",
  summary:
    "ModelOpt's INT4 AWQ export: groups along inputs, scales without zero points",
  source: "NVIDIA/TensorRT-Model-Optimizer 0.47.0 modelopt/torch/export",
  groupSize: 128,
  bitsPerValue: 4 + 32 / 128,
  errorBound: 1 / 14 + 1e-6,
  options: OPTIONS,
  check,
  like: ({ fields, groupedBy }) => ({
    groupSize: fields[groupedBy]?.span.columns,
  }),
  layout,
  scheme,
  convention,
});
