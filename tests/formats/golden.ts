/**
 * What every golden tensor is asked: whether it is read and written as its library
 * does, bit for bit.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { dequantizeWith, quantizeWith } from "../../src/core.ts";
import type { Candidate, Format, Parts } from "../../src/words/format.ts";
import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  goldenJson,
  goldenTensors,
  partsNamed,
} from "./safetensors_vectors.ts";

/** A tensor of a library. */
export interface GoldenTensor {
  /** What it is called in messages. */
  readonly label: string;
  /** Its logical shape. */
  readonly shape: readonly number[];
  /** What it takes to read it. */
  readonly options: object;
  /** What it is made of. */
  readonly parts: Parts;
}

/** Dequantizes it, and compares with what the library gave. */
export function assertReads(
  format: Format,
  { label, shape, options, parts }: GoldenTensor,
  expected: Float32Array,
): void {
  const values = dequantizeWith(format, {
    format: format.name,
    shape,
    options,
    parts,
  });
  assertSameBytes(values, expected, label);
}

/** Quantizes what the library was given, and compares every part. */
export function assertWrites(
  format: Format,
  { label, shape, options, parts }: GoldenTensor,
  values: Float32Array,
): void {
  const made = quantizeWith(format, values, { ...options, shape }).parts;
  assertEquals(Object.keys(made).sort(), Object.keys(parts).sort(), label);
  for (
    const [name, { dtype, shape, data }] of Object.entries<Parts[string]>(made)
  ) {
    assertEquals([dtype, shape], [parts[name].dtype, parts[name].shape]);
    assertSameBytes(data, parts[name].data, `${label} ${name}`);
  }
}

/** A line of a manifest of checkpoints. */
export interface GoldenCase {
  /** Its folder. */
  readonly case: string;
  /** The file of what was quantized. */
  readonly input: string;
  /** The type that the library was given it in: f32, f16 or bf16. */
  readonly input_dtype: string;
}

/** A tensor of a golden checkpoint. */
export interface GoldenEntry {
  /** Its name. */
  readonly tensor: string;
  /** Its parts, as a convention is asked about them. */
  readonly candidate: Candidate;
  /** Its parts. */
  readonly parts: Parts;
  /** What the library dequantizes it to. */
  readonly expected: Float32Array;
  /** What the library quantized. */
  readonly values: Float32Array;
}

/** Every tensor of a golden checkpoint. */
export async function goldenEntries(
  format: Format,
  { case: name, input }: Pick<GoldenCase, "case" | "input">,
): Promise<GoldenEntry[]> {
  const folder = `${format.name}/${name}`;
  const file = await goldenTensors(`${folder}/model.safetensors`);
  const dequantized = await goldenTensors(`${folder}/dequant.safetensors`);
  const inputs = await goldenTensors(`${format.name}/${input}`);
  const config = await goldenJson(`${folder}/config.json`);
  return Array.from(dequantized, ([tensor, expected]) => {
    const parts = partsNamed(file, format.convention!, tensor);
    return {
      tensor,
      parts,
      candidate: { ...candidateOf(parts, config), numbers: numbersOf(parts) },
      expected: floatsOf(expected),
      values: floatsOf(inputs.get(tensor)!),
    };
  });
}

/** Looks into parts of a few whole numbers, as a reader of checkpoints does. */
export function numbersOf(
  parts: Parts,
): (part: string) => readonly number[] | undefined {
  return (part) =>
    parts[part]?.dtype === "I64"
      ? Array.from(parts[part].data as BigInt64Array, Number)
      : undefined;
}
