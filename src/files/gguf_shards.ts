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
import { JoinedSource } from "./joined_source.ts";
import { GGUF_SHARDS } from "./limits.ts";
import type { TensorEntry } from "./tensors.ts";

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
  if (count > GGUF_SHARDS) {
    throw new RangeError(`${what}; at most ${GGUF_SHARDS} are read`);
  }
  const ending = (index: number) =>
    `-${String(index + 1).padStart(5, "0")}-of-${
      String(count).padStart(5, "0")
    }.gguf`;
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
  const sources = shards.map(({ source }) => source);
  const source = new JoinedSource(file.source.name, sources);
  const tensors = shards.flatMap((shard, index) =>
    shard.tensors.map((entry): TensorEntry => ({
      ...entry,
      offset: entry.offset + source.starts[index],
    }))
  );
  const values = new Map(
    [...shards[0].values].filter(([key]) => !key.startsWith("split.")),
  );
  return { ...shards[0], source, tensors, values, paths };
}

/** How many files an input consists of, for people; empty where it is one. */
export function shardsText({ paths }: GgufFile): string {
  return paths ? `, in ${paths.length} files` : "";
}
