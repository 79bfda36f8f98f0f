/**
 * The judge of recipes: native `llama_model_quantize` on the same model, whole files compared.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createFile } from "../../src/files/file_sink.ts";
import { type GgufFile, isGguf } from "../../src/files/gguf_read.ts";
import type { Importance } from "../../src/files/imatrix.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { quantizeGguf } from "../../src/files/quantize_gguf.ts";
import type { RecipeFileOptions } from "../../src/files/recipe_plan.ts";
import type { RecipeName } from "../../src/ggml/recipe_list.ts";
import { recipes } from "../../src/ggml/recipe_list.ts";
import type { NativeLlama, NativeQuantizeOptions } from "../peers/llama.ts";

/** How both depart from a recipe: patterns as texts. */
export interface JudgedOptions {
  readonly pure?: boolean;
  readonly keepOutput?: boolean;
  readonly outputType?: string;
  readonly embeddingType?: string;
  readonly overrides?: readonly { pattern: string; type: string }[];
  readonly importance?: Importance;
}

/** Opens a GGUF. */
export async function openModel(path: string): Promise<GgufFile> {
  const file = await openTensorFile(path);
  assert(isGguf(file));
  return file;
}

/** The options as they are asked of this package. */
export function ours(options: JudgedOptions): RecipeFileOptions {
  return {
    ...options,
    overrides: options.overrides?.map(({ pattern, type }) => ({
      pattern: new RegExp(pattern),
      type,
    })),
  };
}

/** The options as llama.cpp's own tool passes them on. */
export function theirs(
  { importance, ...options }: JudgedOptions,
): NativeQuantizeOptions {
  if (!importance) return options;
  const { name, datasets, entries, chunks } = importance;
  return {
    ...options,
    importance: entries as ReadonlyMap<string, Float32Array<ArrayBuffer>>,
    metadata: [
      ["quantize.imatrix.file", name],
      ...datasets.slice(0, 1).map((dataset) =>
        ["quantize.imatrix.dataset", dataset] as const
      ),
      ["quantize.imatrix.entries_count", entries.size],
      ...(chunks > 0
        ? [["quantize.imatrix.chunks_count", chunks] as const]
        : []),
    ],
  };
}

/** Quantizes a file here. */
export async function quantizeHere(
  from: string,
  to: string,
  recipe: RecipeName,
  options: RecipeFileOptions = {},
): Promise<readonly string[]> {
  const file = await openModel(from);
  const sink = await createFile(to, { force: true });
  try {
    const warnings = await quantizeGguf(file, sink, recipe, options);
    await sink.commit();
    return warnings;
  } finally {
    await sink.abort();
    await file.source.close();
  }
}

/** Types of the tensors of a file, by name. */
export async function typesOf(path: string): Promise<Map<string, string>> {
  const file = await openModel(path);
  await file.source.close();
  return new Map(file.tensors.map(({ name, dtype }) => [name, dtype]));
}

/**
 * Quantizes a model here and there, and compares types, then every byte.
 *
 * @returns The types.
 */
export async function judge(
  llama: NativeLlama,
  path: string,
  recipe: RecipeName,
  options: JudgedOptions = {},
): Promise<Map<string, string>> {
  const here = `${path}.ours`, there = `${path}.theirs`;
  llama.quantize(path, there, recipes.get(recipe)!.fileType, theirs(options));
  await quantizeHere(path, here, recipe, ours(options));
  const types = await typesOf(there);
  assertEquals(await typesOf(here), types, recipe);
  const [a, b] = [await Deno.readFile(here), await Deno.readFile(there)];
  assertEquals(a.length, b.length);
  const at = a.findIndex((byte, i) => byte !== b[i]);
  assertEquals(at, -1, `${recipe}: byte ${at} differs`);
  return types;
}
