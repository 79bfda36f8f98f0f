/**
 * How numpy's `.npy` spells dtypes.
 *
 * @module
 */
import { quote } from "./errors.ts";
import type { QuantizedEntry } from "./parts.ts";
import { readingOf } from "./readings.ts";
import type { TensorEntry } from "./tensors.ts";

/** numpy's letters with the bytes behind them. */
const DTYPE_BY_KIND: ReadonlyMap<string, string> = new Map([
  ["b1", "BOOL"],
  ["i1", "I8"],
  ["i2", "I16"],
  ["i4", "I32"],
  ["i8", "I64"],
  ["u1", "U8"],
  ["u2", "U16"],
  ["u4", "U32"],
  ["u8", "U64"],
  ["f2", "F16"],
  ["f4", "F32"],
  ["f8", "F64"],
  ["c8", "C64"],
  ["c16", "C128"],
]);

/** Floats that numpy does not have, as ml_dtypes and those who use it spell them out. */
const DTYPE_BY_NAME: ReadonlyMap<
  string,
  readonly [dtype: string, bytes: number]
> = new Map([
  ["bfloat16", ["BF16", 2]],
  ["float8_e4m3fn", ["F8_E4M3", 1]],
  ["float8_e5m2", ["F8_E5M2", 1]],
  ["float8_e8m0fnu", ["F8_E8M0", 1]],
  ["float8_e4m3fnuz", ["F8_E4M3FNUZ", 1]],
  ["float8_e5m2fnuz", ["F8_E5M2FNUZ", 1]],
  ["int4", ["INT4", 1]],
  ["uint4", ["UINT4", 1]],
  ["float4_e2m1fn", ["FLOAT4_E2M1FN", 1]],
]);

/** Types of four bits, of which each element has a byte, and their kinds in the format `ml_dtypes`. */
const NIBBLES: ReadonlyMap<string, string> = new Map(
  ["int4", "uint4", "float4_e2m1fn"].map((kind) => [kind.toUpperCase(), kind]),
);

/** ml_dtypes' letter for its only float of eight bits that follows IEEE 754. */
const FLOAT8_KIND = "f1";

/** Opaque bytes, as which numpy saves the dtypes that it does not know: `V1`, `V2`. */
const OPAQUE = /^V[1-9][0-9]{0,4}$/;

/** What opaque bytes can be taken for. */
const OPAQUE_AS: ReadonlyMap<string, readonly string[]> = new Map([
  ["V1", ["F8_E4M3", "F8_E5M2", "F8_E8M0", ...NIBBLES.keys()]],
  ["V2", ["BF16"]],
]);

/** Integers that can be taken as values. */
const NUMBERS: readonly string[] = ["I8", "U8"];

/** Texts, times, spans of time: arrays that only an archive holds beside numbers. */
const BESIDE = /^([SUmM])([0-9]{1,5})(?:\[.*\])?$/;

/** What a caller knows about a `.npy` file that its header does not say. */
export interface NpyOptions {
  /**
   * What opaque bytes are: `BF16` of two (`<V2`), `F8_E4M3`, `F8_E5M2`,
   * `F8_E8M0`, `INT4`, `UINT4` or `FLOAT4_E2M1FN` of one (`|V1`). `I8` or `U8`
   * takes such integers as values.
   */
  readonly dtype?: string;
  /** Whether `dtype` is for some files only, and those that are otherwise keep what they say. */
  readonly ifOpen?: boolean;
  /** Whether arrays of texts, times and objects are listed, too, though nothing reads them. */
  readonly anything?: boolean;
}

/** The elements of an array. */
export interface NpyElements {
  /** What they are. */
  readonly dtype: string;
  /** Bytes of each; undefined where they are pickled. */
  readonly itemBytes?: number;
  /** Whether the bytes are big-endian. */
  readonly bigEndian: boolean;
  /** Whether integers are taken as values; undefined where there are none that may be. */
  readonly numbers?: boolean;
}

/**
 * Reads a dtype of a header.
 *
 * @param descr How the header spells it: `<f4`, `|V2`, `bfloat16`.
 * @param options What the header does not say.
 * @returns The elements.
 * @throws {SyntaxError} If they are none that can be read.
 * @throws {RangeError} If they are not what the caller says.
 */
export function readDescr(descr: string, options: NpyOptions): NpyElements {
  const found = elementsOf(descr, options);
  const { dtype, ifOpen } = options;
  if (dtype === undefined) return found;
  if (!mayBe(found, dtype)) {
    if (ifOpen) return found;
    throw new RangeError(
      `its dtype is ${found.dtype} (${quote(descr)}), not ${dtype}`,
    );
  }
  return {
    ...found,
    dtype,
    numbers: NUMBERS.includes(dtype) ? true : undefined,
  };
}

function mayBe(found: NpyElements, dtype: string): boolean {
  return found.dtype === dtype ||
    (OPAQUE_AS.get(found.dtype)?.includes(dtype) ?? false);
}

function elementsOf(descr: string, { anything }: NpyOptions): NpyElements {
  const named = DTYPE_BY_NAME.get(descr);
  if (named) {
    const [dtype, itemBytes] = named;
    return { dtype, itemBytes, bigEndian: false };
  }
  const order = descr[0], kind = descr.slice(1);
  if (kind.startsWith("O")) {
    if (anything) return { dtype: "OBJECT", bigEndian: false };
    throw new SyntaxError(
      "it holds pickled Python objects (dtype O), which are code, not data",
    );
  }
  const opaque = OPAQUE.test(kind);
  const known = kind === FLOAT8_KIND
    ? "F8_E5M2"
    : DTYPE_BY_KIND.get(kind) ?? (opaque ? kind : undefined);
  const itemBytes = Number(kind.slice(1));
  // A single byte has no order, and numpy writes | for it; opaque bytes may have any.
  const ordered = order === "<" || order === ">" ||
    (order === "|" && (itemBytes === 1 || opaque));
  if (known !== undefined && ordered) {
    const bigEndian = order === ">" && itemBytes > 1;
    const numbers = NUMBERS.includes(known) ? false : undefined;
    return { dtype: known, itemBytes, bigEndian, numbers };
  }
  const [, letter, width] = anything ? BESIDE.exec(kind) ?? [] : [];
  if (letter !== undefined) {
    // Characters take four bytes each.
    const bytes = Number(width) * (letter === "U" ? 4 : 1);
    const bigEndian = order === ">";
    return { dtype: descr, itemBytes: bytes, bigEndian };
  }
  throw new SyntaxError(`its dtype ${quote(descr)} is none that can be read`);
}

/** How the writer spells dtypes; bfloat16 as opaque pairs of bytes, as ml_dtypes does. */
export const DESCR_BY_DTYPE: ReadonlyMap<string, string> = new Map([
  ...Array.from(DTYPE_BY_KIND, ([kind, dtype]): [string, string] => {
    return [dtype, (kind.endsWith("1") ? "|" : "<") + kind];
  }),
  ["BF16", "<V2"],
]);

/**
 * An array of a type of four bits as a tensor of the format `ml_dtypes`.
 *
 * @param tensor The array.
 * @returns The tensor; undefined where the array is of another type.
 * @throws {SyntaxError} If it lies column by column.
 */
export function asQuantized(tensor: TensorEntry): QuantizedEntry | undefined {
  const kind = NIBBLES.get(tensor.dtype);
  if (kind === undefined) return undefined;
  if (tensor.fortranOrder) {
    throw new SyntaxError(
      `its ${kind} lies column by column, which is read of wider types only; save numpy.ascontiguousarray of it`,
    );
  }
  const { name, shape } = tensor;
  const codes = { ...tensor, dtype: "U8" };
  const reading = {
    format: "ml_dtypes",
    shape,
    options: { kind },
    parts: { codes },
  };
  return readingOf(name, reading, "its dtype says");
}
