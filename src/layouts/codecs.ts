/**
 * Codecs: how numbers beside the codes become bytes.
 *
 * @module
 */
import { bf16ToF32, f32ToBf16 } from "../numeric/bf16.ts";
import { decodeE4M3, encodeE4M3 } from "../numeric/e4m3.ts";
import { f16ToF32, f32ToF16 } from "../numeric/f16.ts";
import { decodeUE4M3Half } from "../numeric/ue4m3.ts";
import type { Codec } from "../words/layout.ts";

const word = new Float32Array(1);
const wordBytes = new Uint8Array(word.buffer);

/** One float32, little-endian. */
export const F32: Codec = {
  bytes: 4,
  areas: { rows: 1, columns: 1 },
  load(bytes, at, to): void {
    wordBytes.set(bytes.subarray(at, at + 4));
    to[0] = word[0];
  },
  store(from, bytes, at): void {
    word[0] = from[0];
    bytes.set(wordBytes, at);
  },
};

/** A 16-bit float, little-endian. */
function sixteenBits(
  decode: (bits: number) => number,
  encode: (x: number) => number,
): Codec {
  return {
    bytes: 2,
    areas: { rows: 1, columns: 1 },
    load(bytes, at, to): void {
      to[0] = decode(bytes[at] | bytes[at + 1] << 8);
    },
    store(from, bytes, at): void {
      const bits = encode(from[0]);
      bytes[at] = bits & 255;
      bytes[at + 1] = bits >> 8;
    },
  };
}

/** One binary16. */
export const F16: Codec = sixteenBits(f16ToF32, f32ToF16);

/** One bfloat16. */
export const BF16: Codec = sixteenBits(bf16ToF32, f32ToBf16);

/** One byte, as a whole number of 0 … 255: an exponent, an 8-bit code. */
export const U8: Codec = {
  bytes: 1,
  areas: { rows: 1, columns: 1 },
  load(bytes, at, to): void {
    to[0] = bytes[at];
  },
  store(from, bytes, at): void {
    bytes[at] = from[0];
  },
};

/** One E4M3 without a sign, as ggml reads it: 0x7F is 0. */
export const UE4M3: Codec = {
  bytes: 1,
  areas: { rows: 1, columns: 1 },
  load(bytes, at, to): void {
    to[0] = 2 * decodeUE4M3Half(bytes[at]);
  },
  store(from, bytes, at): void {
    bytes[at] = encodeE4M3(from[0]);
  },
};

/** One E4M3 without infinities. */
export const E4M3: Codec = {
  bytes: 1,
  areas: { rows: 1, columns: 1 },
  load(bytes, at, to): void {
    to[0] = decodeE4M3(bytes[at]);
  },
  store(from, bytes, at): void {
    bytes[at] = encodeE4M3(from[0]);
  },
};

/**
 * One signed byte that stands for a number less by `offset`.
 *
 * @param offset What is added when the number is read.
 */
export function signedByte(offset = 0): Codec {
  return {
    bytes: 1,
    areas: { rows: 1, columns: 1 },
    load(bytes, at, to): void {
      to[0] = (bytes[at] << 24 >> 24) + offset;
    },
    store(from, bytes, at): void {
      bytes[at] = from[0] - offset;
    },
  };
}

/** One int32, little-endian, as a whole number. */
export const I32: Codec = {
  bytes: 4,
  areas: { rows: 1, columns: 1 },
  load(bytes, at, to): void {
    to[0] = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
      bytes[at + 3] << 24;
  },
  store(from, bytes, at): void {
    for (let k = 0; k < 4; k++) bytes[at + k] = from[0] >> 8 * k;
  },
};

/** How whole numbers of four bits lie in bytes. */
export interface NibbleOrder {
  /** Which of two is in the low nibble; the first by default. */
  readonly first?: "low" | "high";
  /** What they are combined with by exclusive or: 8 stores −8 … 7 in two's complement. */
  readonly flip?: number;
}

/**
 * Whole numbers of 0 … 15, two to a byte, the first in the low nibble.
 *
 * @param rows How many of a column go together.
 * @param columns How many of a row.
 * @param padding What is stored for those beyond the end of the matrix.
 * @param order Where it is another one.
 */
export function nibbles(
  rows: number,
  columns: number,
  padding = 0,
  { first = "low", flip = 0 }: NibbleOrder = {},
): Codec {
  const count = rows * columns, swap = first === "low" ? 0 : 1;
  return {
    bytes: Math.ceil(count / 2),
    areas: { rows, columns },
    load(bytes, at, to): void {
      for (let k = 0; k < count; k++) {
        to[k] = (bytes[at + (k >> 1)] >> 4 * (k & 1 ^ swap) & 15) ^ flip;
      }
    },
    store(from, bytes, at): void {
      const nibble = (k: number) =>
        k >= count || Number.isNaN(from[k]) ? padding : from[k] ^ flip;
      for (let k = 0; k < count; k += 2) {
        bytes[at + (k >> 1)] = nibble(k) << 4 * swap |
          nibble(k + 1) << 4 * (1 - swap);
      }
    },
  };
}

/**
 * One int64, little-endian, as a whole number less by `offset`.
 *
 * @param offset What is added when the number is read.
 */
export function signedLong(offset = 0): Codec {
  return {
    bytes: 8,
    areas: { rows: 1, columns: 1 },
    load(bytes, at, to): void {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
      to[0] = Number(view.getBigInt64(0, true)) + offset;
    },
    store(from, bytes, at): void {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
      const whole = Number.isFinite(from[0]) ? Math.trunc(from[0]) : 0;
      view.setBigInt64(0, BigInt(whole - offset), true);
    },
  };
}

/**
 * The same codec several times over, for neighbours in a row.
 *
 * @param codec For one area.
 * @param count How many.
 */
export function repeated(codec: Codec, count: number): Codec {
  return {
    bytes: codec.bytes * count,
    areas: { rows: 1, columns: count },
    load(bytes, at, to): void {
      for (let k = 0; k < count; k++) {
        codec.load(bytes, at + k * codec.bytes, to.subarray(k));
      }
    },
    store(from, bytes, at): void {
      for (let k = 0; k < count; k++) {
        codec.store(from.subarray(k), bytes, at + k * codec.bytes);
      }
    },
  };
}

/**
 * A table of float32 for one area.
 *
 * @param length How many entries.
 */
export function table(length: number): Codec {
  const { bytes, areas, load, store } = repeated(F32, length);
  return { bytes, areas: { ...areas, columns: 1 }, length, load, store };
}
