/**
 * Formats of bitsandbytes: 16 values of a table, the largest magnitude of a block
 * as its scale. Blocks run over the tensor as one row, whatever its shape.
 *
 * ```text
 * weight        byte k: value 2k (high nibble) and 2k + 1 (low nibble)
 * absmax        one scale for each block of `blockSize` values
 * quant_map     what the 16 codes stand for
 * quant_state   JSON: see layouts/quant_state.ts
 *
 * nested: absmax is one byte for each block, and
 * nested_absmax      one scale for each 256 bytes of absmax
 * nested_quant_map   what the 256 bytes stand for
 * ```
 *
 * Source: bitsandbytes 0.50.2, `functional.py` and `backends/default/ops.py`:
 * `quantize_4bit`, `dequantize_4bit`, `QuantState.as_dict(packed=True)`.
 *
 * @module
 */
import { F32, table, U8 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import {
  NESTED_BLOCK,
  quantStateText,
  readQuantState,
  TORCH_NAMES,
  writeQuantState,
} from "../layouts/quant_state.ts";
import { dynamicMap } from "../numeric/codebooks.ts";
import { rowLength, sizeOf } from "../numeric/shape.ts";
import {
  type Codebook,
  codebookOf,
  codebookScheme,
} from "../schemes/codebook.ts";
import {
  SCALE_SEARCHES,
  searched,
  seekScale,
  type Sought,
} from "../schemes/sought.ts";
import { bytesPerElement } from "../words/dtypes.ts";
import type {
  Candidate,
  Convention,
  Format,
  Part,
  Recognized,
} from "../words/format.ts";
import type { Layout, PartPlan } from "../words/layout.ts";
import { booleanOption, choiceOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Grid, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { defineFormat } from "./define.ts";
import { dtypeOption } from "./groups.ts";
import { firstMisfit } from "./misfit.ts";

/**
 * Options of bitsandbytes' formats.
 *
 * @example As QLoRA has it: scales in 8 bits, values as bfloat16
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 64 * 96 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, {
 *   format: "nf4",
 *   shape: [64, 96],
 *   nested: true,
 *   computeDtype: "BF16",
 * });
 * console.log(q.parts.weight.shape); // [3072, 1]: two codes to a byte
 * console.log(q.parts.absmax.data.length); // 96: one byte for each 64 values
 * console.log(dequantize(q)[1]); // 0.72265625: a bfloat16
 * ```
 */
export interface BitsandbytesOptions extends SearchOptions {
  /** How many values share a scale: a power of two from 32 to 4096; 64 by default. */
  readonly blockSize?: number;
  /**
   * Whether scales are quantized to 8 bits in turn ("double quantization"), in
   * blocks of 256, after their mean was taken away: that of the float32 scales,
   * added up in double precision from first to last. No by default. A `search`
   * keeps mean and nested scales, and finds the best of the 256 scales that these
   * leave to each block: `"optimal"` is so given them.
   */
  readonly nested?: boolean;
  /** What values are rounded to when they are dequantized, and the `dtype` of the library's `quant_state`; F32 by default. */
  readonly computeDtype?: ComputeDtype;
  /** The element type under which the bytes of `weight` are kept, `quant_storage` in the library; U8 by default. */
  readonly storage?: PackedDtype;
}

/** Element types that a file may give to packed bytes. */
export type PackedDtype = "U8" | ComputeDtype;

/** {@linkcode BitsandbytesOptions} after checking. */
export type ResolvedBitsandbytesOptions =
  & Required<Omit<BitsandbytesOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The parts of bitsandbytes' formats. */
export interface BitsandbytesParts {
  /** Codes, two to a byte; shape [bytes, 1], or [elements, 1] in another `storage`. */
  readonly weight: Part<PackedDtype>;
  /** The scale of each block; nested, its code. */
  readonly absmax: Part<"F32" | "U8">;
  /** What the 16 codes stand for. */
  readonly quant_map: Part<"F32">;
  /** JSON in UTF-8. */
  readonly quant_state: Part<"U8">;
  /** Nested: the scale of each 256 scales. */
  readonly nested_absmax?: Part<"F32">;
  /** Nested: what the 256 codes of scales stand for. */
  readonly nested_quant_map?: Part<"F32">;
}

/** A format of bitsandbytes. */
export type BitsandbytesFormat<Name extends string = string> = Format<
  Name,
  BitsandbytesOptions,
  BitsandbytesParts,
  ResolvedBitsandbytesOptions
>;

/** What makes one of them different from another. */
export interface BitsandbytesSpec<Name extends string> {
  /** The name that options and files use; the library's `quant_type`. */
  readonly name: Name;
  /** One line for a list of formats. */
  readonly summary: string;
  /** What codes stand for. */
  readonly grid: Grid;
  /** How quantizing finds them: by the midpoints of the grid by default. */
  readonly codebook?: Codebook;
  /** See {@linkcode Format.errorBound}. */
  readonly errorBound: number;
}

/** Every block size that the library takes. */
const BLOCK_SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096];

const OPTIONS: Schema<BitsandbytesOptions> = {
  blockSize: numberOption({
    min: 32,
    max: 4096,
    choices: BLOCK_SIZES,
    default: 64,
    kept: true,
    help: "values that share a scale",
  }),
  nested: booleanOption({
    default: false,
    kept: true,
    help:
      "quantize scales to 8 bits, in blocks of 256: a search chooses among those for the reference's mean and nested scale",
  }),
  computeDtype: dtypeOption(
    "F32",
    true,
    "what values are rounded to when they are dequantized",
  ),
  storage: choiceOption({
    choices: ["U8", "F16", "BF16", "F32"],
    default: "U8",
    kept: true,
    help: "the element type under which packed bytes are kept",
  }),
  ...searchSchema(SCALE_SEARCHES),
};

/**
 * Makes a format from its table.
 *
 * @param spec What makes the format different from the others.
 * @returns The format.
 */
export function bitsandbytesFormat<Name extends string>(
  { name, summary, grid, errorBound, codebook = codebookOf(grid.values) }:
    BitsandbytesSpec<Name>,
): BitsandbytesFormat<Name> {
  const nested = { codebook: codebookOf(dynamicMap()), blocks: NESTED_BLOCK };
  return defineFormat({
    name,
    summary,
    source: "bitsandbytes 0.50.2, backends/default/ops.py and functional.py",
    groupSize: 64,
    bitsPerValue: 4.5,
    errorBound,
    options: OPTIONS,
    check,
    like: ({ fields, groupedBy, computeDtype }) => ({
      blockSize: fields[groupedBy]?.span.columns,
      nested: "scaleCode" in fields,
      computeDtype,
    }),
    layout: (shape, options) =>
      layoutOf(name, grid.values.indexOf(0), shape, options),
    scheme(shape, options: ResolvedBitsandbytesOptions): Scheme {
      const scheme = codebookScheme({
        matrix: flat(shape),
        grid,
        codebook,
        blockSize: options.blockSize,
        nested: options.nested ? nested : undefined,
        computeDtype: options.computeDtype,
      });
      const sought = options.nested
        ? nestedSought(grid, options)
        : scaleSought(grid, options);
      return searched(scheme, sought, options, rowLength(shape));
    },
    convention: conventionOf(name),
  });
}

function scaleSought(
  { values }: Grid,
  { computeDtype }: ResolvedBitsandbytesOptions,
): Sought {
  // Absmax is a magnitude: readers expect no sign.
  return seekScale(values, "scale", { dtype: "F32", compute: computeDtype });
}

function nestedSought(
  { values }: Grid,
  { blockSize, computeDtype }: ResolvedBitsandbytesOptions,
): Sought {
  return {
    kind: "nested",
    able: SCALE_SEARCHES,
    levels: values,
    ...{ blockSize, computeDtype, blocks: NESTED_BLOCK },
  };
}

/** The tensor as one row. */
function flat(shape: readonly number[]): Matrix {
  return { rows: 1, columns: sizeOf(shape) };
}

function packedBytes(shape: readonly number[]): number {
  return Math.ceil(sizeOf(shape) / 2);
}

function check(
  { storage }: ResolvedBitsandbytesOptions,
  shape: readonly number[],
): void {
  const bytes = packedBytes(shape), width = bytesPerElement(storage);
  if (bytes % width === 0) return;
  throw new RangeError(
    `Cannot use storage ${storage} for shape [${shape}]: its codes take ${bytes} bytes, ` +
      `which must be a multiple of ${width}`,
  );
}

function layoutOf(
  name: string,
  zero: number,
  shape: readonly number[],
  { blockSize, nested, computeDtype, storage }: ResolvedBitsandbytesOptions,
): Layout<BitsandbytesParts> {
  const matrix = flat(shape), all = everywhere(matrix);
  const outer = blockSize * NESTED_BLOCK;
  const block = { rows: 1, columns: blockSize };
  const blocks = [Math.ceil(matrix.columns / blockSize)];
  return {
    matrix,
    parts: {
      weight: packedRows({
        dtype: storage,
        shape: [packedBytes(shape) / bytesPerElement(storage), 1],
        first: "high",
        padding: zero,
      }),
      absmax: nested
        ? fieldPart("scaleCode", block, "U8", blocks, U8)
        : fieldPart("scale", block, "F32", blocks, F32),
      quant_map: fieldPart("table", all, "F32", [16], table(16)),
      ...(nested && {
        nested_absmax: fieldPart(
          "nestedScale",
          { rows: 1, columns: outer },
          "F32",
          [Math.ceil(matrix.columns / outer)],
          F32,
        ),
        nested_quant_map: fieldPart(
          "nestedTable",
          all,
          "F32",
          [256],
          table(256),
        ),
      }),
      quant_state: statePart(matrix, {
        quantType: name,
        blockSize,
        computeDtype,
        shape,
        ...(nested && { offset: 0 }),
      }),
    },
  };
}

function statePart(
  matrix: Matrix,
  state: Parameters<typeof quantStateText>[0],
): PartPlan {
  const bytes = writeQuantState(state).length;
  return {
    dtype: "U8",
    shape: [bytes],
    unit: { ...everywhere(matrix), bytes },
    order: "rows",
    holds: [quantStateText(state)],
    anyLength: true,
  };
}

// ---- in checkpoints ----

function conventionOf(name: string): Convention {
  return {
    entries: {
      weight: "{name}",
      absmax: "{name}.absmax",
      quant_map: "{name}.quant_map",
      nested_absmax: "{name}.nested_absmax",
      nested_quant_map: "{name}.nested_quant_map",
      quant_state: `{name}.quant_state.bitsandbytes__${name}`,
    },
    library: "bitsandbytes",
    needed: ["weight", "absmax", "quant_map", "quant_state"],
    recognize: (candidate) => recognize(name, candidate),
    layers: "linear",
    config: (options, floats = []) => ({
      ...configOf(name, options as ResolvedBitsandbytesOptions),
      llm_int8_skip_modules: floats,
    }),
  };
}

/** Shape and options by what the quant_state says; the parts have to agree with it. */
function recognize(name: string, candidate: Candidate): Recognized {
  const text = candidate.text("quant_state");
  if (text === undefined) {
    throw new RangeError('Cannot use part "quant_state": it is no text');
  }
  const state = readQuantState(text, name, BLOCK_SIZES);
  const { shape, blockSize, computeDtype } = state;
  const options: ResolvedBitsandbytesOptions = {
    blockSize,
    nested: state.offset !== undefined,
    computeDtype,
    storage: storageOf(candidate),
  };
  check(options, shape);
  checkCandidate(candidate, layoutOf(name, 0, shape, options));
  checkConfig(candidate.config, configOf(name, options));
  return { shape, options };
}

function storageOf({ parts }: Candidate): PackedDtype {
  const { dtype } = parts.weight;
  const option = OPTIONS.storage;
  if (
    option.kind === "choice" && option.choices.includes(dtype as PackedDtype)
  ) {
    return dtype as PackedDtype;
  }
  throw new RangeError(
    `Cannot use part "weight": it is ${dtype}, not U8, F16, BF16 or F32`,
  );
}

/** Throws unless there are just the parts of a layout, each as it has to be. */
function checkCandidate(
  candidate: Candidate,
  layout: Layout<BitsandbytesParts>,
): void {
  const misfit = firstMisfit(candidate, layout);
  if (misfit) {
    throw new RangeError(
      `Cannot use part "${misfit.name}": it is ${misfit.seen}, by its quant_state it must be ${misfit.wanted}`,
    );
  }
  const more = Object.keys(candidate.parts).find((name) =>
    !Object.hasOwn(layout.parts, name)
  );
  if (more === undefined) return;
  throw new RangeError(
    `Cannot use part "${more}": by its quant_state the tensor has none`,
  );
}

/** What transformers writes to `quantization_config`. */
function configOf(
  name: string,
  { nested, computeDtype, storage }: ResolvedBitsandbytesOptions,
): Record<string, unknown> {
  return {
    quant_method: "bitsandbytes",
    load_in_4bit: true,
    load_in_8bit: false,
    bnb_4bit_quant_type: name,
    bnb_4bit_use_double_quant: nested,
    bnb_4bit_compute_dtype: TORCH_NAMES[computeDtype],
    bnb_4bit_quant_storage: storage === "U8" ? "uint8" : TORCH_NAMES[storage],
  };
}

/** Settings that have to agree with the tensors; that for computing is one of its own. */
const TELLING = [
  "quant_method",
  "load_in_4bit",
  "bnb_4bit_quant_type",
  "bnb_4bit_use_double_quant",
  "bnb_4bit_quant_storage",
];

function checkConfig(
  config: unknown,
  expected: Record<string, unknown>,
): void {
  if (typeof config !== "object" || config === null) return;
  for (const key of TELLING) {
    const said = Object.hasOwn(config, key)
      ? (config as Record<string, unknown>)[key]
      : undefined;
    if (said === undefined || said === expected[key]) continue;
    throw new RangeError(
      `Cannot use part "quant_state": it disagrees with the config, whose ${key} is ${
        JSON.stringify(said).slice(0, 40)
      }, not ${JSON.stringify(expected[key])}`,
    );
  }
}
