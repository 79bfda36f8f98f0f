/**
 * Codecs: how numbers beside the codes become bytes.
 *
 * @module
 */
import {
  bf16ToF32,
  decodeBf16,
  encodeBf16,
  f32ToBf16,
} from "../numeric/bf16.ts";
import { decodeE4M3, encodeE4M3, encodeE4M3Bits } from "../numeric/e4m3.ts";
import { decodeF16, encodeF16, f16ToF32, f32ToF16 } from "../numeric/f16.ts";
import { sharedInstance } from "../kernels/room.ts";
import { decodeUE4M3Half } from "../numeric/ue4m3.ts";
import type { Codec } from "../words/layout.ts";

const word = /* @__PURE__ */ new Float32Array(1);
const wordBytes = /* @__PURE__ */ new Uint8Array(word.buffer);

/** A codec of one number, from what is done with its first byte. */
function single(
  bytes: number,
  load: (bytes: Uint8Array, at: number) => number,
  store: (x: number, bytes: Uint8Array, at: number) => void,
): Codec {
  return {
    bytes,
    areas: { rows: 1, columns: 1 },
    load: (bytes, at, to) => void (to[0] = load(bytes, at)),
    store: (from, bytes, at) => store(from[0], bytes, at),
    loadRun(bytes, at, stride, to, first, count, step): void {
      for (let i = first; count > 0; count--, i += step, at += stride) {
        to[i] = load(bytes, at);
      }
    },
    storeRun(from, first, count, bytes, at, stride, step): void {
      for (let i = first; count > 0; count--, i += step, at += stride) {
        store(from[i], bytes, at);
      }
    },
  };
}

/** A codec, and what it keeps. */
function keeping(keeps: Codec["keeps"], codec: Codec): Codec {
  return { ...codec, keeps };
}

/** Numbers that are worth a view of an array, where they have to be spread afterwards. */
const LONG_RUN = 64;

let numbers = /* @__PURE__ */ new Float32Array(256);

/** Room for numbers of a run. */
function numbersFor(count: number): Float32Array {
  if (numbers.length < count) numbers = new Float32Array(count);
  return numbers.subarray(0, count);
}

/** Numbers of neighbours, where they lie together at whole elements of a type: all at once. */
function inRuns<A extends Uint16Array | Int32Array | Float32Array>(
  codec: Codec,
  view: new (buffer: ArrayBufferLike, at: number, count: number) => A,
  load: (from: A, to: Float32Array) => void,
  store: (from: Float32Array, to: A) => void,
): Codec {
  const { bytes: width, loadRun, storeRun } = codec;
  const viewOf = (
    { buffer, byteOffset }: Uint8Array,
    at: number,
    stride: number,
    count: number,
    step: number,
  ) =>
    stride === width && (byteOffset + at) % width === 0 &&
      (step === 1 || count >= LONG_RUN)
      ? new view(buffer, byteOffset + at, count)
      : undefined;
  return {
    ...codec,
    loadRun(bytes, at, stride, to, first, count, step): void {
      const from = viewOf(bytes, at, stride, count, step);
      if (!from) loadRun!(bytes, at, stride, to, first, count, step);
      else if (step === 1) load(from, to.subarray(first, first + count));
      else {
        const together = numbersFor(count);
        load(from, together);
        for (let i = 0; i < count; i++) to[first + i * step] = together[i];
      }
    },
    storeRun(from, first, count, bytes, at, stride, step): void {
      const to = viewOf(bytes, at, stride, count, step);
      if (!to) storeRun!(from, first, count, bytes, at, stride, step);
      else if (step === 1) store(from.subarray(first, first + count), to);
      else {
        const together = numbersFor(count);
        for (let i = 0; i < count; i++) together[i] = from[first + i * step];
        store(together, to);
      }
    },
  };
}

const float32: Codec = /* @__PURE__ */ single(4, (bytes, at) => {
  for (let k = 0; k < 4; k++) wordBytes[k] = bytes[at + k];
  return word[0];
}, (x, bytes, at) => {
  word[0] = x;
  for (let k = 0; k < 4; k++) bytes[at + k] = wordBytes[k];
});

/** One float32, little-endian. */
export const F32: Codec = /* @__PURE__ */ keeping(
  "all",
  /* @__PURE__ */ inRuns(
    float32,
    Float32Array,
    (from, to) => to.set(from),
    (from, to) => to.set(from),
  ),
);

/** A 16-bit float, little-endian. */
function sixteenBits(
  decode: (bits: number) => number,
  encode: (x: number) => number,
): Codec {
  return single(
    2,
    (bytes, at) => decode(bytes[at] | bytes[at + 1] << 8),
    (x, bytes, at) => {
      const bits = encode(x);
      bytes[at] = bits & 255;
      bytes[at + 1] = bits >> 8;
    },
  );
}

/** One binary16 among other things, as in a block: no two of them lie together. */
export const F16_ALONE: Codec = /* @__PURE__ */ sixteenBits(f16ToF32, f32ToF16);

/** One binary16. */
export const F16: Codec = /* @__PURE__ */ inRuns(
  F16_ALONE,
  Uint16Array,
  decodeF16,
  encodeF16,
);

/** One bfloat16. */
export const BF16: Codec = /* @__PURE__ */ inRuns(
  /* @__PURE__ */ sixteenBits(bf16ToF32, f32ToBf16),
  Uint16Array,
  decodeBf16,
  encodeBf16,
);

/**
 * One byte that stands for a number.
 *
 * @param decode The number.
 * @param encode Its byte.
 */
export function byte(
  decode: (byte: number) => number,
  encode: (x: number) => number,
): Codec {
  const known = Float32Array.from({ length: 256 }, (_, byte) => decode(byte));
  return {
    ...single(
      1,
      (bytes, at) => known[bytes[at]],
      (x, bytes, at) => void (bytes[at] = encode(x)),
    ),
    numbers: known,
    loadRun(bytes, at, stride, to, first, count, step): void {
      for (let i = first; count > 0; count--, i += step, at += stride) {
        to[i] = known[bytes[at]];
      }
    },
  };
}

/** One byte, as a whole number of 0 … 255: an exponent, an 8-bit code. */
export const U8: Codec = /* @__PURE__ */ keeping(
  [0, 255],
  /* @__PURE__ */ byte((x) => x, (x) => x),
);

/** One E4M3 without a sign, as ggml reads it: 0x7F is 0. */
export const UE4M3: Codec = /* @__PURE__ */ byte(
  (x) => 2 * decodeUE4M3Half(x),
  encodeE4M3,
);

/**
 * One E4M3 without infinities.
 *
 * @param nan The byte of a NaN.
 */
export function e4m3(nan: number): Codec {
  return {
    ...byte(
      decodeE4M3,
      (x) => Number.isNaN(x) ? nan : encodeE4M3(x),
    ),
    storeRun(from, first, count, bytes, at, stride, step): void {
      const together = stride === 1 && step === 1;
      if (together && storeE4M3(from, first, count, bytes, at)) return;
      const { buffer, byteOffset, length } = from;
      const bits = new Int32Array(buffer, byteOffset, length);
      for (let i = first; count > 0; count--, i += step, at += stride) {
        bytes[at] = encodeE4M3Bits(bits[i], nan);
      }
    },
  };
}

/** Numbers that the kernel stores at a time: bytes of a workspace. */
const MOST_STORED = 8192;

/** Stores numbers by a kernel; false where there is none, or one of them has a sign or is no E4M3. */
function storeE4M3(
  from: Float32Array,
  first: number,
  count: number,
  bytes: Uint8Array,
  at: number,
): boolean {
  const instance = sharedInstance(from);
  if (!instance || count > MOST_STORED) return false;
  const { kernels, memory } = instance;
  const source = from.byteOffset + 4 * first;
  if (kernels.tile_store_e4m3(count, source) !== 0) return false;
  bytes.set(
    new Uint8Array(memory.buffer, kernels.workspace_start(), count),
    at,
  );
  return true;
}

/** That of most libraries. */
export const E4M3: Codec = /* @__PURE__ */ e4m3(0x7f);

/**
 * One signed byte that stands for a number less by `offset`.
 *
 * @param offset What is added when the number is read.
 */
export function signedByte(offset = 0): Codec {
  return {
    ...byte((x) => (x << 24 >> 24) + offset, (x) => x - offset),
    keeps: [offset - 128, offset + 127],
    storeRun(from, first, count, bytes, at, stride, step): void {
      for (let i = first; count > 0; count--, i += step, at += stride) {
        bytes[at] = from[i] - offset;
      }
    },
  };
}

/** One int32, little-endian, as a whole number. */
export const I32: Codec = /* @__PURE__ */ keeping(
  // To 2^24, which float32 can tell apart; as a power it would stay in every bundle.
  [-16_777_216, 16_777_216],
  /* @__PURE__ */ inRuns(
    /* @__PURE__ */ single(
      4,
      (bytes, at) =>
        bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
        bytes[at + 3] << 24,
      (x, bytes, at) => {
        for (let k = 0; k < 4; k++) bytes[at + k] = x >> 8 * k;
      },
    ),
    Int32Array,
    (from, to) => {
      for (let i = 0; i < to.length; i++) to[i] = from[i];
    },
    (from, to) => {
      for (let i = 0; i < to.length; i++) to[i] = from[i];
    },
  ),
);

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
    ...(count % 2 === 0 && pairs(count / 2, 4 * swap, flip)),
    keeps: [0, 15],
    load(bytes, at, to): void {
      for (let k = 0; k < count; k++) {
        to[k] = (bytes[at + (k >> 1)] >> 4 * (k & 1 ^ swap) & 15) ^ flip;
      }
    },
    store(from, bytes, at): void {
      const low = 4 * swap, high = 4 - low;
      for (let k = 0; k < count; k += 2) {
        const first = from[k], second = k + 1 < count ? from[k + 1] : NaN;
        bytes[at + (k >> 1)] =
          (Number.isNaN(first) ? padding : first ^ flip) << low |
          (Number.isNaN(second) ? padding : second ^ flip) << high;
      }
    },
  };
}

/** Units of whole bytes next to each other, the first number of a byte `low` bits from its end. */
function pairs(
  perUnit: number,
  low: number,
  flip: number,
): Pick<Codec, "loadUnits" | "storeUnits"> {
  const high = 4 - low;
  return {
    loadUnits(bytes, at, count, to, first): void {
      for (const end = at + count * perUnit; at < end; at++, first += 2) {
        const byte = bytes[at];
        to[first] = (byte >> low & 15) ^ flip;
        to[first + 1] = (byte >> high & 15) ^ flip;
      }
    },
    storeUnits(from, first, count, bytes, at): void {
      for (const end = at + count * perUnit; at < end; at++, first += 2) {
        bytes[at] = (from[first] ^ flip) << low |
          (from[first + 1] ^ flip) << high;
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
  return single(8, (bytes, at) => {
    const low = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
      bytes[at + 3] << 24;
    // Nearly all are small, and BigInts are slow.
    const sign = low >> 31 & 255;
    const isSmall = bytes[at + 4] === sign && bytes[at + 5] === sign &&
      bytes[at + 6] === sign && bytes[at + 7] === sign;
    if (isSmall) return low + offset;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
    return Number(view.getBigInt64(0, true)) + offset;
  }, (x, bytes, at) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
    const whole = Number.isFinite(x) ? Math.trunc(x) : 0;
    view.setBigInt64(0, BigInt(whole - offset), true);
  });
}

/**
 * The same codec several times over, for neighbours in a row.
 *
 * @param codec For one area.
 * @param count How many.
 */
export function repeated(codec: Codec, count: number): Codec {
  const { bytes: width, loadRun, storeRun } = codec;
  return {
    bytes: width * count,
    areas: { rows: 1, columns: count },
    loadUnits: loadRun &&
      ((bytes, at, units, to, first) =>
        loadRun(bytes, at, width, to, first, units * count, 1)),
    storeUnits: storeRun &&
      ((from, first, units, bytes, at) =>
        storeRun(from, first, units * count, bytes, at, width, 1)),
    load(bytes, at, to): void {
      if (codec.loadRun) {
        return codec.loadRun(bytes, at, codec.bytes, to, 0, count, 1);
      }
      for (let k = 0; k < count; k++) {
        codec.load(bytes, at + k * codec.bytes, to.subarray(k));
      }
    },
    store(from, bytes, at): void {
      if (codec.storeRun) {
        return codec.storeRun(from, 0, count, bytes, at, codec.bytes, 1);
      }
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
