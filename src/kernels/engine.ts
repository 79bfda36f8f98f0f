/**
 * Runs a kernel over arrays of any size and alignment, on the backend in force.
 *
 * A format says what a stretch of values takes and gives; tiles, copies into
 * WebAssembly memory, alignment and growth are dealt with in wasm_run.ts.
 *
 * @module
 */
import { oneOf, wholeNumber } from "../numeric/arguments.ts";
import type { OwnFloats } from "../numeric/floats.ts";
import type { Instance } from "./arena.ts";
import { CORE_KERNELS, type KernelModule } from "./modules.ts";
import {
  byteCount,
  isWhole,
  type Kernel,
  type KernelArray,
  LONG_STRETCH,
  type Operand,
  stretchOf,
  type Work,
} from "./work.ts";

export type { Kernel, KernelArray, Operand, Work } from "./work.ts";

/** Which implementation does the work. */
export type Backend = "wasm" | "js";

/** What runs kernels in WebAssembly; entry points that do without have none. */
export interface WasmEngine {
  /** Compiles what all formats share. Throws where WebAssembly is forbidden. */
  start(): void;
  /** Runs a kernel over all values of a work. */
  run(work: Work): void;
  /** Where a copy of an array should start modulo 64, by the array's offset, so that copying is fast. */
  placeInLine(byteOffset: number): number;
  /** See {@linkcode allocate}. */
  allocate(length: number): OwnFloats;
  /** The instance whose memory an array lives in, if {@linkcode allocate} made it. */
  instanceOf(array: ArrayBufferView): Instance | undefined;
  /** The instance in whose room the generic way works on the data of an array. */
  roomInstance(array: ArrayBufferView): Instance;
  /** Calls a kernel of another module on what lies in a room; undefined where no entry point brought it along. */
  call(
    module: KernelModule,
    instance: Instance,
    name: string,
    operands: readonly number[],
  ): number | undefined;
}

let wasm: WasmEngine | undefined;

/** Says what runs kernels in WebAssembly. */
export function useWasm(engine: WasmEngine): void {
  wasm = engine;
}

/** What runs kernels in WebAssembly, where that is in force. */
export function wasmInForce(): WasmEngine | undefined {
  return backend() === "wasm" ? wasm : undefined;
}

let chosen: Backend | undefined;
/** Whether the caller has chosen it. */
let forced = false;

function webAssemblyWorks(): boolean {
  try {
    wasm?.start();
    return wasm !== undefined;
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
  return wasmInForce()?.allocate(floats) ?? new Float32Array(floats);
}

/** What runs a kernel in WebAssembly, where that is in force and an entry point brought the kernel along. */
export function engineFor({ module = CORE_KERNELS }: Kernel):
  | WasmEngine
  | undefined {
  const engine = wasmInForce();
  return module.hex === undefined ? undefined : engine;
}

/** Work of so few values is done before WebAssembly is ready for it. */
const FEW_VALUES = 16;

/** Runs a kernel over all values of `work`. */
export function run(work: Work): void {
  if (work.count === 0) return;
  const { kernel, operands, count } = work;
  const engine = engineFor(kernel);
  if (!engine) return runJs(work);
  if (count <= FEW_VALUES && kernel.js && !forced) return runJs(work);
  if (
    forced || !kernel.race ||
    operands.some(({ array }) => engine.instanceOf(array))
  ) {
    return engine.run(work);
  }
  kernel.race.run(count, () => engine.run(work), () => runJs(work));
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
