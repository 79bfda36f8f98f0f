/**
 * Memory for one tile at a time: in WebAssembly where that is in force, so that
 * kernels and plain JS work on the same arrays, and the values of a tile are all
 * that is copied.
 *
 * @module
 */
import type { Instance } from "./arena.ts";
import { type WasmEngine, wasmInForce } from "./engine.ts";
import { TILE_KERNELS } from "./modules.ts";
import { ROOM_BYTES, ROOM_START, TILES_START } from "./work.ts";

/** Arrays start at multiples of this: a line of the cache. */
const ALIGNMENT = 64;

/** What has kernels of tiles, where WebAssembly is in force and an entry point brought them along. */
function wasmForTiles(): WasmEngine | undefined {
  return TILE_KERNELS.hex === undefined ? undefined : wasmInForce();
}

/** Memory that is handed out piece by piece and taken back all at once. */
export class Room {
  #buffer: ArrayBufferLike = new ArrayBuffer(0);
  #start = 0;
  /** Where begins what {@linkcode clear} takes back. */
  #kept = 0;
  #next = 0;
  #isInWasm = false;

  /** Moves to the memory where `array` lives, or to where it can be copied to. */
  open(array: ArrayBufferView): void {
    const wasm = wasmForTiles();
    if (wasm) {
      const { memory } = wasm.roomInstance(array);
      [this.#buffer, this.#start] = [memory.buffer, ROOM_START];
    } else if (this.#isInWasm || this.#start === this.#end) {
      [this.#buffer, this.#start] = [new ArrayBuffer(ROOM_BYTES), 0];
    }
    this.#isInWasm = wasm !== undefined;
    this.clear(true);
  }

  get #end(): number {
    return this.#buffer.byteLength === 0 ? 0 : this.#start + ROOM_BYTES;
  }

  /** Takes back what was handed out, but for what is kept. */
  clear(all = false): void {
    if (all) this.#kept = this.#start;
    this.#next = this.#kept;
  }

  /** Keeps what was handed out, until it is opened or cleared of all. */
  keep(): void {
    this.#kept = this.#next;
  }

  /** Whether an array lives in the same memory. */
  holds({ buffer }: ArrayBufferView): boolean {
    return buffer === this.#buffer;
  }

  /** Values where kernels reach them: a copy, unless they are there or no kernel is in force. */
  here(values: Float32Array): Float32Array {
    if (!this.#isInWasm || this.holds(values)) return values;
    const copy = this.floats(values.length);
    copy.set(values);
    return copy;
  }

  /** Floats; what they hold is undefined. */
  readonly floats = (length: number): Float32Array => {
    const at = this.#take(length * 4);
    return at < 0
      ? new Float32Array(length)
      : new Float32Array(this.#buffer, at, length);
  };

  /** Floats, where they are copied fast to where they come in an array, at an offset in its memory. */
  readonly floatsFor = (length: number, byteOffset: number): Float32Array => {
    // Where kernels store whole vectors, too.
    const within = (wasmInForce()?.placeInLine(byteOffset) ?? 0) & ~15;
    const at = this.#take(length * 4 + within);
    return at < 0
      ? new Float32Array(length)
      : new Float32Array(this.#buffer, at + within, length);
  };

  /** Bytes; what they hold is undefined. */
  readonly bytes = (length: number): Uint8Array => {
    const at = this.#take(length);
    return at < 0
      ? new Uint8Array(length)
      : new Uint8Array(this.#buffer, at, length);
  };

  /** Where there are so many bytes, or −1: a tile whose groups are long takes memory of its own. */
  #take(bytes: number): number {
    const at = this.#next, next = at + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (next > this.#end) return -1;
    this.#next = next;
    return at;
  }
}

/** The instance in whose memory all of these arrays live, where WebAssembly is in force and there is one. */
export function sharedInstance(
  ...arrays: readonly ArrayBufferView[]
): Instance | undefined {
  const wasm = wasmForTiles();
  if (!wasm) return undefined;
  const { buffer } = arrays[0];
  for (let i = 1; i < arrays.length; i++) {
    if (arrays[i].buffer !== buffer) return undefined;
  }
  return wasm.instanceOf(arrays[0]);
}

/** Whether kernels of an instance reach an array where it lies, and it lies where no tile does. */
export function isBeside(
  { buffer, byteOffset }: ArrayBufferView,
  { memory }: Instance,
): boolean {
  return buffer === memory.buffer && byteOffset >= TILES_START;
}
