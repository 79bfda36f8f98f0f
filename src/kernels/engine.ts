/**
 * Runs a kernel over arrays of any size and alignment, on the backend in force.
 *
 * A format says what a stretch of values takes and gives; tiles, copies into
 * WebAssembly memory, alignment and growth are dealt with here.
 *
 * @module
 */
import {
  allocateInArena,
  type Instance,
  instanceOf,
  scratchBytes,
  tileInstance,
} from "./arena.ts";

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
  /** The plain-JS twin: `(n, ...arrays, ...numbers) => 0 | 1`; arrays start at multiples of 8 bytes. */
  readonly js: (n: number, ...operands: never[]) => number;
}

/** An array that a kernel works on, and how much of it goes with how many values. */
export interface Operand {
  readonly array: KernelArray;
  /** Bits for each value; the last byte may be partly used. */
  readonly bits?: number;
  /** Or bytes for each whole or partial step of values. */
  readonly bytes?: number;
  /** Neither: all of it goes with every stretch. */
}

/** A kernel, the values to cover, and the operands in the kernel's order. */
export interface Work {
  readonly kernel: Kernel;
  /** How many values in all. */
  readonly count: number;
  /** Values that must stay together; stretches start at its multiples. */
  readonly step: number;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly numbers?: readonly number[];
  /** Does a stretch again by the scalar reference, or throws; called when the kernel returns 1. */
  readonly again: (first: number, n: number) => void;
}

let chosen: Backend | undefined;

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
  if (name !== "wasm" && name !== "js") {
    throw new RangeError(`Unknown backend "${name}": use "wasm" or "js"`);
  }
  if (name === "wasm" && !webAssemblyWorks()) {
    throw new Error(
      'WebAssembly does not work here: stay with useBackend("js")',
    );
  }
  chosen = name;
}

/**
 * A Float32Array inside WebAssembly memory: quantizing from it and dequantizing
 * into it copies nothing. It is an ordinary array in every other respect, stays
 * valid for good, and holds zeros. Where WebAssembly does not work it is a plain
 * Float32Array.
 *
 * Arrays share arenas of up to 1 GiB that are given back when none of their
 * arrays is in use; make a few and reuse them.
 *
 * @param length How many floats, from 0 to 2^30 less a little.
 * @throws {RangeError} When the length is no whole number or too large.
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
 */
export function allocate(length: number): Float32Array {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(
      `Cannot allocate ${length} floats: the length must be a whole number of 0 or more`,
    );
  }
  return backend() === "wasm"
    ? allocateInArena(length)
    : new Float32Array(length);
}

/** Runs a kernel over all values of `work`. */
export function run(work: Work): void {
  if (work.count === 0) return;
  if (backend() === "wasm") runWasm(work);
  else runJs(work);
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

function byteOffset(operand: Operand, first: number, step: number): number {
  return isWhole(operand) ? 0 : byteCount(operand, first, step);
}

function bytesOf(array: KernelArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

// ---- WebAssembly ----

/** Values per tile: in and out together stay in the first cache. */
const TILE = 2048;

interface Slot {
  readonly operand: Operand;
  readonly input: boolean;
  readonly output: boolean;
  /** Where the operand's bytes are in WebAssembly memory: the array itself, or its tile. */
  readonly address: number;
  /** The array's bytes where they have to be copied; undefined where it lives in the memory. */
  readonly bytes: Uint8Array | undefined;
}

function runWasm(work: Work): void {
  const { operands, isInput, isOutput } = sides(work);
  const stretch = stretchOf(TILE, work.step);
  const need = operands.reduce(
    (sum, o) =>
      sum + byteCount(o, Math.min(stretch, work.count), work.step) + 192,
    0,
  );
  const instance = chooseInstance(operands, need);
  const slots: Slot[] = [];
  let address = instance.scratch;
  operands.forEach((operand, i) => {
    const { array } = operand;
    const inside = array.buffer === instance.memory.buffer;
    // A tile that sits like its array modulo 64 is copied faster.
    if (!inside) {
      address = Math.ceil(address / 64) * 64 +
        ((array.byteOffset + copyOffset()) & 63);
    }
    slots.push({
      operand,
      input: isInput(i),
      output: isOutput(i),
      address: inside ? array.byteOffset : address,
      bytes: inside ? undefined : bytesOf(array),
    });
    if (!inside) {
      address += byteCount(operand, Math.min(stretch, work.count), work.step);
    }
  });
  const copies = slots.some((slot) => slot.bytes && !isWhole(slot.operand));
  runTiles(
    work,
    instance,
    slots,
    copies ? stretch : stretchOf(LONG_STRETCH, work.step),
  );
}

function sides(work: Work) {
  const operands = [
    ...work.inputs,
    ...work.outputs.filter((o) => !work.inputs.includes(o)),
  ];
  return {
    operands,
    isInput: (i: number) => i < work.inputs.length,
    isOutput: (i: number) => work.outputs.includes(operands[i]),
  };
}

/** The arena that an operand lives in, the largest operand first; or else the tiles. */
function chooseInstance(operands: readonly Operand[], need: number): Instance {
  const bySize = [...operands].sort((a, b) =>
    b.array.byteLength - a.array.byteLength
  );
  for (const { array } of bySize) {
    const instance = instanceOf(array);
    if (instance && need <= scratchBytes(instance)) return instance;
  }
  return tileInstance(need);
}

function runTiles(
  work: Work,
  instance: Instance,
  slots: readonly Slot[],
  stretch: number,
): void {
  const { count, step } = work;
  const kernel = instance.kernels[work.kernel.name];
  const memory = new Uint8Array(instance.memory.buffer);
  const call = [
    0,
    ...slots.map((slot) => slot.address),
    ...(work.numbers ?? []),
  ];
  for (const slot of slots) {
    if (slot.bytes && slot.input && isWhole(slot.operand)) {
      memory.set(slot.bytes, slot.address);
    }
  }
  for (let first = 0; first < count; first += stretch) {
    const n = Math.min(stretch, count - first);
    call[0] = n;
    slots.forEach((slot, i) => {
      const { operand, bytes, address } = slot;
      const start = byteOffset(operand, first, step);
      if (!bytes) call[i + 1] = address + start;
      else if (slot.input && !isWhole(operand)) {
        memory.set(
          bytes.subarray(start, start + byteCount(operand, n, step)),
          address,
        );
      }
    });
    if (kernel(...call) !== 0) work.again(first, n);
    else {
      for (const { operand, bytes, output, address } of slots) {
        if (!bytes || !output || isWhole(operand)) continue;
        const size = byteCount(operand, n, step);
        bytes.set(
          memory.subarray(address, address + size),
          byteOffset(operand, first, step),
        );
      }
    }
  }
  for (const { operand, bytes, output, address } of slots) {
    if (bytes && output && isWhole(operand)) {
      bytes.set(memory.subarray(address, address + bytes.length));
    }
  }
}

// Where large arrays start modulo 64 differs between engines (V8 often 16,
// JavaScriptCore 0) and cannot be asked, so it is measured, once.
let measuredOffset: number | undefined;

function copyOffset(): number {
  measuredOffset ??= 16;
  return measuredOffset;
}

// ---- plain JS ----

function runJs(work: Work): void {
  const { operands, isInput, isOutput } = sides(work);
  const { count, step } = work;
  const stretch = stretchOf(LONG_STRETCH, step);
  const kernel = work.kernel.js as (
    n: number,
    ...operands: (KernelArray | number)[]
  ) => number;
  const numbers = work.numbers ?? [];
  for (let first = 0; first < count; first += stretch) {
    const n = Math.min(stretch, count - first);
    const pieces = operands.map((operand) => piece(operand, first, n, step));
    const aligned = pieces.map((array, i) =>
      isInput(i) ? alignedCopy(array) : alignedSpace(array)
    );
    if (kernel(n, ...aligned, ...numbers) !== 0) work.again(first, n);
    else {
      pieces.forEach((array, i) => {
        if (isOutput(i) && aligned[i] !== array) array.set(aligned[i]);
      });
    }
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
    start = byteOffset(operand, first, step) / size;
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
