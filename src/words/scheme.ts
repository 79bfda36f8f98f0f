/**
 * Schemes: what the numbers mean. A scheme knows nothing of bytes.
 *
 * @module
 */
import type { Overflow } from "../numeric/finite.ts";
import { everywhere, type FieldPlans, type Span, type Tile } from "./tile.ts";
import type { Matrix } from "./window.ts";

/** What the codes stand for, sixteen but for ggml's types beside four bits: their names are unique, and equal grids have equal names. */
export interface Grid {
  /** Tells grids apart. */
  readonly name: string;
  /** What each code stands for before scaling. */
  readonly values: readonly number[];
}

/**
 * How a code becomes a value: `g` is what the grid says, `s` a scale, `z` a zero
 * point, `b` a bias. Everything in float32 but where `computeDtype` says otherwise.
 */
export type Form = "s·g" | "s·(c − z)" | "s·c + b" | "other";

/** Smallest and largest values: one pair for the whole tensor, or one for each group that a window touches, row by row. */
export interface Ranges {
  /** The smallest. */
  readonly min: Float32Array;
  /** The largest. */
  readonly max: Float32Array;
}

/** What a scheme is told beside the values. */
export interface EncodeContext {
  /** Ranges that were measured before, where the scheme asks for them or groups are longer than windows. */
  readonly ranges?: Ranges;
  /** Other numbers that a prepass found. */
  readonly known?: Readonly<Record<string, number>>;
  /** The values are known to be finite. */
  readonly checked?: boolean;
  /** The values are a copy, which may be overwritten. */
  readonly own?: boolean;
  /** What to do where finite values have a scale that cannot be stored; `"throw"` by default. */
  readonly overflow?: Overflow;
}

/** Collects what has to be known of a whole tensor before any of it is quantized. */
export interface Prepass {
  /** Whether `add` throws a RangeError where a value is a NaN or infinite, and names its index. */
  readonly checks?: boolean;
  /** Takes the values of a window; windows come in order. */
  add(values: Float32Array): void;
  /** What it found. */
  result(): Pick<EncodeContext, "ranges" | "known">;
}

/** How a kernel quantizes whole groups of a row, from values to packed codes and a byte for each group. */
export interface GroupKernel {
  /** Its name. */
  readonly name: string;
  /** What it does the same as: a scheme that encodes in another way has no such kernel. */
  readonly encode: Scheme["encode"];
  /** The number of the whole tensor: its role, and how it comes of the largest magnitude. */
  readonly ofTensor?: { readonly role: string; find(absmax: number): number };
  /** What the kernel takes beside arrays, given that number, or 1. */
  numbers(ofTensor: number): readonly number[];
}

/** What the numbers of a format mean. */
export interface Scheme {
  /** What codes stand for. */
  readonly grid: Grid;
  /** How they become values. */
  readonly form: Form;
  /** What numbers there are beside the codes. */
  readonly fields: FieldPlans;
  /** Numbers that are the same for every tensor, by the roles that other schemes have fields for: one, or a table. */
  readonly constants?: Readonly<Record<string, number | readonly number[]>>;
  /** The role of the field that tells how values are grouped; all values are one group where the scheme has no such field. */
  readonly groupedBy: string;
  /**
   * The role of the field with whose number a code has the same value everywhere in
   * a tensor; `decode` refuses none of its numbers.
   */
  readonly byField?: string;
  /** The element type in which values are computed: they are rounded to it after every step that the library rounds after. */
  readonly computeDtype: ComputeDtype;
  /** The type that the scale of a group by that of the tensor is rounded to; float32 where it is absent. */
  readonly productDtype?: ComputeDtype;
  /** Starts measuring a tensor, where a number for all of it is needed first. */
  readonly prepass?: () => Prepass;
  /**
   * Whether a group may be quantized in windows once its range is known. A
   * scheme without it takes its groups whole.
   */
  readonly byRange?: boolean;
  /** Whether `encode` throws a NonFinite where a value is not finite, so that nobody has to look before. */
  readonly checks?: boolean;
  /** A group that the end of a row cuts short is quantized as if zeros filled it up. */
  readonly padded?: boolean;
  /** What has to be quantized together beyond groups: whole rows where weights are those of columns. */
  readonly together?: Span;
  /** Finds fields and codes for the values of a tile. */
  encode(values: Float32Array, tile: Tile, context: EncodeContext): void;
  /**
   * Throws a RangeError that names part and group where a field has a number that
   * no writer stores. Decoding begins with it.
   */
  check?(tile: Tile): void;
  /** How a kernel does the same as `encode`, where there is one. */
  readonly groupKernel?: GroupKernel;
  /** Turns codes and fields back into values. */
  decode(tile: Tile, out: Float32Array): void;
}

/** The area that shares a scale. */
export function groupOf({ fields, groupedBy }: Scheme, matrix: Matrix): Span {
  return fields[groupedBy]?.span ?? everywhere(matrix);
}

/** Element types in which libraries compute values. */
export type ComputeDtype = "F32" | "F16" | "BF16";
