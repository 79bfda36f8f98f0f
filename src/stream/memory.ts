/**
 * Memory that is used again and again.
 *
 * @module
 */
import { allocate } from "../kernels/engine.ts";

/** Everything starts at a multiple of this many bytes. */
const LINE = 64;

/** Bytes for the parts of one window after another. */
export class ByteMemory {
  #floats: Float32Array = new Float32Array(0);
  #used = 0;

  /** Gives all of it back; what was taken before must not be used any more. Makes room for `bytes`. */
  reset(bytes: number, pieces: number): void {
    const need = bytes + LINE * pieces;
    if (need > this.#floats.byteLength) {
      this.#floats = allocate(Math.ceil(need / 4));
    }
    this.#used = 0;
  }

  /** Some of it; what it holds is undefined. */
  take(bytes: number): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.#floats;
    const at = this.#used;
    if (at + bytes > byteLength) {
      throw new Error("More memory is taken than there was made room for");
    }
    this.#used = Math.ceil((at + bytes) / LINE) * LINE;
    return new Uint8Array(buffer, byteOffset + at, bytes);
  }
}

/** Floats that grow with what is asked for. */
export class FloatMemory {
  #floats: Float32Array = new Float32Array(0);

  /** So many of them; what they hold is undefined. */
  take = (length: number): Float32Array => {
    if (this.#floats.length < length) this.#floats = allocate(length);
    return this.#floats.subarray(0, length);
  };
}

/** The bytes of an array, without a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Memory that holds the values of one window, and the bytes that they are read from. */
export interface Slot {
  /** Room for the values of the largest window. */
  readonly values: Float32Array;
  /** Room for the bytes of its parts. */
  readonly parts: ByteMemory;
  /** What has to be through before the memory is used again: a write from it. */
  busy: Promise<unknown>;
}

/** A ring of slots, to read ahead. */
export function allocateSlots(count: number, values: number): Slot[] {
  return Array.from({ length: count }, () => ({
    values: allocate(values),
    parts: new ByteMemory(),
    busy: Promise.resolve(),
  }));
}

/** Lets a write from a slot run on; it surfaces where the slot is used again, and at {@linkcode settle}. */
export function leaveBusy(
  slot: Pick<Slot, "busy">,
  write: Promise<unknown> = Promise.resolve(),
): void {
  slot.busy = write;
  write.catch(() => {});
}

/** Waits for what slots are busy with. */
export async function settle(
  slots: readonly Pick<Slot, "busy">[],
): Promise<void> {
  await Promise.all(slots.map(({ busy }) => busy));
}
