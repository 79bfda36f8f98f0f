/**
 * WebAssembly memories, each with its own instance of the kernels.
 *
 * The first one holds nothing but tiles and may grow. The others are arenas for
 * {@linkcode allocate}: reserved whole and never grown, since growing a memory
 * detaches every array in it.
 *
 * At the bottom of every memory are the kernels' constants and scratch space,
 * then room for tiles. In an arena a caller can write there, by way of the buffer
 * of its array, so nothing is taken to be there from one run to the next:
 * {@linkcode restore} writes the constants anew.
 *
 * @module
 */
import type { OwnFloats } from "../numeric/floats.ts";

/** A compiled kernel: counts, pointers and numbers in, 0 or 1 out. */
export type WasmKernel = (...operands: number[]) => number;

/** A memory and the kernels that work in it. */
export interface Instance {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Readonly<Record<string, WasmKernel>>;
  /** Where the room of the generic way starts, {@linkcode ROOM_BYTES} long; below it are the kernels' constants and their own scratch space. */
  readonly room: number;
  /** Where room for tiles starts. */
  readonly scratch: number;
}

const PAGE = 65536;
const MEBIBYTE = 1024 * 1024;

/** What the generic way has for a tile: 32,768 values, their codes, packed and not, and 32,000 numbers of their groups. */
export const ROOM_BYTES = 5 * PAGE;

/** What is kept free at the bottom of every memory: the room of the generic way, a full tile, and weights for rows of 30,000 values. */
const SCRATCH_BYTES = ROOM_BYTES + 4 * PAGE;

/** A shared arena: large enough for many small arrays, small enough to be copied by mistake. */
const LEAST_ARENA_BYTES = MEBIBYTE;

/** Each shared arena is twice as large as the one before, up to this, so that a thousand small arrays do not take as many memories. */
const MOST_SHARED_BYTES = 64 * MEBIBYTE;

/** The most that one WebAssembly memory can hold, less a page so that sizes stay below 2^32. */
const MOST_BYTES = 65535 * PAGE;

let compiled: WebAssembly.Module | undefined;

let text: string | undefined;

/**
 * Says what the kernels are. Entry points do, and not this module, so that one
 * which does without WebAssembly need not carry them.
 *
 * @param kernels The compiled module in base64.
 */
export function useKernels(kernels: string): void {
  text = kernels;
}

function compile(): WebAssembly.Module {
  if (text === undefined) {
    throw new Error(
      "There are no WebAssembly kernels in this entry point: import another one than ./js",
    );
  }
  compiled ??= new WebAssembly.Module(
    Uint8Array.from(atob(text), (c) => c.charCodeAt(0)),
  );
  return compiled;
}

/** The kernels' constants as the module sets them; what is between them is theirs to write before they read it. */
let constants: Uint8Array | undefined;

/** Where they start; below, nothing is. */
const CONSTANTS_START = 1024;

function instantiate(bytes: number): Instance {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  const abort = () => {
    throw new Error(
      "A kernel aborted: this is a bug in nibblewise, please report it",
    );
  };
  const { exports } = new WebAssembly.Instance(compile(), {
    env: { memory, abort },
  });
  const kernels = exports as unknown as Record<string, WasmKernel>;
  constants ??= new Uint8Array(memory.buffer).slice(
    CONSTANTS_START,
    kernels.constants_end(),
  );
  const room = Math.ceil(kernels.scratch_start() / 64) * 64;
  return { memory, kernels, room, scratch: room + ROOM_BYTES };
}

/** Writes the kernels' constants anew, where a caller may have written over them. */
export function restore(instance: Instance, memory: Uint8Array): void {
  if (instance !== tiles) memory.set(constants!, CONSTANTS_START);
}

/** Where the room for tiles ends that an instance has at the moment. */
export function scratchEnd(instance: Instance): number {
  return instance === tiles ? instance.memory.buffer.byteLength : SCRATCH_BYTES;
}

let tiles: Instance | undefined;

/** The instance for data that lives elsewhere, with room for `bytes` of tiles. Throws where WebAssembly is forbidden. */
export function tileInstance(bytes: number): Instance {
  tiles ??= instantiate(SCRATCH_BYTES);
  const missing = tiles.scratch + bytes - scratchEnd(tiles);
  if (missing > 0) tiles.memory.grow(Math.ceil(missing / PAGE));
  return tiles;
}

interface Arena {
  readonly instance: Instance;
  next: number;
}

const arenas = new WeakMap<ArrayBufferLike, Instance>();

// An arena is kept alive by the arrays in it, and by being the newest shared one.
let shared: Arena | undefined;

/** The instance whose memory this array lives in, if {@linkcode allocate} made it. */
export function instanceOf(array: ArrayBufferView): Instance | undefined {
  return arenas.get(array.buffer);
}

let generic: Instance | undefined;

/**
 * The instance in whose room the generic way works on data of `array`: that of the
 * array itself where it lives in an arena, or one that holds nothing else. Its
 * memory never grows, so that arrays in it stay valid.
 */
export function roomInstance(array: ArrayBufferView): Instance {
  const arena = array.byteOffset < SCRATCH_BYTES
    ? undefined // where a caller made it from the buffer of another
    : instanceOf(array);
  const instance = arena ?? (generic ??= openArena(SCRATCH_BYTES).instance);
  restore(instance, new Uint8Array(instance.memory.buffer));
  return instance;
}

function openArena(bytes: number): Arena {
  const instance = instantiate(bytes);
  arenas.set(instance.memory.buffer, instance);
  return { instance, next: SCRATCH_BYTES };
}

function sizeOf({ instance }: Arena): number {
  return instance.memory.buffer.byteLength;
}

/** An arena with room for so many bytes: the newest shared one, a new one, or one of its own for a large array. */
function arenaFor(bytes: number): Arena {
  if (shared && shared.next + bytes <= sizeOf(shared)) return shared;
  const size = shared
    ? Math.min(2 * sizeOf(shared), MOST_SHARED_BYTES)
    : LEAST_ARENA_BYTES;
  if (SCRATCH_BYTES + bytes > size) return openArena(SCRATCH_BYTES + bytes);
  return shared = openArena(size);
}

/** Float32Array in an arena. Throws where WebAssembly is forbidden or memory is out. */
export function allocateInArena(length: number): OwnFloats {
  const bytes = Math.ceil(length * 4 / 64) * 64;
  if (bytes + SCRATCH_BYTES > MOST_BYTES) {
    throw new RangeError(
      `Cannot use length ${length}: a WebAssembly memory holds at most 2^30 floats`,
    );
  }
  const arena = arenaFor(bytes), { buffer } = arena.instance.memory;
  const array = new Float32Array(buffer as ArrayBuffer, arena.next, length);
  arena.next += bytes;
  return array;
}
