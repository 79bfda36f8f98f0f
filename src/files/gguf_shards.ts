/**
 * A GGUF that is split into several files: any of them opens the whole.
 *
 * Each shard is a GGUF of its own that says `split.no` (from 0), `split.count` and
 * `split.tensors.count` (of all shards); the first one holds the metadata of the model.
 * Their names end in `-00001-of-00003.gguf`, counted from 1: that is how siblings are found.
 *
 * Source: llama.cpp, `llama_split_path` and `gguf-split`.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { type GgufFile, openGguf } from "./gguf_read.ts";
import { padTo } from "./gguf_types.ts";
import { JoinedSource, joinSources } from "./joined_source.ts";
import { SHARDS } from "./limits.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** What says that a file is a part of another. */
const SPLIT_KEYS: readonly string[] = [
  "split.no",
  "split.count",
  "split.tensors.count",
];

const SHARD_NAME = /-(\d{5})-of-(\d{5})\.gguf$/;

/** A whole number of the metadata; undefined where there is none. */
function whole(file: GgufFile, key: string): number | undefined {
  const value = file.values.get(key)?.value;
  return typeof value === "number" && Number.isInteger(value) && value >= 0
    ? value
    : undefined;
}

/**
 * Opens what belongs to a shard; a GGUF that is not split is returned as it is.
 *
 * @param file An opened GGUF. Where this throws, its source is still open; otherwise it is closed with the source of the result.
 * @param path Where it is, if it is a file.
 * @returns One file with the tensors of all shards and the metadata of the first, but for `split.*`.
 * @throws {SyntaxError} If the shards do not belong together.
 * @throws {RangeError} If its name does not tell where the others are.
 * @throws {Error} If one of them cannot be read.
 */
export async function joinShards(
  file: GgufFile,
  path: string | undefined,
): Promise<GgufFile> {
  const count = whole(file, "split.count") ?? 0;
  if (count <= 1) return file;
  await rejectConcatenated(file);
  const paths = shardPaths(file, path, count);
  const shards: GgufFile[] = [];
  try {
    for (const [no, sibling] of paths.entries()) {
      shards.push(sibling === path ? file : await openShard(sibling));
      checkShard(shards[no], no, count);
    }
    checkTensors(file, shards);
  } catch (error) {
    for (const shard of shards) {
      if (shard !== file) await shard.source.close();
    }
    throw error;
  }
  return joined(file, shards, paths);
}

async function openShard(path: string): Promise<GgufFile> {
  const source = await openFile(path);
  try {
    return await openGguf(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Shards in one file, as `cat` joins them: behind the tensors of the first comes another GGUF. */
async function rejectConcatenated(
  { source, tensors, alignment }: GgufFile,
): Promise<void> {
  const last = tensors.at(-1);
  if (!last) return;
  const end = last.offset + padTo(last.byteLength, alignment);
  if (end + 4 > source.size) return;
  const magic = new Uint8Array(4);
  await source.read(end, magic);
  if (String.fromCharCode(...magic) !== "GGUF") return;
  throw new SyntaxError(
    `Cannot read ${source.name} as GGUF: it holds the shards of a split GGUF one after another; ` +
      "keep them as files of their own and pass one of them",
  );
}

/** How the name of a shard ends. */
function shardEnding(no: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, "0");
  return `-${digits(no + 1)}-of-${digits(count)}.gguf`;
}

/**
 * Where a shard goes.
 *
 * @param path Where the whole would go: `model.gguf`.
 * @param no Its number, from 0.
 * @param count How many there are.
 * @returns `model-00001-of-00003.gguf`.
 */
export function shardPath(path: string, no: number, count: number): string {
  return path.replace(/\.gguf$/i, "") + shardEnding(no, count);
}

/** Where all shards are, in order. */
function shardPaths(
  file: GgufFile,
  path: string | undefined,
  count: number,
): string[] {
  const no = whole(file, "split.no") ?? 0;
  const what = `Cannot read ${file.source.name} as GGUF: it is shard ${
    no + 1
  } of ${count}`;
  if (count > SHARDS) {
    throw new RangeError(`${what}; at most ${SHARDS} are read`);
  }
  const ending = (index: number) => shardEnding(index, count);
  if (path === undefined) {
    throw new RangeError(
      `${what}, and standard input has no siblings; pass its path`,
    );
  }
  const found = SHARD_NAME.exec(path)?.[0];
  if (found !== ending(no)) {
    throw new RangeError(
      `${what}, but its name does not end in ${
        ending(no)
      }, so the others cannot be found; rename it`,
    );
  }
  const stem = path.slice(0, -found.length);
  return Array.from({ length: count }, (_, index) => stem + ending(index));
}

function checkShard(shard: GgufFile, no: number, count: number): void {
  const given = [whole(shard, "split.no"), whole(shard, "split.count")];
  if (given[0] === no && given[1] === count) return;
  throw new SyntaxError(
    `Cannot read ${shard.source.name} as GGUF: by its name it is shard ${
      no + 1
    } of ${count}, but its split.no is ${given[0]} and its split.count ${
      given[1]
    }`,
  );
}

/** All tensors are there, each once. */
function checkTensors(file: GgufFile, shards: readonly GgufFile[]): void {
  const names = new Set<string>();
  for (const { tensors, source } of shards) {
    for (const { name } of tensors) {
      if (names.has(name)) {
        throw new SyntaxError(
          `Cannot read ${source.name} as GGUF: tensor ${
            quote(name)
          } is in another shard too`,
        );
      }
      names.add(name);
    }
  }
  const declared = whole(file, "split.tensors.count");
  if (declared === undefined || declared === names.size) return;
  throw new SyntaxError(
    `Cannot read ${file.source.name} as GGUF: its split.tensors.count is ${declared}, ` +
      `but its ${shards.length} shards have ${names.size} tensors`,
  );
}

function joined(
  file: GgufFile,
  shards: readonly GgufFile[],
  paths: readonly string[],
): GgufFile {
  const { source, starts } = joinSources(
    file.source.name,
    shards.map(({ source }) => source),
  );
  const tensors = shards.flatMap(({ tensors }, no) =>
    tensors.map((entry) => ({ ...entry, offset: entry.offset + starts[no] }))
  );
  const values = new Map(
    [...shards[0].values].filter(([key]) => !SPLIT_KEYS.includes(key)),
  );
  return { ...shards[0], source, tensors, values, paths };
}

/**
 * The shard that a tensor of a joined file is in.
 *
 * @param file What {@linkcode joinShards} returned.
 * @param tensor One of its tensors.
 * @returns The shard's number, from 0.
 */
export function shardOf({ source }: GgufFile, tensor: TensorEntry): number {
  return source instanceof JoinedSource ? source.indexAt(tensor.offset) : 0;
}

/** How many files an input consists of, for people; empty where it is one. */
export function shardsText({ paths }: TensorFile): string {
  return paths && paths.length > 1 ? `, in ${paths.length} files` : "";
}
