/**
 * Integers written as another dtype, exactly or not at all; and elements whose
 * bytes come in the other order.
 *
 * @module
 */
import type { ByteSink, ByteSource } from "../files/bytes.ts";
import { quote } from "../files/errors.ts";
import { decodeBf16, encodeBf16 } from "../numeric/bf16.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { decodeF16, encodeF16 } from "../numeric/f16.ts";
import { sizeOf } from "../numeric/shape.ts";
import { bytesOf, leaveBusy, type Slot } from "../stream/memory.ts";
import type { Finish } from "./copy.ts";
import type { Tensor } from "./tensors.ts";

/** An integer as JavaScript has it. */
type Element = number | bigint;

interface Access {
  read(view: DataView, at: number, little: boolean): Element;
  write(view: DataView, at: number, value: Element): void;
  /** The least and the largest that it holds. */
  readonly range: readonly [least: bigint, most: bigint];
}

function rangeOf(bits: number, signed: boolean): Access["range"] {
  const most = 2n ** BigInt(signed ? bits - 1 : bits) - 1n;
  return [signed ? -most - 1n : 0n, most];
}

const U8: Access = {
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, Number(value)),
  range: rangeOf(8, false),
};

const I8: Access = {
  ...U8,
  read: (view, at) => view.getInt8(at),
  range: rangeOf(8, true),
};

function wide(bits: 16 | 32, signed: boolean): Access {
  const kind = `${signed ? "Int" : "Uint"}${bits}` as const;
  return {
    read: (view, at, little) => view[`get${kind}`](at, little),
    write: (view, at, value) => view[`set${kind}`](at, Number(value), true),
    range: rangeOf(bits, signed),
  };
}

function widest(signed: boolean): Access {
  const kind = `Big${signed ? "Int" : "Uint"}64` as const;
  return {
    read: (view, at, little) => view[`get${kind}`](at, little),
    write: (view, at, value) => view[`set${kind}`](at, BigInt(value), true),
    range: rangeOf(64, signed),
  };
}

/** How elements are read and written. */
const ACCESS: ReadonlyMap<string, Access> = new Map([
  ["BOOL", U8],
  ["U8", U8],
  ["I8", I8],
  ["U16", wide(16, false)],
  ["I16", wide(16, true)],
  ["U32", wide(32, false)],
  ["I32", wide(32, true)],
  ["U64", widest(false)],
  ["I64", widest(true)],
]);

/** Written as themselves only. */
const F64: Omit<Access, "range"> = {
  read: (view, at, little) => view.getFloat64(at, little),
  write: (view, at, value) => view.setFloat64(at, Number(value), true),
};

/** What integers become as floats; exact, or an error. */
const FLOATS: ReadonlyMap<
  string,
  (value: number, view: DataView, at: number) => number
> = new Map([
  ["F32", (value, view, at) => {
    view.setFloat32(at, value, true);
    return Math.fround(value);
  }],
  ["F16", halves(encodeF16, decodeF16)],
  ["BF16", halves(encodeBf16, decodeBf16)],
]);

function halves(
  encode: (values: Float32Array, out: Uint16Array) => void,
  decode: (halves: Uint16Array, out: Float32Array) => void,
) {
  const float = new Float32Array(1), half = new Uint16Array(1);
  return (value: number, view: DataView, at: number): number => {
    float[0] = value;
    encode(float, half);
    view.setUint16(at, half[0], true);
    decode(half, float);
    return float[0];
  };
}

/** Whether elements of a dtype are integers that can be cast. */
export function areIntegers(dtype: string): boolean {
  return ACCESS.has(dtype);
}

/** Elements of a job at most: 512 KiB of the widest. */
const STEP = 64 * 1024;

/** Float32 that a slot needs for the bytes of a job. */
export const ELEMENTS_ROOM: number = 2 * STEP;

/** Some elements on their way to another dtype. */
export interface ElementsJob {
  /** Tells it from other jobs. */
  readonly kind: "elements";
  /** The tensor: integers in their order, or float64 that stay so. */
  readonly tensor: Tensor;
  /** What they are written as. */
  readonly dtype: string;
  /** Where the first element of the tensor goes. */
  readonly to: number;
  /** The first of them, and how many. */
  readonly first: number;
  readonly count: number;
}

/** The jobs that cast a tensor of integers. */
export function* castElements(
  tensor: Tensor,
  dtype: string,
  to: number,
): Generator<ElementsJob, void> {
  const total = sizeOf(tensor.shape);
  for (let first = 0; first < total; first += STEP) {
    const count = Math.min(STEP, total - first);
    yield { kind: "elements", tensor, dtype, to, first, count };
  }
}

/**
 * Reads elements into a slot.
 *
 * @param job Which.
 * @param source The input.
 * @param slot Where to.
 * @param sink Where they go from there.
 * @returns Casts them, and starts writing.
 */
export async function readElements(
  { tensor, dtype, to, first, count }: ElementsJob,
  source: ByteSource,
  slot: Slot,
  sink: ByteSink,
): Promise<Finish> {
  await slot.busy;
  const [entry] = tensor.entries;
  const from = dtypeBytes(tensor.dtype), width = dtypeBytes(dtype);
  const bytes = bytesOf(slot.values).subarray(0, count * from);
  await source.read(entry.offset + first * from, bytes);
  return () => {
    const out = new Uint8Array(count * width);
    const little = entry.bigEndian !== true;
    const bad = castBytes(bytes, tensor.dtype, little, out, dtype);
    if (bad !== undefined) {
      throw new RangeError(
        `Cannot cast tensor ${quote(tensor.name)} to ${dtype}: it holds ${
          bad[1]
        } at index ${
          first + bad[0]
        }, which is no ${dtype}; cast it to a wider dtype, or pass --drop ${tensor.name}`,
      );
    }
    leaveBusy(slot, sink.write(to + first * width, out));
    return Promise.resolve([tensor.name, bytes.length]);
  };
}

/** Casts elements. Returns the first that has no number in the new dtype, with its index. */
function castBytes(
  bytes: Uint8Array,
  from: string,
  little: boolean,
  out: Uint8Array,
  to: string,
): [index: number, value: Element] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const target = new DataView(out.buffer);
  const step = dtypeBytes(from), width = dtypeBytes(to);
  if (to === "F64") {
    for (let at = 0; at < bytes.length; at += 8) {
      F64.write(target, at, F64.read(view, at, little));
    }
    return undefined;
  }
  const { read } = ACCESS.get(from)!;
  const float = FLOATS.get(to), integer = ACCESS.get(to);
  for (let i = 0; i * step < bytes.length; i++) {
    const value = read(view, i * step, little);
    const isExact = float
      ? float(Number(value), target, i * width) === Number(value) &&
        (typeof value === "number" || BigInt(Number(value)) === value)
      : value >= integer!.range[0] && value <= integer!.range[1];
    if (!isExact) return [i, value];
    integer?.write(target, i * width, value);
  }
  return undefined;
}
