/**
 * This module as contenders, in every way it can, and a copy of the floats.
 *
 * @module
 */
import * as nibblewise from "../../mod.ts";
import { type Backend, type Memory, weights, weightsIn } from "../cases.ts";
import { type Contender, contender } from "../contest.ts";

/** What of this module takes part: backend, memory, and what to call it. */
const ways: readonly (readonly [Backend, Memory])[] = [["wasm", "heap"], [
  "wasm",
  "allocated",
], ["js", "heap"]];

/** Rows of a size that every block divides. */
export const COLUMNS = 4096;

/** Options of `quantize` that are only known as data here. */
export type Options = { format: "int4" };

/** nibblewise quantizing, in every way it can. */
export function ownQuantizers(options: Options, values: number): Contender[] {
  return ways.map(([backend, memory]) => {
    nibblewise.useBackend(backend);
    const floats = weightsIn(nibblewise, memory, values);
    const into = nibblewise.quantize(floats, options);
    return contender(
      `nibblewise ${backend}`,
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend(backend);
        nibblewise.quantize(floats, { ...options, into });
      },
    );
  });
}

/** nibblewise dequantizing, in every way it can. */
export function ownDequantizers(options: Options, values: number): Contender[] {
  return ways.map(([backend, memory]) => {
    nibblewise.useBackend(backend);
    const into = weightsIn(nibblewise, memory, values);
    const quantized = nibblewise.quantize(into, options);
    return contender(
      `nibblewise ${backend}`,
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend(backend);
        nibblewise.dequantize(quantized, { into });
      },
    );
  });
}

/** The same work with new arrays for every result, as the original does it. */
export function ownOnFreshMemory(
  operation: "quantize" | "dequantize",
  options: Options,
  values: number,
): Contender {
  nibblewise.useBackend("wasm");
  const floats = weights(new Float32Array(values));
  const quantized = nibblewise.quantize(floats, options);
  return contender("nibblewise wasm", "fresh", () => {
    nibblewise.useBackend("wasm");
    if (operation === "quantize") nibblewise.quantize(floats, options);
    else nibblewise.dequantize(quantized);
  });
}

/** A copy of the floats, to see how near to memory speed everybody is. */
export function memcpy(values: number): Contender {
  const source = weights(new Float32Array(values));
  const target = weights(new Float32Array(values));
  return contender("memcpy of the floats", "reused", () => target.set(source));
}
