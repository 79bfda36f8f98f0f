/**
 * What checkpoints of E2M1 values have in common: codes of a row, two to a byte, and
 * a scale in a byte for each group.
 *
 * @module
 */
import { E4M3, e4m3, U8 } from "../layouts/codecs.ts";
import { fieldPart } from "../layouts/parts.ts";
import { swizzledPart } from "../layouts/swizzled.ts";
import { decodeE4M3 } from "../numeric/e4m3.ts";
import { rowLength, withLastAxis } from "../numeric/shape.ts";
import type { Candidate, Part, Recognized } from "../words/format.ts";
import type { Codec, PartPlan, PartSpec } from "../words/layout.ts";
import { badNumber } from "./numbers.ts";

/** Throws unless rows are whole groups. */
export function checkWholeGroups(
  format: string,
  group: number,
  shape: readonly number[],
): void {
  const columns = rowLength(shape);
  if (columns % group === 0) return;
  throw new RangeError(
    `Cannot lay out shape [${shape}] as ${format}: the last axis is ${columns}, ` +
      `it must be a multiple of ${group}`,
  );
}

/** E4M3 whose NaN is 0xFF: what torch stores for 0 / 0 on x86-64. */
export const NEGATIVE_NAN_E4M3: Codec = /* @__PURE__ */ e4m3(0xff);

/** A part with an exponent for each group. */
export function exponentPart(
  dtype: "U8" | "F8_E8M0",
  group: number,
  shape: readonly number[],
  swizzled = false,
): PartPlan {
  if (swizzled) return swizzledPart("exponent", group, dtype, shape, U8);
  const groups = withLastAxis(shape, rowLength(shape) / group);
  return fieldPart("exponent", { rows: 1, columns: group }, dtype, groups, U8);
}

/** A part with an E4M3 scale for each group. */
export function scalePart(
  group: number,
  shape: readonly number[],
  codec: Codec = E4M3,
  swizzled = false,
): PartPlan {
  if (swizzled) return swizzledPart("scale", group, "F8_E4M3", shape, codec);
  const groups = withLastAxis(shape, rowLength(shape) / group);
  const span = { rows: 1, columns: group };
  return fieldPart("scale", span, "F8_E4M3", groups, codec);
}

/** Throws where an exponent is 255, which stands for no power of two. */
export function checkExponents(
  format: string,
  name: string,
  { data }: Part<"U8" | "F8_E8M0">,
): void {
  const index = data.indexOf(255);
  if (index < 0) return;
  throw badNumber(format, name, index, 255, "from 0 to 254");
}

/**
 * Index of the first E4M3 that is negative or NaN, or −1.
 *
 * @param bytes The numbers.
 * @param taken Bytes that are taken nevertheless.
 */
export function firstNoScale(
  bytes: Uint8Array,
  taken: readonly number[] = [],
): number {
  const { length } = bytes;
  for (let i = positiveStart(bytes); i < length; i++) {
    if (bytes[i] >= 0x7f && !taken.includes(bytes[i])) return i;
  }
  return -1;
}

/** Up to where four at a time are numbers and not negative. */
function positiveStart({ buffer, byteOffset, length }: Uint8Array): number {
  if (byteOffset % 4 !== 0) return 0;
  const words = new Int32Array(buffer, byteOffset, length >> 2);
  let i = 0;
  // What is 0x7F becomes 0x80, and where no byte was above there is no carry.
  while (
    i < words.length && ((words[i] | words[i] + 0x01010101) & 0x80808080) === 0
  ) i++;
  return 4 * i;
}

/** Throws where an E4M3 scale is negative or NaN; see {@linkcode firstNoScale}. */
export function checkScales(
  format: string,
  name: string,
  { data }: Part<"F8_E4M3">,
  taken: readonly number[] = [],
): void {
  const index = firstNoScale(data, taken);
  if (index < 0) return;
  const wanted = "a number and not negative";
  throw badNumber(format, name, index, decodeE4M3(data[index]), wanted);
}

/** What two parts of a candidate have to be. */
export interface PairPlan {
  /** The format, for messages. */
  readonly format: string;
  /** The part with the codes, U8. */
  readonly codes: string;
  /** The part with the scales. */
  readonly scales: string;
  /** Values that share a scale. */
  readonly group: number;
  /** The dimensions of the scales by those of the tensor, where they are not one for each group of a row. */
  scaleShape?(shape: readonly number[], group: number): readonly number[];
}

/**
 * The logical shape of a candidate by its codes and scales.
 *
 * @param fault What else is wrong with it.
 * @throws {RangeError} Where shapes make no whole groups, or there is a fault.
 */
export function recognizePair(
  { parts, stem }: Candidate,
  plan: PairPlan,
  fault?: string,
): Pick<Recognized, "shape"> {
  const wrong = pairFault(parts, plan) ?? fault;
  if (wrong === undefined) return { shape: unpackedShape(parts[plan.codes]) };
  const name = stem === undefined ? "" : ` ${stem}`;
  throw new RangeError(`Cannot read${name} as ${plan.format}: ${wrong}`);
}

function pairFault(
  parts: Candidate["parts"],
  { codes, scales, group, scaleShape }: PairPlan,
): string | undefined {
  const { shape } = parts[codes], found = parts[scales].shape;
  return shape.length > 0 && String(expected()) === String(found)
    ? undefined
    : `its ${codes} [${shape}] and ${scales} [${found}] make no groups of ${group}`;

  function expected(): readonly number[] {
    const unpacked = unpackedShape(parts[codes]);
    return scaleShape?.(unpacked, group) ??
      withLastAxis(unpacked, rowLength(unpacked) / group);
  }
}

/** The shape of the values whose codes lie two to a byte. */
export function unpackedShape({ shape }: PartSpec): number[] {
  return withLastAxis(shape, 2 * rowLength(shape));
}

/** What is wrong with the scale of a tensor, a float32. */
export function tensorScaleFault(
  name: string,
  part: PartSpec | undefined,
  shape: readonly number[],
): string | undefined {
  if (!part || part.dtype === "F32" && String(part.shape) === String(shape)) {
    return undefined;
  }
  return `its ${name} is ${part.dtype} [${part.shape}], not F32 [${shape}]`;
}
