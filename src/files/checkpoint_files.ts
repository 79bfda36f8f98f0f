/**
 * What is in the folder of a checkpoint beside the tensors.
 *
 * @module
 */
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CONFIG_FILES } from "./checkpoint_config.ts";
import { isFile } from "./small_files.ts";

/** Weights: those of another kind would be what the model was before. */
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|onnx_data|tflite|pkl)$/i;

/** Folders in folders that are followed. */
const DEPTH = 8;

/** The files of a folder. */
export interface FilesBeside {
  /** Those that go with a model, by their paths in the folder. */
  readonly kept: readonly string[];
  /** Those with nothing but settings of quantization. */
  readonly settings: readonly string[];
  /** Other weights. */
  readonly weights: readonly string[];
}

/**
 * Lists the files that belong to a checkpoint, those in folders of it too.
 *
 * @param folder The folder.
 * @param shards The files of its tensors, which are not listed.
 * @returns The files, without what tells where the tensors are.
 */
export async function filesBeside(
  folder: string,
  shards: ReadonlySet<string>,
): Promise<FilesBeside> {
  const kept: string[] = [], settings: string[] = [], weights: string[] = [];
  for await (const path of filesUnder(folder, "", DEPTH)) {
    if (shards.has(path)) continue;
    if (CONFIG_FILES.includes(path)) settings.push(path);
    else if (WEIGHTS.test(path)) weights.push(path);
    else if (!path.endsWith(".index.json")) kept.push(path);
  }
  return { kept: kept.sort(), settings, weights: weights.sort() };
}

async function* filesUnder(
  root: string,
  inside: string,
  depth: number,
): AsyncGenerator<string, void> {
  const entries = await readdir(join(root, inside), { withFileTypes: true });
  for (const entry of entries) {
    // `.git`, `.cache`: what other programs keep for themselves.
    if (entry.name.startsWith(".")) continue;
    const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) {
      if (depth > 0) yield* filesUnder(root, path, depth - 1);
    } else if (await isFile(join(root, path))) yield path;
  }
}

/**
 * Copies files of one folder to another, and writes some.
 *
 * @param from The one.
 * @param to The other.
 * @param paths What is copied.
 * @param texts What is written, by name.
 */
export async function fillFolder(
  from: string,
  to: string,
  paths: readonly string[],
  texts: ReadonlyMap<string, string>,
): Promise<void> {
  for (const path of paths) {
    await mkdir(join(to, dirname(path)), { recursive: true });
    await copyFile(join(from, path), join(to, path));
  }
  for (const [name, text] of texts) await writeFile(join(to, name), text);
}

/**
 * The text of an index as Hugging Face's libraries write it.
 *
 * @param shardOf The shard of each entry.
 * @returns Keys and values of the index; its other members are the caller's.
 */
export function weightMap(
  shardOf: ReadonlyMap<string, string>,
): Record<string, string> {
  return Object.fromEntries(
    [...shardOf].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0),
  );
}
