/**
 * Every kind of memory that an array of a caller can lie in.
 *
 * @module
 */
import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import { allocateInArena } from "../src/kernels/arena.ts";

type AnyArray = ArrayBufferView & {
  readonly BYTES_PER_ELEMENT: number;
  readonly length: number;
};

type Constructor = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => AnyArray;

/** Copies an array into memory of some kind. */
export type Memory = <Kind extends AnyArray>(array: Kind) => Kind;

function placed(
  room: (bytes: number) => { buffer: ArrayBufferLike; byteOffset: number },
): Memory {
  return (array) => {
    const size = array.BYTES_PER_ELEMENT;
    const { buffer, byteOffset } = room(array.byteLength + size);
    const copy = new (array.constructor as Constructor)(
      buffer,
      Math.ceil(byteOffset / size) * size,
      array.length,
    );
    bytesOf(copy).set(bytesOf(array));
    return copy as typeof array;
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: AnyArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function inArena(bytes: number) {
  return allocateInArena(Math.ceil(bytes / 4) + 8);
}

/** Counts arrays, so that those of one test do not share memory: HQQ has many small parts. */
const turns = { large: 0, small: 0 };

function belowArrays(bytes: number): number {
  const isSmall = bytes <= 128;
  const slot = isSmall ? turns.small++ % 100 : turns.large++ % 11;
  return 1025 + (isSmall ? 16384 * 11 + 160 * slot : 16384 * slot);
}

/** The kinds, by name. */
export const memories: Readonly<Record<string, Memory>> = {
  heap: placed((bytes) => new Uint8Array(bytes)),
  unaligned: placed((bytes) => new Uint8Array(bytes + 8).subarray(1)),
  shared: placed((bytes) => new Uint8Array(new SharedArrayBuffer(bytes))),
  resizable: placed((bytes) =>
    new Uint8Array(
      new ArrayBuffer(bytes, { maxByteLength: 2 * bytes }),
    )
  ),
  allocated: placed(inArena),
  "allocated, unaligned": placed((bytes) => {
    const { buffer, byteOffset } = inArena(bytes + 8);
    return { buffer, byteOffset: byteOffset + 1 };
  }),
  // Where kernels have their constants, and the engine its tiles.
  "below an allocated array": placed((bytes) => ({
    buffer: inArena(bytes).buffer,
    byteOffset: belowArrays(bytes),
  })),
};
