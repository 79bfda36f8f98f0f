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
import { bytesOfHex } from "./hex.ts";
import {
  BROUGHT_FOR_TILES,
  CORE_KERNELS,
  type KernelModule,
} from "./modules.ts";
import { ROOM_BYTES, ROOM_START, TILES_START } from "./work.ts";

/** A compiled kernel: counts, pointers and numbers in, 0 or 1 out. */
export type WasmKernel = (...operands: number[]) => number;

/** A memory and the kernels that work in it. */
export interface Instance {
  readonly memory: WebAssembly.Memory;
  /** Those of tiles are there as far as entry points brought them along. */
  readonly kernels: Readonly<Record<string, WasmKernel>>;
  /** The kernels' constants as the module sets them; what is between them is theirs to write before they read it. */
  readonly constants: Uint8Array;
  /** How many modules its kernels are of. */
  readonly modules: number;
}

const PAGE = 65536;
const MEBIBYTE = 1024 * 1024;

/** What is kept free at the bottom of every memory: the room of the generic way, a full tile, and weights for rows of 30,000 values. */
const SCRATCH_BYTES = ROOM_BYTES + 4 * PAGE;

/** A shared arena: large enough for many small arrays, small enough to be copied by mistake. */
const LEAST_ARENA_BYTES = MEBIBYTE;

/** Each shared arena is twice as large as the one before, up to this, so that a thousand small arrays do not take as many memories. */
const MOST_SHARED_BYTES = 64 * MEBIBYTE;

/** The most that one WebAssembly memory can hold, less a page so that sizes stay below 2^32. */
const MOST_BYTES = 65535 * PAGE;

const compiledModules = /* @__PURE__ */ new Map<
  KernelModule,
  WebAssembly.Module
>();

function compile(module: KernelModule): WebAssembly.Module {
  let compiled = compiledModules.get(module);
  if (!compiled) {
    if (module.hex === undefined) {
      throw new Error(
        "There are no WebAssembly kernels in this entry point: import another one than ./js",
      );
    }
    compiled = new WebAssembly.Module(bytesOfHex(module.hex));
    compiledModules.set(module, compiled);
  }
  return compiled;
}

/** Where constants start; below, nothing is. */
const CONSTANTS_START = 1024;

function newMemory(bytes: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
}

/** The modules that work side by side with one. */
function modulesWith(module: KernelModule): KernelModule[] {
  return module === CORE_KERNELS ? [module, ...BROUGHT_FOR_TILES] : [module];
}

/** Whether an instance lacks kernels of modules that were brought along later. */
function isOutdated({ modules }: Instance, module: KernelModule): boolean {
  return module === CORE_KERNELS && modules !== 1 + BROUGHT_FOR_TILES.length;
}

/** Puts kernels into a memory: into one that holds zeros, where their constants are not known. */
function instantiate(
  module: KernelModule,
  memory: WebAssembly.Memory,
  known?: Uint8Array,
): Instance {
  const abort = () => {
    throw new Error(
      "A kernel aborted: this is a bug in nibblewise, please report it",
    );
  };
  const kernels: Record<string, WasmKernel> = {}, modules = modulesWith(module);
  let end = CONSTANTS_START;
  for (const each of modules) {
    const instance = new WebAssembly.Instance(compile(each), {
      env: { memory, abort },
    });
    Object.assign(kernels, instance.exports);
    end = Math.max(end, kernels.constants_end());
    if (kernels.scratch_start() > ROOM_START) {
      throw new Error("A module of kernels needs more room than it has");
    }
  }
  const constants = known ??
    new Uint8Array(memory.buffer).slice(CONSTANTS_START, end);
  return { memory, kernels, constants, modules: modules.length };
}

function isArena({ memory }: Instance): boolean {
  return arenas.has(memory.buffer);
}

/** Writes the kernels' constants anew, where a caller or kernels of another module may have written over them. */
export function restore(instance: Instance, memory: Uint8Array): void {
  if (isArena(instance)) memory.set(instance.constants, CONSTANTS_START);
}

/** Where the room for tiles ends that an instance has at the moment. */
export function scratchEnd(instance: Instance): number {
  return isArena(instance) ? SCRATCH_BYTES : instance.memory.buffer.byteLength;
}

const tileInstances = /* @__PURE__ */ new Map<KernelModule, Instance>();

/** The instance for data that lives elsewhere, with room for `bytes` of tiles. Throws where WebAssembly is forbidden. */
export function tileInstance(
  bytes: number,
  module: KernelModule = CORE_KERNELS,
): Instance {
  let tiles = tileInstances.get(module);
  if (!tiles || isOutdated(tiles, module)) {
    tiles = instantiate(module, newMemory(SCRATCH_BYTES));
    tileInstances.set(module, tiles);
  }
  const missing = TILES_START + bytes - scratchEnd(tiles);
  if (missing > 0) tiles.memory.grow(Math.ceil(missing / PAGE));
  return tiles;
}

interface Arena {
  readonly memory: WebAssembly.Memory;
  /** One for each module whose kernels were asked for. */
  readonly instances: Map<KernelModule, Instance>;
  /** Where the next array goes. */
  next: number;
}

/** The arena that a memory is. */
const arenas = /* @__PURE__ */ new WeakMap<ArrayBufferLike, Arena>();

// An arena is kept alive by the arrays in it, and by being the newest shared one.
let shared: Arena | undefined;

/** The instance whose memory this array lives in, if {@linkcode allocate} made it. */
export function instanceOf(
  array: ArrayBufferView,
  module: KernelModule = CORE_KERNELS,
): Instance | undefined {
  const arena = arenas.get(array.buffer);
  return arena && instanceIn(arena, module);
}

function instanceIn(
  { memory, instances }: Arena,
  module: KernelModule,
): Instance {
  let instance = instances.get(module);
  if (!instance || isOutdated(instance, module)) {
    const { constants } = tileInstance(0, module);
    instance = instantiate(module, memory, constants);
    instances.set(module, instance);
  }
  return instance;
}

/**
 * Calls a kernel of another module than the core's on what lies in the memory of an instance.
 *
 * @param module What exports it.
 * @param instance The core's instance in whose memory the data is.
 * @param name What the kernel is exported as.
 * @param operands Its operands.
 * @returns What it returns; undefined where no entry point brought it along, or there is none of that name.
 */
export function callKernel(
  module: KernelModule,
  instance: Instance,
  name: string,
  operands: readonly number[],
): number | undefined {
  const arena = arenas.get(instance.memory.buffer);
  if (module.hex === undefined || !arena) return undefined;
  const other = instanceIn(arena, module);
  const memory = new Uint8Array(instance.memory.buffer);
  // Constants of all modules lie in the same place.
  restore(other, memory);
  const result = other.kernels[name]?.(...operands);
  restore(instance, memory);
  return result;
}

let generic: Arena | undefined;

/**
 * The instance in whose room the generic way works on data of `array`: that of the
 * array itself where it lives in an arena, or one that holds nothing else. Its
 * memory never grows, so that arrays in it stay valid.
 */
export function roomInstance(array: ArrayBufferView): Instance {
  const arena = array.byteOffset < SCRATCH_BYTES
    ? undefined // where a caller made it from the buffer of another
    : instanceOf(array);
  generic ??= openArena(SCRATCH_BYTES);
  const instance = arena ?? instanceIn(generic, CORE_KERNELS);
  restore(instance, new Uint8Array(instance.memory.buffer));
  return instance;
}

function openArena(bytes: number): Arena {
  const memory = newMemory(bytes);
  const arena = { memory, instances: new Map(), next: SCRATCH_BYTES };
  arenas.set(memory.buffer, arena);
  return arena;
}

function sizeOf({ memory }: Arena): number {
  return memory.buffer.byteLength;
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
  const arena = arenaFor(bytes), { buffer } = arena.memory;
  const array = new Float32Array(buffer as ArrayBuffer, arena.next, length);
  arena.next += bytes;
  return array;
}
