/**
 * What the tests of searching share.
 *
 * @module
 */
import { randomWords } from "../../src/search/rotation.ts";

/** Numbers from a seed: flat, and normally distributed. */
export function randomNumbers(seed: number) {
  const word = randomWords(seed);
  const uniform = () => (word() + 0.5) / 2 ** 32;
  const normal = () =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { word, uniform, normal };
}

/** Rows of normally distributed values. */
export function gaussianRows(
  count: number,
  dimension: number,
  seed: number,
): Float32Array<ArrayBuffer> {
  const { normal } = randomNumbers(seed);
  return Float32Array.from({ length: count * dimension }, normal);
}

/** A seed of this run's own, printed so that a failure can be had again. */
export function printedSeed(name: string): number {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`${name}: seed ${seed}`);
  return seed;
}

/** Dot product in float64. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Every choice of options that changes how rows are stored or scanned. */
export const VARIANTS = [
  { grid: "uniform" },
  { grid: "lloyd" },
  { grid: "uniform", groupSize: 32 },
  { grid: "lloyd", groupSize: 64, center: true },
  { grid: "uniform", rotate: false, scale: "absmax" },
  { grid: "lloyd", scale: "fast", estimator: "least-squares", center: true },
] as const;
