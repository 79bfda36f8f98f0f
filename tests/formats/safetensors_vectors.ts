/**
 * Golden checkpoints: safetensors files that other libraries wrote, taken apart
 * by a format's convention.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { memorySource } from "../../src/files/file_source.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import { bf16ToF32 } from "../../src/numeric/bf16.ts";
import { f16ToF32 } from "../../src/numeric/f16.ts";
import { ARRAYS, type Dtype } from "../../src/words/dtypes.ts";
import type {
  Candidate,
  Convention,
  Part,
  Parts,
} from "../../src/words/format.ts";
import { rootUrl } from "../modules.ts";

/** The tensors of a golden file by name. */
export async function goldenTensors(
  path: string,
): Promise<ReadonlyMap<string, Part>> {
  const bytes = new Uint8Array(
    await readFile(new URL(`tests/vectors/${path}`, rootUrl)),
  );
  const { tensors } = await openSafetensors(memorySource(bytes));
  return new Map(tensors.map(({ name, dtype, shape, offset, byteLength }) => {
    const { buffer } = bytes.slice(offset, offset + byteLength);
    const data = new ARRAYS[dtype as Dtype](buffer);
    return [name, { dtype: dtype as Dtype, shape, data }];
  }));
}

/** A golden JSON file. */
export async function goldenJson(path: string): Promise<unknown> {
  return JSON.parse(
    await readFile(new URL(`tests/vectors/${path}`, rootUrl), "utf8"),
  );
}

/** The values of a tensor of floats. */
export function floatsOf({ dtype, data }: Part): Float32Array {
  const numbers = data as Uint16Array;
  if (dtype === "F16") return Float32Array.from(numbers, f16ToF32);
  return dtype === "BF16"
    ? Float32Array.from(numbers, bf16ToF32)
    : Float32Array.from(numbers);
}

/** The parts that a convention finds for a tensor. */
export function partsNamed(
  tensors: ReadonlyMap<string, Part>,
  { entries }: Convention,
  name: string,
): Parts {
  const stem = name.replace(/\.weight$/, "");
  const found = Object.entries(entries).flatMap(([part, entry]) => {
    const tensor = tensors.get(
      entry.replace("{name}", name).replace("{stem}", stem),
    );
    return tensor ? [[part, tensor]] : [];
  });
  return Object.fromEntries(found);
}

/** Parts as a convention is asked about them. */
export function candidateOf(parts: Parts, config?: unknown): Candidate {
  return {
    parts,
    config,
    text: (part) =>
      parts[part]?.dtype === "U8"
        ? new TextDecoder().decode(parts[part].data as Uint8Array<ArrayBuffer>)
        : undefined,
  };
}
