/**
 * How the formats that can be multiplied without unpacking lie in memory: blocks
 * of 32 codes with a scale, and a zero point or a minimum.
 *
 * @module
 */
import { f16ToF32 } from "../numeric/f16.ts";
import type { Parts, QuantizedTensor } from "../words/format.ts";
import { BLOCK } from "./activations.ts";
import { shown } from "./options.ts";

const { fround } = Math;

/** The number that is code times scale, less the zero point's or a minimum. */
export interface BlockFacts {
  /** What codes are multiplied by, float32. */
  scale: number;
  /** The code that stands for 0. */
  zero: number;
  /** What is subtracted, float32. */
  minimum: number;
}

/** Weights, row after row. */
export interface Weights {
  /** Which kernel takes them. */
  readonly kernel: "multiply_int4" | "multiply_q4_0" | "multiply_q4_k";
  /** Rows: all dimensions but the last. */
  readonly rows: number;
  /** Values in a row, a multiple of 32. */
  readonly columns: number;
  /** Codes, with all else where the format has one part. */
  readonly bytes: Uint8Array;
  /** Bytes of a row of `bytes`. */
  readonly rowBytes: number;
  /** Scales of int4, `groups` a row. */
  readonly scales?: Float32Array;
  /** Its zero points, where it has some. */
  readonly zeroPoints?: Int8Array;
  /** Scales in a row. */
  readonly groups: number;
  /** Where the kernel wants value i of a block of activations. */
  readonly order: Uint8Array;
  /** Reads a block: 32 codes from 0 to 15, and what they mean. */
  read(row: number, block: number, codes: Uint8Array, facts: BlockFacts): void;
}

/** Nibbles of 16-bit lanes: value i in vector `i % 4`, two bytes each. */
const PAIRS = Uint8Array.from(
  { length: BLOCK },
  (_, i) => (i & 3) * 8 + (i >> 2),
);

/** The low nibbles of sixteen bytes, then the high ones. */
const HALVES = Uint8Array.from({ length: BLOCK }, (_, i) => {
  const byte = i & 15, high = i >> 4;
  return ((byte & 1) * 2 + high) * 8 + (byte >> 1);
});

/** One nibble of 32 bytes. */
const BYTES = Uint8Array.from({ length: BLOCK }, (_, i) => {
  return ((i >> 4) * 2 + (i & 1)) * 8 + ((i & 15) >> 1);
});

/** A quantized tensor of any format; which of them can be multiplied is checked. */
export type MultipliableTensor = QuantizedTensor<string, object, object>;

/**
 * Finds out how a tensor lies in memory.
 *
 * @param what What to call it in messages.
 * @param tensor The tensor.
 * @returns Its blocks.
 * @throws {RangeError} If its format cannot be multiplied without unpacking, or its parts are not what its shape takes.
 */
export function weightsOf(what: string, tensor: MultipliableTensor): Weights {
  const { shape } = tensor, parts = tensor.parts as Parts;
  const columns = shape[shape.length - 1] ?? 0;
  const rows = shape.slice(0, -1).reduce((product, n) => product * n, 1);
  const { format } = tensor;
  if (format !== "int4" && format !== "q4_0" && format !== "q4_k") {
    throw new RangeError(
      `Cannot multiply ${what}: its format is ${
        shown(format)
      }, and only int4, q4_0 and q4_k multiply without unpacking; dequantize it first`,
    );
  }
  const unit = format === "q4_k" ? 256 : BLOCK;
  if (columns === 0 || columns % unit !== 0) {
    throw new RangeError(
      `Cannot multiply ${what}: its rows have ${columns} values, and ${format} multiplies in multiples of ${unit}; dequantize it first`,
    );
  }
  const part = (name: string, length: number) => {
    const data = parts[name]?.data;
    if (data?.length === length) return data as ArrayLike<number>;
    throw new RangeError(
      `Cannot multiply ${what}: its part ${name} has ${
        data?.length ?? "no"
      } elements, and its shape takes ${length}`,
    );
  };
  if (format === "int4") {
    return int4Weights(what, parts, rows, columns, part);
  }
  const rowBytes = columns / unit * (format === "q4_k" ? 144 : 18);
  const bytes = part("blocks", rows * rowBytes) as Uint8Array;
  const common = { rows, columns, bytes, rowBytes, groups: 0 };
  return format === "q4_0"
    ? {
      ...common,
      kernel: "multiply_q4_0",
      order: HALVES,
      read: (row, block, codes, facts) =>
        readQ4(bytes, row * rowBytes + block * 18, codes, facts),
    }
    : {
      ...common,
      kernel: "multiply_q4_k",
      order: BYTES,
      read: (row, block, codes, facts) =>
        readQ4K(
          bytes,
          row * rowBytes + (block >> 3) * 144,
          block & 7,
          codes,
          facts,
        ),
    };
}

function int4Weights(
  what: string,
  parts: Parts,
  rows: number,
  columns: number,
  part: (name: string, length: number) => ArrayLike<number>,
): Weights {
  const rowBytes = columns / 2;
  const bytes = part("codes", rows * rowBytes) as Uint8Array;
  const count = parts.scales?.data.length ?? 0;
  // One scale for the tensor is one for each row, all the same.
  const groups = count === 1 ? 1 : count / rows;
  if (!Number.isInteger(groups) || columns % (groups * BLOCK) !== 0) {
    throw new RangeError(
      `Cannot multiply ${what}: its ${count} scales do not belong to groups of a multiple of ${BLOCK} values; dequantize it first`,
    );
  }
  const each = <A extends Float32Array | Int8Array>(given: A): A =>
    count === 1 && rows > 1
      ? new (given.constructor as new (n: number) => A)(rows).fill(
        given[0],
      ) as A
      : given;
  const scales = each(part("scales", count) as Float32Array);
  const zeroPoints = parts.zeroPoints
    ? each(part("zeroPoints", count) as Int8Array)
    : undefined;
  const perGroup = columns / BLOCK / groups;
  return {
    kernel: "multiply_int4",
    rows,
    columns,
    bytes,
    rowBytes,
    scales,
    zeroPoints,
    groups,
    order: PAIRS,
    read(row, block, codes, facts) {
      const at = row * rowBytes + block * 16;
      for (let i = 0; i < BLOCK; i++) {
        codes[i] = (bytes[at + (i >> 1)] >> (4 * (i & 1)) & 15) ^ 8;
      }
      const group = row * groups + Math.floor(block / perGroup);
      facts.scale = scales[group];
      facts.zero = 8 + (zeroPoints?.[group] ?? 0);
      facts.minimum = 0;
    },
  };
}

function readQ4(
  bytes: Uint8Array,
  at: number,
  codes: Uint8Array,
  facts: BlockFacts,
): void {
  for (let i = 0; i < 16; i++) {
    codes[i] = bytes[at + 2 + i] & 15;
    codes[i + 16] = bytes[at + 2 + i] >> 4;
  }
  facts.scale = halfAt(bytes, at);
  facts.zero = 8;
  facts.minimum = 0;
}

function readQ4K(
  bytes: Uint8Array,
  at: number,
  group: number,
  codes: Uint8Array,
  facts: BlockFacts,
): void {
  const from = at + 16 + (group >> 1) * 32, shift = 4 * (group & 1);
  for (let i = 0; i < BLOCK; i++) codes[i] = bytes[from + i] >> shift & 15;
  const low = bytes[at + 4 + (group & 3)], middle = bytes[at + 8 + (group & 3)];
  const high = bytes[at + 12 + (group & 3)];
  const [s, m] = group < 4
    ? [low & 63, middle & 63]
    : [high & 15 | low >> 6 << 4, high >> 4 | middle >> 6 << 4];
  facts.scale = fround(halfAt(bytes, at) * s);
  facts.zero = 0;
  facts.minimum = fround(halfAt(bytes, at + 2) * m);
}

function halfAt(bytes: Uint8Array, at: number): number {
  return f16ToF32(bytes[at] | bytes[at + 1] << 8);
}
