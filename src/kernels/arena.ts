/**
 * WebAssembly memories, each with its own instance of the kernels.
 *
 * The first one holds nothing but tiles and may grow. The others are arenas for
 * {@linkcode allocate}: reserved whole and never grown, since growing a memory
 * detaches every array in it.
 *
 * @module
 */
import { KERNELS } from "./module.ts";

/** Kernels in base64, compiled from one entry; see `build.ts`. */
export interface KernelModule {
  /** The WebAssembly. */
  readonly base64: string;
}

/** The kernels of the core: the only ones that work inside arenas. */
const CORE: KernelModule = { base64: KERNELS };

/** A compiled kernel: counts, pointers and numbers in, 0 or 1 out. */
export type WasmKernel = (...operands: number[]) => number;

/** A memory and the kernels that work in it. */
export interface Instance {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Readonly<Record<string, WasmKernel>>;
  /** Where scratch space starts; below it are the kernels' constants. */
  readonly scratch: number;
}

const PAGE = 65536;

/** Scratch space for tiles at the bottom of every memory. */
const SCRATCH_BYTES = 1024 * 1024;

/** Arenas are reserved, not touched: pages cost nothing until they are written. */
const ARENA_BYTES = [1024, 256, 64].map((mebibytes) => mebibytes * 1024 * 1024);

/** The most that one WebAssembly memory can hold, less a page so that sizes stay below 2^32. */
const MOST_BYTES = 65535 * PAGE;

const compiled = new Map<KernelModule, WebAssembly.Module>();

function compile(module: KernelModule): WebAssembly.Module {
  let result = compiled.get(module);
  if (!result) {
    result = new WebAssembly.Module(
      Uint8Array.from(atob(module.base64), (c) => c.charCodeAt(0)),
    );
    compiled.set(module, result);
  }
  return result;
}

function instantiate(bytes: number, module: KernelModule): Instance {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  const abort = () => {
    throw new Error(
      "A kernel aborted: this is a bug in nibblewise, please report it",
    );
  };
  const { exports } = new WebAssembly.Instance(compile(module), {
    env: { memory, abort },
  });
  const kernels = exports as unknown as Record<string, WasmKernel>;
  return {
    memory,
    kernels,
    scratch: Math.ceil(kernels.scratch_start() / 64) * 64,
  };
}

/** Bytes of scratch space that an instance has at the moment. */
export function scratchBytes(instance: Instance): number {
  return arenas.has(instance.memory.buffer)
    ? SCRATCH_BYTES - instance.scratch
    : instance.memory.buffer.byteLength - instance.scratch;
}

const tileInstances = new Map<KernelModule, Instance>();

/** The instance for data that lives elsewhere, with room for `bytes` of scratch. Throws where WebAssembly is forbidden. */
export function tileInstance(
  bytes: number,
  module: KernelModule = CORE,
): Instance {
  let tiles = tileInstances.get(module);
  if (!tiles) {
    tiles = instantiate(SCRATCH_BYTES, module);
    tileInstances.set(module, tiles);
  }
  const missing = bytes - scratchBytes(tiles);
  if (missing > 0) tiles.memory.grow(Math.ceil(missing / PAGE));
  return tiles;
}

interface Arena {
  readonly instance: Instance;
  next: number;
}

// An arena is kept alive by the arrays in it, and by being the newest.
const arenas = new WeakMap<ArrayBufferLike, Instance>();
let newest: Arena | undefined;

/** The instance whose memory this array lives in, if {@linkcode allocate} made it. */
export function instanceOf(array: ArrayBufferView): Instance | undefined {
  return arenas.get(array.buffer);
}

function openArena(bytes: number): Arena {
  let refused: unknown;
  const sizes = ARENA_BYTES.filter((size) => size > bytes + SCRATCH_BYTES);
  for (const size of [...sizes, bytes + SCRATCH_BYTES]) {
    try {
      const instance = instantiate(size, CORE);
      arenas.set(instance.memory.buffer, instance);
      return { instance, next: SCRATCH_BYTES };
    } catch (error) {
      refused = error;
    }
  }
  throw refused;
}

/** Float32Array in an arena. Throws where WebAssembly is forbidden or memory is out. */
export function allocateInArena(length: number): Float32Array {
  const bytes = Math.ceil(length * 4 / 64) * 64;
  if (bytes + SCRATCH_BYTES > MOST_BYTES) {
    throw new RangeError(
      `Cannot allocate ${length} floats: a WebAssembly memory holds at most 2^30 of them`,
    );
  }
  if (
    !newest || newest.next + bytes > newest.instance.memory.buffer.byteLength
  ) {
    newest = openArena(bytes);
  }
  const array = new Float32Array(
    newest.instance.memory.buffer,
    newest.next,
    length,
  );
  newest.next += bytes;
  return array;
}
