/**
 * The suite that every runtime runs: quantize and dequantize adversarial data
 * in every format and hash the bytes, so that runtimes and backends can be
 * compared by a few hundred short strings.
 *
 * It imports nothing but data at run time, so that one bundle of it serves
 * Node, Bun and browsers, with the packed module handed in.
 *
 * @module
 */
import { adversarial, bits, unaligned } from "../adversarial.ts";
import { optionSets, optionsText } from "../option_sets.ts";
import { isSearched } from "../../src/words/search.ts";
import { takes } from "../../src/words/trials.ts";

/** The module under test, however it was loaded. */
export type Nibblewise = typeof import("../../mod.ts");

/** What one run of the suite on one backend gives. */
export interface SmokeResult {
  /** Which backend says that it ran. */
  readonly backend: string;
  /** A hash by format, options, data set and part. */
  readonly hashes: Readonly<Record<string, string>>;
}

/** Rows that every block size of up to 256 values divides. */
const shape = [32, 512];

/** The same for searches, which take a hundred times as long where nothing compiles them. */
const searchedShape = [8, 256];

/** The option sets that a format runs with on a shape, by a name each: those that it takes. */
function variantsOf(
  lib: Nibblewise,
  name: string,
  shape: readonly number[],
): [name: string, options: Record<string, unknown>][] {
  const format = lib.formats.get(name as "int4")!;
  const weights = adversarial(shape[1]).gauss.map((x) => x * x);
  return optionSets(format.options, weights)
    .filter((options) =>
      isSearched(options) === (shape === searchedShape) &&
      takes(format, options, shape)
    )
    .map((options) => [optionsText(options), options]);
}

/** Two 32-bit multiplicative hashes over the bytes, as sixteen hexadecimal digits. */
export function hash(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
    b ^= b >>> 15;
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(
    "",
  );
}

/** Hashes the four basic operations on one data set. */
function hashBasics(
  lib: Nibblewise,
  name: string,
  values: Float32Array,
  hashes: Record<string, string>,
): void {
  for (const method of ["minmax", "absmax"] as const) {
    const { quantized, scale, zeroPoint } = lib.quantizeToInt4(values, method);
    const packed = lib.packInt4ToInt8(quantized);
    const unpacked = lib.unpackInt8ToInt4(packed, quantized.length);
    const key = `${method}/${name}`;
    hashes[`quantizeToInt4/${key}`] = hash(quantized) +
      hash(Float32Array.of(scale));
    hashes[`packInt4ToInt8/${key}`] = hash(packed);
    hashes[`unpackInt8ToInt4/${key}`] = hash(unpacked);
    hashes[`dequantizeFromInt4/${key}`] = hash(
      lib.dequantizeFromInt4(unpacked, scale, zeroPoint),
    );
  }
}

/** Hashes one format with one set of options on one data set: every part, and the values read back. */
function hashFormat(
  lib: Nibblewise,
  key: string,
  values: Float32Array,
  options: Record<string, unknown>,
  hashes: Record<string, string>,
): void {
  // The options are data here; their types are checked where they are written out.
  const quantized = lib.quantize(values, options as { format: "int4" });
  for (const [part, { data }] of Object.entries(quantized.parts)) {
    hashes[`${key}/${part}`] = hash(data);
  }
  hashes[`${key}/values`] = hash(bits(lib.dequantize(quantized)));
}

/** Hashes what clamping makes of NaN and infinities, whose bits engines do not agree on. */
function hashNonFinite(
  lib: Nibblewise,
  names: readonly string[],
  hashes: Record<string, string>,
): void {
  const values = adversarial(shape[0] * shape[1]).gauss;
  for (let i = 0; i < values.length; i += 61) {
    values[i] = [NaN, Infinity, -Infinity][i % 3];
  }
  for (const format of names) {
    hashFormat(lib, `${format}/nonFinite`, values, {
      format,
      shape,
      nonFinite: "clamp",
    }, hashes);
  }
}

/** The data sets of a shape, where no vector of a kernel begins. */
function setsOf(shape: readonly number[]): [name: string, Float32Array][] {
  return Object.entries(adversarial(shape[0] * shape[1]))
    .map(([name, set]) => [name, unaligned(set, 1)]);
}

/** Runs the suite on whichever backend is in use, on some formats or on all. */
export function smoke(
  lib: Nibblewise,
  names: readonly string[] = [...lib.formats.keys()],
): SmokeResult {
  const hashes: Record<string, string> = {};
  for (const [name, values] of setsOf(shape)) {
    hashBasics(lib, name, values.subarray(0, 1027), hashes);
  }
  for (const each of [shape, searchedShape]) {
    for (const [name, values] of setsOf(each)) {
      for (const format of names) {
        for (const [variant, options] of variantsOf(lib, format, each)) {
          const key = `${format}/${variant}/${name}`;
          // Some of the sets have scales that overflow; the others are not changed by it.
          const given = { format, shape: each, ...options, nonFinite: "clamp" };
          hashFormat(lib, key, values, given, hashes);
        }
      }
    }
  }
  hashNonFinite(lib, names, hashes);
  return { backend: lib.backend(), hashes };
}

/** Runs the suite on both backends, for runtimes that have both. */
export function smokeBoth(lib: Nibblewise): SmokeResult[] {
  return (["wasm", "js"] as const).map((backend) => {
    lib.useBackend(backend);
    return smoke(lib);
  });
}
