/**
 * `ml_dtypes`: the 4-bit types of ml_dtypes as numpy keeps them: one code to a byte,
 * and no scale.
 *
 * ```
 * codes   U8   [...]   the low nibble; the high one is written as 0 and not read
 * ```
 *
 * - `int4`: −8 … 7 in two's complement; a float is cut toward zero and wraps around
 *   modulo 16
 * - `uint4`: 0 … 15, likewise
 * - `float4_e2m1fn`: the nearest of 0, 0.5, 1, 1.5, 2, 3, 4 and 6, ties to even, with the
 *   sign of the float, −0 being code 8; what is beyond 6 becomes 6
 *
 * These are conversions of single numbers: what is quantized has to be scaled to their
 * range before. numpy writes such arrays as bytes of no type (`|V1`).
 *
 * Source: ml_dtypes 0.6.0, `ndarray.astype`.
 *
 * @module
 */
import { defineFormat } from "../model/define.ts";
import { signedE2M1 } from "../numeric/e2m1.ts";
import { matrixOf } from "../numeric/shape.ts";
import { E2M1, UINT4 } from "../schemes/grids.ts";
import { encodeE2M1 } from "../schemes/tile_codes.ts";
import { decodeGroups } from "../schemes/tile_values.ts";
import type { Format, Part } from "../words/format.ts";
import { choiceOption } from "../words/options.ts";
import type { Scheme } from "../words/scheme.ts";
import { everywhere } from "../words/tile.ts";

/** A 4-bit type of ml_dtypes. */
export type MlDtypesKind = "int4" | "uint4" | "float4_e2m1fn";

/** Options of the format `ml_dtypes`. */
export interface MlDtypesOptions {
  /** The type; `"float4_e2m1fn"` by default. */
  readonly kind?: MlDtypesKind;
}

/** `ml_dtypes` options with everything filled in. */
export type ResolvedMlDtypesOptions = Required<MlDtypesOptions>;

/** The array of an `ml_dtypes` tensor. */
export interface MlDtypesParts {
  /** One code to a byte. */
  readonly codes: Part<"U8">;
}

/** What makes one type different from another. */
interface Kind extends Pick<Scheme, "grid" | "form" | "constants"> {
  /** What codes are combined with when they are stored. */
  readonly flip: number;
  /** The code of a value. */
  code(x: number): number;
  /** The value of a code. */
  value(code: number): number;
}

const KINDS: Readonly<Record<MlDtypesKind, Kind>> = {
  int4: {
    grid: UINT4,
    form: "s·(c − z)",
    constants: { scale: 1, zero: 8 },
    flip: 8,
    code: (x) => x & 15 ^ 8,
    value: (code) => code - 8,
  },
  uint4: {
    grid: UINT4,
    form: "s·(c − z)",
    constants: { scale: 1, zero: 0 },
    flip: 0,
    code: (x) => x & 15,
    value: (code) => code,
  },
  float4_e2m1fn: {
    grid: E2M1,
    form: "s·g",
    constants: { scale: 1, tensorScale: 1 },
    flip: 0,
    code: signedE2M1,
    value: (code) => E2M1.values[code],
  },
};

/**
 * 4-bit types of ml_dtypes; see the head of this file.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const q = quantize([0.3, -2.6, 100], { format: "ml_dtypes" });
 * console.log(q.parts.codes.data); // 1, 13 and 7
 * console.log(dequantize(q)); // 0.5, -3 and 6
 * ```
 */
export const ml_dtypes: Format<
  "ml_dtypes",
  MlDtypesOptions,
  MlDtypesParts,
  ResolvedMlDtypesOptions
> = defineFormat({
  name: "ml_dtypes",
  summary:
    "ml_dtypes int4, uint4 or float4_e2m1fn: one code to a byte, no scale",
  source: "ml_dtypes 0.6.0",
  groupSize: "tensor",
  bitsPerValue: 8,
  // Half the step from 4 to 6, for a tensor that was scaled to 4 or more.
  errorBound: 0.25,
  options: {
    kind: choiceOption({
      choices: ["int4", "uint4", "float4_e2m1fn"],
      default: "float4_e2m1fn",
      kept: true,
      help: "the type of the codes",
    }),
  },
  lacks: { search: "its codes stand for numbers as they are, without a scale" },
  like: ({ grid, constants }): MlDtypesOptions => ({
    kind: grid.name === E2M1.name
      ? "float4_e2m1fn"
      : constants?.zero === 8
      ? "int4"
      : "uint4",
  }),
  layout: (shape, { kind }) => ({
    matrix: matrixOf(shape),
    parts: {
      codes: {
        dtype: "U8",
        shape,
        unit: { rows: 1, columns: 1, bytes: 1 },
        order: "rows",
        holds: [{
          kind: "codes",
          at: 0,
          nibbles: [0],
          spare: [1],
          flip: KINDS[kind].flip,
        }],
      },
    },
  }),
  scheme(shape, { kind }) {
    const { grid, form, constants, code, value } = KINDS[kind];
    const values = Float32Array.from({ length: 16 }, (_, code) => value(code));
    const span = everywhere(matrixOf(shape));
    return {
      grid,
      form,
      constants,
      fields: {},
      groupedBy: "scale",
      computeDtype: "F32",
      encode(given, tile): void {
        const { codes } = tile;
        if (grid === E2M1) {
          const span = { rows: 1, columns: tile.matrix.columns };
          const factors = tile.memory(tile.rows).fill(1);
          if (encodeE2M1(given, tile, span, factors, { rule: "signed" })) {
            return;
          }
        }
        for (let i = 0; i < given.length; i++) codes[i] = code(given[i]);
      },
      decode(tile, out): void {
        const one = tile.memory(1).fill(1), none = tile.memory(1).fill(0);
        const lookup = { values, computeDtype: "F32" } as const;
        decodeGroups(tile, span, one, none, lookup, out);
      },
    };
  },
});
