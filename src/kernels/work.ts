/**
 * What a kernel is given to do: which values, and the arrays that go with them.
 *
 * @module
 */
import type { KernelModule } from "./modules.ts";
import type { Race } from "./race.ts";

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

/** Values per stretch where nothing is copied: few calls, and little to do again. */
export const LONG_STRETCH = 65536;

/** Values in a stretch of about so many, in whole steps. */
export function stretchOf(target: number, step: number): number {
  return Math.max(1, Math.floor(target / step)) * step;
}

/** Whether all of an operand goes with every stretch. */
export function isWhole(operand: Operand): boolean {
  return operand.bits === undefined && operand.bytes === undefined;
}

/** Bytes of an operand that go with `n` values. */
export function byteCount(operand: Operand, n: number, step: number): number {
  if (operand.bits !== undefined) return Math.ceil(n * operand.bits / 8);
  if (operand.bytes !== undefined) return Math.ceil(n / step) * operand.bytes;
  return operand.array.byteLength;
}

/** Where the room of the generic way starts, in every WebAssembly memory, since kernels of several modules work in it; below it are the constants of a module, and what its kernels write before they read it. */
export const ROOM_START = 16384;

/** What the generic way has for a tile: 65,536 values, the same rounded to another type, their codes, packed and not, and 8,000 numbers of their groups; or more numbers and fewer values. */
export const ROOM_BYTES = 10 * 65536;

/** Where room for tiles starts. */
export const TILES_START: number = ROOM_START + ROOM_BYTES;
