/**
 * Checkpoints that other libraries wrote, put to the test: recognized, dequantized
 * bit for bit, and written alike from the weights that they were made of.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { readFile } from "node:fs/promises";
import { dequantizeWith, quantizeWith } from "../../src/core.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import type { Candidate, Format, Part, Parts } from "../../src/words/format.ts";
import { rootUrl } from "../modules.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  goldenJson,
  goldenTensors,
  partsNamed,
} from "./safetensors_vectors.ts";

/** A case: a folder with a checkpoint, and how it was made. */
export interface GoldenCase {
  /** Its folder in `tests/vectors/FORMAT`. */
  readonly name: string;
  /** The file of the weights, from `tests/vectors` on; absent where the library made none of weights. */
  readonly input?: string;
  /** What the checkpoint does not tell: options for both directions. */
  readonly options?: object;
  /** Parts that another run of the library would make otherwise. */
  readonly notReproducible?: readonly string[];
  /** Values in another order than in the file, for files that hold the transpose. */
  readonly arrange?: (expected: Part) => Float32Array;
}

/** A tensor of a case. */
export interface GoldenTensor {
  /** Its logical name. */
  readonly name: string;
  /** Its parts. */
  readonly parts: Parts;
  /** The same as a convention is asked about them. */
  readonly candidate: Candidate;
  /** What the library makes of it. */
  readonly expected: Part;
}

/** What a file says of itself in words. */
async function metadataOf(
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const bytes = new Uint8Array(
    await readFile(new URL(`tests/vectors/${path}`, rootUrl)),
  );
  const { metadata } = await openSafetensors(memorySource(bytes));
  return Object.fromEntries(metadata ?? []) as Record<string, string>;
}

/** The tensors of a case. */
export async function goldenTensorsOf(
  format: Format,
  { name }: GoldenCase,
): Promise<GoldenTensor[]> {
  const folder = `${format.name}/${name}`;
  const file = await goldenTensors(`${folder}/model.safetensors`);
  const values = await goldenTensors(`${folder}/dequant.safetensors`);
  const metadata = await metadataOf(`${folder}/model.safetensors`);
  const config = await goldenJson(`${folder}/config.json`);
  return [...values].filter(([tensor]) => !tensor.endsWith(".f32")).map(
    ([tensor, expected]) => {
      const parts = partsNamed(file, format.convention!, tensor);
      const stem = tensor.replace(/\.weight$/, "");
      const bytes = (part: string) => {
        const { data: { buffer, byteOffset, byteLength } } = parts[part];
        return new Uint8Array(buffer, byteOffset, byteLength);
      };
      const candidate = {
        ...candidateOf(parts, config),
        bytes,
        metadata,
        stem,
      };
      return { name: tensor, parts, candidate, expected };
    },
  );
}

/** Registers the tests of a format. */
export function testGolden(
  format: Format,
  cases: readonly GoldenCase[],
): void {
  const { name } = format;
  for (const golden of cases) {
    const { options: more = {}, input, notReproducible = [] } = golden;
    const label = `${name}: ${golden.name}`;

    Deno.test(`${label} is recognized and dequantizes as its library does`, async () => {
      const tensors = await goldenTensorsOf(format, golden);
      assert(tensors.length > 0);
      for (const { name: tensor, parts, candidate, expected } of tensors) {
        const { shape, options } = format.convention!.recognize(candidate)!;
        const values = dequantizeWith(format, {
          format: name,
          shape,
          options: { ...options, ...more },
          parts,
        });
        const wanted = golden.arrange?.(expected) ?? floatsOf(expected);
        assertSameBytes(values, wanted, `${label} ${tensor}`);
      }
    });

    if (input === undefined) continue;
    Deno.test(`${label} is quantized as its library does`, async () => {
      const inputs = await goldenTensors(input);
      const tensors = await goldenTensorsOf(format, golden);
      for (const { name: tensor, parts, candidate } of tensors) {
        const { shape, options } = format.convention!.recognize(candidate)!;
        const values = floatsOf(inputs.get(tensor)!);
        const given = { ...options, ...more, shape };
        const made = quantizeWith(format, values, given).parts as Parts;
        assertEquals(Object.keys(made).sort(), Object.keys(parts).sort());
        for (const [part, { data, dtype, shape }] of Object.entries(made)) {
          const theirs = parts[part];
          assertEquals([dtype, shape], [theirs.dtype, theirs.shape], part);
          if (notReproducible.includes(part)) continue;
          assertSameBytes(data, theirs.data, `${label} ${tensor} ${part}`);
        }
      }
    });
  }
}
