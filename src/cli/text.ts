/**
 * Numbers for people.
 *
 * @module
 */
import { formatBytes } from "./std/bundle.js";

/** `512 B`, `1.5 MiB`. */
export function bytes(count: number): string {
  return formatBytes(count, { binary: true });
}

/** `[4096, 512]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** `20.4`, or `exact` where there is no error. */
export function decibels(sqnr: number): string {
  return sqnr === Infinity ? "exact" : sqnr.toFixed(1);
}

/** `0.04 s`, `12.3 s`, `2 min 5 s`. */
export function seconds(time: number): string {
  if (time < 60) return `${time.toFixed(time < 1 ? 2 : 1)} s`;
  const minutes = Math.floor(time / 60);
  return `${minutes} min ${Math.floor(time - minutes * 60)} s`;
}

/** `3 tensors`, `1 tensor`. */
export function countOf(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Words to choose from: "a, b or c". */
export function alternatives(words: readonly string[]): string {
  const [last] = words.slice(-1), before = words.slice(0, -1);
  return before.length === 0 ? last : `${before.join(", ")} or ${last}`;
}

/** A number that JSON can hold: null for infinity and NaN. */
export function jsonNumber(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Bits that a value takes, to two digits: `4`, `4.25`. */
export function bitsText(bits: number): string {
  return String(Math.round(bits * 100) / 100);
}
