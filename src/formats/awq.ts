/**
 * `awq`: the checkpoints of AutoAWQ in its GEMM layout, with parameters found by
 * rounding to nearest.
 *
 * ```text
 * qweight  I32 [in, out / 8]      eight outputs of an input to a word
 * qzeros   I32 [groups, out / 8]  the zero points of a group alike
 * scales   F16 [groups, out]
 * value(o, i) = (code − zero) · scale in float16
 * ```
 *
 * Outputs 0 … 7 of a word lie in its nibbles 0, 4, 1, 5, 2, 6, 3, 7. The range of
 * a group is not extended to hold 0: scale = max(max − min, 1e-5) / 15,
 * zero = clamp(−RNE(min / scale), 0, 15), code = clamp(RNE(x / scale) + zero, 0, 15),
 * every step in the type of the weight. So groups that lie far from 0 saturate.
 *
 * The weights that AutoAWQ quantizes are already multiplied by the scales of
 * channels that it searched for; that search is not part of the format.
 *
 * Source: AutoAWQ 0.2.9, `AwqQuantizer.pseudo_quantize_tensor`,
 * `WQLinear_GEMM.from_linear`, `packing_utils.dequantize_gemm`.
 *
 * @module
 */
import { F16 } from "../layouts/codecs.ts";
import { codesAt } from "../layouts/items.ts";
import { nearRows } from "../layouts/near_rows.ts";
import { AWQ_ORDER } from "../layouts/orders.ts";
import { fieldPart } from "../layouts/parts.ts";
import { memberOf, settingsOf, shownValue } from "../model/config.ts";
import { defineFormat } from "../model/define.ts";
import { gptqModelFloats } from "../model/gptqmodel.ts";
import {
  checkMatrix,
  checkWholeGroups,
  groupSizeOption,
  rowGroups,
} from "../model/groups.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { linearScheme } from "../schemes/linear.ts";
import { searched, seekIntegers, ZERO_SEARCHES } from "../schemes/sought.ts";
import { encodeInType } from "../schemes/tile_rounded.ts";
import type {
  Candidate,
  Convention,
  Format,
  Part,
  Recognized,
} from "../words/format.ts";
import type { Codec, Layout } from "../words/layout.ts";
import { choiceOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const { fround, max: larger } = Math;

/** Options of the format `awq`. */
export interface AwqOptions extends SearchOptions {
  /** How many inputs share a scale, or `"row"` for all of them; 128 by default. */
  readonly groupSize?: number | "row";
  /** The type of the weight, in which scales and codes are found: `"F16"`, as AutoAWQ loads models (the default), or `"F32"`. */
  readonly inputDtype?: "F16" | "F32";
  /** The type that values are rounded to: `"F16"`, as the library does (the default), or `"F32"`. */
  readonly computeDtype?: "F16" | "F32";
}

/** The arrays of an `awq` tensor. */
export interface AwqParts {
  /** Codes, eight outputs of an input to a word. */
  readonly qweight: Part<"I32">;
  /** Zero points, eight outputs of a group to a word. */
  readonly qzeros: Part<"I32">;
  /** Scales, one for each group and output. */
  readonly scales: Part<"F16">;
}

/** `awq` options with everything filled in. */
export type ResolvedAwqOptions =
  & Required<Omit<AwqOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<AwqOptions> = {
  groupSize: groupSizeOption(128),
  inputDtype: choiceOption({
    choices: ["F16", "F32"],
    default: "F16",
    help: "type of the weight, in which scales and codes are found",
    kept: false,
  }),
  computeDtype: choiceOption({
    choices: ["F16", "F32"],
    default: "F16",
    help: "type that values are rounded to",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

/** What the library's kernels take outputs by. */
const OUTPUTS = 32;

const SEARCH = seekIntegers({ symmetric: false, dtype: "F16" });

function check(options: ResolvedAwqOptions, shape: readonly number[]): void {
  const { groupSize } = options;
  checkMatrix("awq", shape);
  checkWholeGroups("awq", shape, groupSize);
  const { rows: outputs } = matrixOf(shape);
  if (outputs % OUTPUTS === 0) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as awq: its ${outputs} outputs are no multiple of ${OUTPUTS}, as the library needs it`,
  );
}

/** Eight zero points in a word. */
const ZEROS: Codec = {
  bytes: 4,
  areas: { rows: 8, columns: 1 },
  keeps: [0, 15],
  load(bytes, at, to): void {
    for (let k = 0; k < 8; k++) {
      const nibble = AWQ_ORDER[k];
      to[k] = bytes[at + (nibble >> 1)] >> 4 * (nibble & 1) & 15;
    }
  },
  store(from, bytes, at): void {
    let word = 0;
    for (let k = 0; k < 8; k++) word |= from[k] << 4 * AWQ_ORDER[k];
    for (let k = 0; k < 4; k++) bytes[at + k] = word >> 8 * k;
  },
};

function layout(
  shape: readonly number[],
  { groupSize }: ResolvedAwqOptions,
): Layout<AwqParts> {
  const matrix = matrixOf(shape), { rows, columns } = matrix;
  const { groups, ...group } = rowGroups(shape, groupSize);
  return {
    matrix,
    parts: {
      qweight: {
        dtype: "I32",
        shape: [columns, rows / 8],
        unit: { rows: 8, columns: 1, bytes: 4 },
        order: "columns",
        holds: [codesAt(0, AWQ_ORDER)],
        near: nearRows,
      },
      qzeros: fieldPart(
        "zero",
        group,
        "I32",
        [groups, rows / 8],
        ZEROS,
        "columns",
      ),
      scales: fieldPart("scale", group, "F16", [groups, rows], F16, "columns"),
    },
  };
}

/** Scale and zero point of a range, in the type of the weight. */
function fitOf(
  { inputDtype }: ResolvedAwqOptions,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  const round = roundTo(inputDtype), least = round(1e-5);
  return (min, max) => {
    // A range of infinities is one, too.
    const range = min === max ? 0 : round(fround(max - min));
    const scale = round(fround(larger(range, least) / 15));
    const steps = roundHalfToEven(round(fround(min / scale)));
    return [scale, clamp(0 - steps, 0, 15)];
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedAwqOptions,
): Scheme {
  const { groups: _, ...group } = rowGroups(shape, options.groupSize);
  const scheme = linearScheme({
    group,
    offset: "zero",
    fit: fitOf(options),
    rule: {
      of: "range",
      dtype: options.inputDtype,
      leastRange: roundTo(options.inputDtype)(1e-5),
    },
    rounding: "divide",
    inputDtype: options.inputDtype,
    encodeInType,
    stepDtype: options.inputDtype,
    stored: "F16",
    // The range from minus this to this has to be a float16.
    limit: 32752,
    computeDtype: options.computeDtype,
    scales: { part: "scales" },
  });
  return searched(scheme, SEARCH, options, rowLength(shape));
}

// ---- checkpoints ----

function recognize(
  { parts: { qweight, qzeros, scales }, config }: Candidate,
): Recognized | undefined {
  if (qweight.dtype !== "I32" || qzeros.dtype !== "I32") return undefined;
  if (qweight.shape.length !== 2 || scales.shape.length !== 2) return undefined;
  const settings = settingsOf(config);
  const method = memberOf(settings, "quant_method") ?? "awq";
  const version = memberOf(settings, "version") ?? "gemm";
  if (method !== "awq" || String(version).toLowerCase() !== "gemm") {
    return undefined;
  }
  const [inputs, words] = qweight.shape, [groups, outputs] = scales.shape;
  if (words * 8 !== outputs || (memberOf(settings, "bits") ?? 4) !== 4) {
    return undefined;
  }
  if (String(qzeros.shape) !== String([groups, words])) {
    fail(`part "qzeros" is [${qzeros.shape}], not [${groups}, ${words}]`);
  }
  const size = inputs / groups;
  const said = memberOf(settings, "group_size") ?? (groups === 1 ? -1 : size);
  if (!Number.isInteger(size) || said !== size && (said !== -1 || groups > 1)) {
    fail(
      `"scales" has ${groups} groups of ${inputs} inputs, the config's group_size is ${
        shownValue(said)
      }`,
    );
  }
  const groupSize = said === -1 ? "row" : size;
  return { shape: [outputs, inputs], options: { groupSize } };
}

function fail(what: string): never {
  throw new RangeError(`Cannot read it as awq: ${what}`);
}

const convention: Convention = {
  entries: {
    qweight: "{stem}.qweight",
    qzeros: "{stem}.qzeros",
    scales: "{stem}.scales",
  },
  library: "AutoAWQ",
  needed: ["qweight", "qzeros", "scales"],
  recognize,
  layers: "linear",
  config(options, floats = []): Readonly<Record<string, unknown>> {
    const { groupSize } = options as ResolvedAwqOptions;
    return {
      quant_method: "awq",
      zero_point: true,
      group_size: groupSize === "row" ? -1 : groupSize,
      bits: 4,
      version: "gemm",
      modules_to_not_convert: floats.length > 0 ? floats : null,
      // GPTQModel reads these checkpoints too, but not that member.
      ...gptqModelFloats(floats),
    };
  },
};

/**
 * The format `awq`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 32 * 256 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, { format: "awq", shape: [32, 256] });
 * console.log(q.parts.qweight.shape); // [256, 4]: eight outputs to a word
 * console.log(q.parts.scales.shape); // [2, 32]: one for each group of 128 inputs
 * console.log(dequantize(q).length); // 8192
 * ```
 */
export const awq: Format<"awq", AwqOptions, AwqParts, ResolvedAwqOptions> =
  defineFormat({
    name: "awq",
    summary:
      "AutoAWQ GEMM checkpoints: groups along inputs, float16 scales, zero points",
    source: "casper-hansen/AutoAWQ 0.2.9 awq/quantize/quantizer.py",
    groupSize: 128,
    bitsPerValue: 4 + 20 / 128,
    // A range of both signs has steps of 2/15 of its largest magnitude; float16 adds to that.
    errorBound: 0.07,
    options: OPTIONS,
    check,
    like: ({ fields, groupedBy, computeDtype }) => ({
      groupSize: fields[groupedBy]?.span.columns,
      computeDtype: computeDtype === "F16" ? "F16" : "F32",
    }),
    layout,
    scheme,
    convention,
  });
