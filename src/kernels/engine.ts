/**
 * Runs a kernel over arrays of any size and alignment, on the backend in force.
 *
 * A format says what a stretch of values takes and gives; tiles, copies into
 * WebAssembly memory, alignment and growth are dealt with here.
 *
 * @module
 */
import { oneOf, wholeNumber } from "../numeric/arguments.ts";
import type { OwnFloats } from "../numeric/floats.ts";
import {
  allocateInArena,
  type Instance,
  instanceOf,
  restore,
  scratchEnd,
  tileInstance,
  TILES_START,
} from "./arena.ts";
import { CORE_KERNELS, type KernelModule } from "./modules.ts";
import type { Race } from "./race.ts";

/** Which implementation does the work. */
export type Backend = "wasm" | "js";

/** Any typed array that a kernel reads or writes. */
export type KernelArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** One operation in both languages. Returns 0, or 1 where the scalar reference has to look. */
export interface Kernel {
  /** Name of the WebAssembly export: `(n, ...pointers, ...numbers) => 0 | 1`. */
  readonly name: string;
  /** What exports it, where that is not the module that all share. */
  readonly module?: KernelModule;
  /** The plain-JS twin, where there is one; without it the scalar reference does the work: `(n, ...arrays, ...numbers) => 0 | 1`; arrays start at multiples of 8 bytes. */
  readonly js?: (n: number, ...operands: never[]) => number;
  /** Decides, from calls that are made anyway, whether the plain-JS twin does work on the heap; without it WebAssembly does. */
  readonly race?: Race;
}

/** An array that a kernel works on, and how much of it goes with how many values. */
export interface Operand {
  readonly array: KernelArray;
  /** Whether the kernel reads it, writes it, or does both. */
  readonly access: "read" | "write" | "update";
  /** Bits for each value; the last byte may be partly used. */
  readonly bits?: number;
  /** Or bytes for each whole or partial step of values. With neither, all of it goes with every stretch. */
  readonly bytes?: number;
}

/** A kernel, the values to cover, and the operands in the kernel's order. */
export interface Work {
  readonly kernel: Kernel;
  /** How many values in all. */
  readonly count: number;
  /** Values that must stay together; stretches start at its multiples. */
  readonly step: number;
  readonly operands: readonly Operand[];
  readonly numbers?: readonly number[];
  /** Goes from the last stretch to the first. */
  readonly backwards?: boolean;
  /** Does a stretch again by the scalar reference, or throws; called when the kernel returns 1. */
  readonly again: (first: number, n: number) => void;
}

let chosen: Backend | undefined;
/** Whether the caller has chosen it. */
let forced = false;

function webAssemblyWorks(): boolean {
  try {
    tileInstance(0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tells which backend is in force: `"wasm"`, or `"js"` where WebAssembly is
 * missing or forbidden (a content security policy without `wasm-unsafe-eval`).
 * Where it is `"wasm"` and nobody has forced it, kernels that copy as much as they
 * compute (int4 from the heap, dequantized) are timed in their first large calls,
 * and plain JS does them where it is faster.
 * Results are the same bytes on both.
 *
 * @example
 * ```ts
 * import { backend } from "@nibblewise/nibblewise";
 *
 * console.log(backend()); // "wasm" or "js"
 * ```
 */
export function backend(): Backend {
  chosen ??= webAssemblyWorks() ? "wasm" : "js";
  return chosen;
}

/**
 * Forces a backend, to compare the two or to rule one out.
 *
 * @throws {RangeError} When the name is neither `"wasm"` nor `"js"`.
 * @throws {TypeError} When it is no string.
 * @throws {Error} When WebAssembly is asked for and does not work here.
 *
 * @example
 * ```ts
 * import { backend, useBackend } from "@nibblewise/nibblewise";
 *
 * const before = backend();
 * useBackend("js");
 * console.log(backend()); // "js"
 * useBackend(before);
 * ```
 */
export function useBackend(name: Backend): void {
  const backend = oneOf(name, ["wasm", "js"], "backend");
  if (backend === "wasm" && !webAssemblyWorks()) {
    throw new Error(
      'WebAssembly does not work here: stay with useBackend("js")',
    );
  }
  [chosen, forced] = [backend, true];
}

/**
 * A Float32Array inside WebAssembly memory: quantizing from it and dequantizing
 * into it copies nothing. It is an ordinary array in every other respect, stays
 * valid for good, and holds zeros. Where WebAssembly does not work it is a plain
 * Float32Array.
 *
 * Its buffer is that of an arena, larger than the array (a mebibyte at least),
 * which small arrays share. It cannot be transferred, and `structuredClone` or
 * `postMessage` copy all of it: post `array.slice()`, which is an ordinary array
 * of its own. An arena is given back when none of its arrays is in use; make a few
 * arrays and reuse them.
 *
 * @param length How many floats, from 0 to 2^30 less a little.
 * @throws {TypeError} When the length is no number.
 * @throws {RangeError} When it is no whole number, too large, or memory is out.
 *
 * @example
 * ```ts
 * import { allocate, quantize } from "@nibblewise/nibblewise";
 *
 * const values = allocate(1024);
 * values.fill(0.5);
 * const { parts } = quantize(values, { format: "int4", groupSize: 128 });
 * console.log(parts.codes.data.length); // 512
 * ```
 *
 * @example To another thread
 * ```ts
 * import { allocate } from "@nibblewise/nibblewise";
 *
 * const { port1, port2 } = new MessageChannel();
 * const copy = allocate(64).slice();
 * port1.postMessage(copy, [copy.buffer]); // 256 bytes, moved
 * port1.close();
 * port2.close();
 * ```
 */
export function allocate(length: number): OwnFloats {
  const floats = wholeNumber(length, "length");
  return backend() === "wasm"
    ? allocateInArena(floats)
    : new Float32Array(floats);
}

/** Work of so few values is done before WebAssembly is ready for it. */
const FEW_VALUES = 16;

/** Runs a kernel over all values of `work`. */
export function run(work: Work): void {
  if (work.count === 0) return;
  const { kernel, operands, count } = work;
  if (backend() !== "wasm" || !isHere(kernel)) return runJs(work);
  if (count <= FEW_VALUES && kernel.js && !forced) return runJs(work);
  if (
    forced || !kernel.race || operands.some(({ array }) => instanceOf(array))
  ) {
    return runWasm(work);
  }
  kernel.race.run(count, () => runWasm(work), () => runJs(work));
}

/** Whether an entry point brought the kernel along. */
function isHere({ module = CORE_KERNELS }: Kernel): boolean {
  return module.hex !== undefined;
}

// ---- what both backends share ----

/** Values per stretch where nothing is copied: few calls, and little to do again. */
const LONG_STRETCH = 65536;

function stretchOf(target: number, step: number): number {
  return Math.max(1, Math.floor(target / step)) * step;
}

function isWhole(operand: Operand): boolean {
  return operand.bits === undefined && operand.bytes === undefined;
}

/** Bytes of an operand that go with `n` values. */
function byteCount(operand: Operand, n: number, step: number): number {
  if (operand.bits !== undefined) return Math.ceil(n * operand.bits / 8);
  if (operand.bytes !== undefined) return Math.ceil(n / step) * operand.bytes;
  return operand.array.byteLength;
}

// ---- WebAssembly ----

/** Bytes copied per tile: few enough for the first cache or the near end of the second, enough to make calls rare. */
const TILE_BYTES = 73728;

/** An operand as the tile loop sees it. */
interface Slot {
  readonly operand: Operand;
  /** Where its bytes are in WebAssembly memory: the array itself, or its tile. */
  readonly address: number;
  /** The array's bytes, where they have to be copied in or out; undefined where the array lives in the memory. */
  readonly bytes: Uint8Array | undefined;
  /** The tile they are copied to. */
  readonly tile: Uint8Array | undefined;
}

function runWasm(work: Work): void {
  const { operands, step, count } = work;
  const { instance, stretch } = choosePlace(work);
  const memory = new Uint8Array(instance.memory.buffer);
  restore(instance, memory);
  let free = TILES_START;
  const slots = operands.map((operand): Slot => {
    const { buffer, byteOffset, byteLength } = operand.array;
    if (buffer === memory.buffer) {
      return {
        operand,
        address: byteOffset,
        bytes: undefined,
        tile: undefined,
      };
    }
    // A tile that sits like its array modulo 64 is copied faster.
    const address = align(free) +
      (stretch < count ? (byteOffset + copyOffset()) & 63 : 0);
    free = address + byteCount(operand, stretch, step);
    return {
      operand,
      address,
      bytes: new Uint8Array(buffer, byteOffset, byteLength),
      tile: memory.subarray(address, free),
    };
  });
  for (const { operand, bytes, tile } of slots) {
    if (bytes && isWhole(operand) && operand.access !== "write") {
      tile!.set(bytes);
    }
  }
  runTiles(work, instance, slots, stretch);
  for (const { operand, bytes, tile } of slots) {
    if (bytes && isWhole(operand) && operand.access !== "read") {
      bytes.set(tile!);
    }
  }
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Where a work is done, and how many values go into a call. */
interface Place {
  readonly instance: Instance;
  readonly stretch: number;
}

/** How many values go into a call where operands outside of `inside` are copied, and how many bytes of tiles that takes. */
function tiling(
  { operands, step, count }: Work,
  inside: ArrayBufferLike | undefined,
): { stretch: number; bytes: number } {
  const most = Math.min(count, stretchOf(LONG_STRETCH, step));
  let copied = 0;
  for (const operand of operands) {
    if (operand.array.buffer !== inside && !isWhole(operand)) {
      copied += byteCount(operand, most, step);
    }
  }
  const stretch = copied <= TILE_BYTES
    ? most
    : stretchOf(TILE_BYTES * most / copied, step);
  let bytes = 0;
  for (const operand of operands) {
    if (operand.array.buffer === inside) continue;
    // Aligned to 64, and up to 63 further on.
    bytes += byteCount(operand, stretch, step) + 128;
  }
  return { stretch, bytes };
}

/** The arena that the largest operand of any arena lives in, if what has to be copied has room there; or else the tiles. */
function choosePlace(work: Work): Place {
  const { module } = work.kernel;
  let largest = -1, arena: Instance | undefined;
  for (const { array } of work.operands) {
    const instance = array.byteLength > largest
      ? instanceOf(array, module)
      : undefined;
    if (instance) [arena, largest] = [instance, array.byteLength];
  }
  if (arena && !work.operands.some((operand) => isBelow(operand, arena))) {
    const { stretch, bytes } = tiling(work, arena.memory.buffer);
    if (TILES_START + bytes <= scratchEnd(arena)) {
      return { instance: arena, stretch };
    }
  }
  const { stretch, bytes } = tiling(work, undefined);
  return { instance: tileInstance(bytes, module), stretch };
}

/** Whether an array lies where the arena has its constants and tiles: a caller made it from the buffer of another. */
function isBelow({ array }: Operand, arena: Instance): boolean {
  return array.buffer === arena.memory.buffer &&
    array.byteOffset < scratchEnd(arena);
}

function runTiles(
  work: Work,
  instance: Instance,
  slots: readonly Slot[],
  stretch: number,
): void {
  const { count, step } = work;
  const kernel = instance.kernels[work.kernel.name];
  const call = [
    0,
    ...slots.map((slot) => slot.address),
    ...(work.numbers ?? []),
  ];
  const tiles = Math.ceil(count / stretch);
  for (let t = 0; t < tiles; t++) {
    const first = (work.backwards ? tiles - 1 - t : t) * stretch,
      n = Math.min(stretch, count - first);
    call[0] = n;
    for (let i = 0; i < slots.length; i++) {
      const { bytes, operand, address, tile } = slots[i];
      if (isWhole(operand)) continue;
      const start = byteCount(operand, first, step);
      if (!bytes) call[i + 1] = address + start;
      else if (operand.access !== "write") {
        tile!.set(bytes.subarray(start, start + byteCount(operand, n, step)));
      }
    }
    if (kernel(...call) !== 0) {
      work.again(first, n);
      continue;
    }
    for (const { bytes, operand, tile } of slots) {
      if (!bytes || operand.access === "read" || isWhole(operand)) continue;
      const size = byteCount(operand, n, step);
      bytes.set(
        size === tile!.length ? tile! : tile!.subarray(0, size),
        byteCount(operand, first, step),
      );
    }
  }
}

// Where large arrays start modulo 64 differs between engines (V8 often 16,
// JavaScriptCore 0) and cannot be asked, so it is measured, once.
let measuredOffset: number | undefined;

const OFFSETS = [16, 0, 32, 48];

function copyOffset(): number {
  measuredOffset ??= fastestOffset(tileInstance(2 * PROBE_BYTES));
  return measuredOffset;
}

/** Bytes copied for a probe: a tile many times over. */
const PROBE_BYTES = 65536;

function fastestOffset({ memory }: Instance): number {
  const source = new Uint8Array(PROBE_BYTES),
    target = new Uint8Array(memory.buffer);
  const best = OFFSETS.map(() => Infinity);
  for (let round = 0; round < 5; round++) {
    OFFSETS.forEach((offset, i) => {
      const start = performance.now();
      for (let k = 0; k < 4; k++) {
        for (let at = 0; at < PROBE_BYTES; at += 8192) {
          target.set(
            source.subarray(at, at + 8192),
            align(TILES_START) + offset,
          );
        }
      }
      best[i] = Math.min(best[i], performance.now() - start);
    });
  }
  return OFFSETS[best.indexOf(Math.min(...best))];
}

// ---- plain JS ----

function runJs(work: Work): void {
  const { operands, count, step } = work;
  const stretch = stretchOf(LONG_STRETCH, step);
  const kernel = work.kernel.js as
    | ((n: number, ...operands: (KernelArray | number)[]) => number)
    | undefined;
  if (!kernel) return work.again(0, count);
  const numbers = work.numbers ?? [];
  for (let first = 0; first < count; first += stretch) {
    const n = Math.min(stretch, count - first);
    const pieces = operands.map((operand) => piece(operand, first, n, step));
    const aligned = pieces.map((array, i) =>
      operands[i].access === "write" ? alignedSpace(array) : alignedCopy(array)
    );
    if (kernel(n, ...aligned, ...numbers) !== 0) {
      work.again(first, n);
      continue;
    }
    pieces.forEach((array, i) => {
      if (operands[i].access !== "read" && aligned[i] !== array) {
        array.set(aligned[i]);
      }
    });
  }
}

function piece(
  operand: Operand,
  first: number,
  n: number,
  step: number,
): KernelArray {
  const { array } = operand;
  if (isWhole(operand)) return array;
  const size = array.BYTES_PER_ELEMENT,
    start = byteCount(operand, first, step) / size;
  return array.subarray(start, start + byteCount(operand, n, step) / size);
}

// Twins view floats as 64-bit pairs and bytes as 32-bit words.
function isAligned(array: KernelArray): boolean {
  return (array.byteOffset & 7) === 0;
}

function alignedCopy(array: KernelArray): KernelArray {
  return isAligned(array) ? array : array.slice();
}

function alignedSpace(array: KernelArray): KernelArray {
  if (isAligned(array)) return array;
  return new (array.constructor as new (length: number) => KernelArray)(
    array.length,
  );
}
