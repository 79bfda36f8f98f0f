/**
 * The folder of a model as Hugging Face keeps it: `model.safetensors`, or shards
 * of it and an index that says which tensor is in which.
 *
 * ```text
 * {"metadata": {"total_size": …}, "weight_map": {"<tensor>": "model-00001-of-00002.safetensors", …}}
 * ```
 *
 * @module
 */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseFile, readSmallText } from "./small_files.ts";
import { fileError, printable, quote } from "./errors.ts";
import { joinSources } from "./joined_source.ts";
import { INDEX_BYTES, SHARDS, TENSOR_COUNT } from "./limits.ts";
import type { Checkpoint, TensorFile } from "./tensors.ts";

/** What the name of an index ends in. */
const INDEX_ENDING = ".safetensors.index.json";
const SHARD_ENDING = ".safetensors";
/** What the files of a model are called unless somebody says otherwise. */
const USUAL = "model";

/** Whether a path names a checkpoint: a folder, or the index in it. */
export async function isCheckpoint(path: string): Promise<boolean> {
  if (path === "-") return false;
  if (path.endsWith(INDEX_ENDING)) return true;
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/** The files of a checkpoint, before any of them is opened. */
interface Listing extends Omit<Checkpoint, "shards"> {
  /** Names of the shards, in order. */
  readonly names: readonly string[];
  /** The shard of each tensor; undefined where there is no index. */
  readonly shardOf?: ReadonlyMap<string, string>;
}

/**
 * Opens a checkpoint as one file.
 *
 * @param path The folder, or its index.
 * @param open Opens and checks one shard.
 * @returns One file with the tensors of all shards; the caller closes its source.
 * @throws {Error} If a file cannot be read.
 * @throws {SyntaxError} If index and shards disagree, or the index names files elsewhere.
 * @throws {RangeError} If the folder holds no tensors, or cannot be told which.
 */
export async function openCheckpoint(
  path: string,
  open: (path: string) => Promise<TensorFile>,
): Promise<TensorFile> {
  const listing = path.endsWith(INDEX_ENDING)
    ? await readIndex(dirname(path), basename(path))
    : await readFolder(path);
  const files: TensorFile[] = [];
  try {
    for (const name of listing.names) {
      files.push(await open(join(listing.folder, name)));
    }
    checkTensors(path, listing, files);
    return joined(path, listing, files);
  } catch (error) {
    for (const { source } of files) await source.close();
    throw error;
  }
}

async function readFolder(folder: string): Promise<Listing> {
  const fail = (reason: string): never => {
    throw new RangeError(`Cannot read ${printable(folder)}: ${reason}`);
  };
  const names = await readdir(folder).catch((error) => {
    throw fileError(`Cannot read ${printable(folder)}`, error);
  });
  const index = theOne(names, INDEX_ENDING, fail);
  const alone = theOne(names, SHARD_ENDING, index ? () => undefined : fail);
  // A model in one file goes first, as it does with transformers.
  if (alone && (!index || alone === USUAL + SHARD_ENDING)) {
    return { folder, names: [alone] };
  }
  if (index) return await readIndex(folder, index);
  return fail(
    `it is a folder without ${USUAL}.safetensors or ${USUAL}${INDEX_ENDING}; pass the file that is meant`,
  );
}

/** The one file of this ending, or the one of the usual name. */
function theOne(
  names: readonly string[],
  ending: string,
  fail: (reason: string) => undefined,
): string | undefined {
  const found = names.filter((name) => name.endsWith(ending)).sort();
  const usual = USUAL + ending;
  if (found.length <= 1 || found.includes(usual)) {
    return found.length > 1 ? usual : found[0];
  }
  return fail(
    `it has ${quote(found[0])} and ${quote(found[1])}, but no ${usual}${
      ending === SHARD_ENDING ? " and no index" : ""
    }; pass the file that is meant`,
  );
}

async function readIndex(folder: string, index: string): Promise<Listing> {
  const path = join(folder, index);
  const fail = (reason: string): never => {
    throw new SyntaxError(`Cannot read ${printable(path)}: ${reason}`);
  };
  const json = parseFile(path, await readSmallText(path, INDEX_BYTES));
  const map = json instanceof Map ? json.get("weight_map") : undefined;
  if (!(map instanceof Map)) return fail("it has no weight_map of tensors");
  const shardOf = new Map<string, string>(), names = new Set<string>();
  for (const [tensor, shard] of map) {
    if (typeof shard !== "string" || !isShardName(shard)) {
      return fail(
        `tensor ${quote(tensor)} is in ${
          typeof shard === "string" ? quote(shard) : "what is no text"
        }, which is no name of a .safetensors file in the folder`,
      );
    }
    shardOf.set(tensor, shard);
    names.add(shard);
    if (names.size > SHARDS) {
      return fail(`it names more files than the limit of ${SHARDS}`);
    }
  }
  if (names.size === 0) return fail("its weight_map is empty");
  return { folder, index, shardOf, names: [...names].sort() };
}

/** Whether a name is one of a file in the folder itself, on any system. */
function isShardName(name: string): boolean {
  // deno-lint-ignore no-control-regex -- a name with NUL or line feeds is an attack
  return name.endsWith(SHARD_ENDING) && !/[/\\:\x00-\x1f]/.test(name);
}

/** Every tensor is where the index says, once, and there is no other. */
function checkTensors(
  path: string,
  { names, shardOf }: Listing,
  files: readonly TensorFile[],
): void {
  const fail = (reason: string): never => {
    throw new SyntaxError(`Cannot read ${printable(path)}: ${reason}`);
  };
  const count = files.reduce((sum, { tensors }) => sum + tensors.length, 0);
  if (count > TENSOR_COUNT) {
    fail(`its shards have more tensors than the limit of ${TENSOR_COUNT}`);
  }
  if (!shardOf) return;
  const seen = new Map<string, string>();
  files.forEach(({ tensors }, no) => {
    for (const { name } of tensors) {
      const other = seen.get(name), said = shardOf.get(name);
      if (other !== undefined) {
        fail(
          `tensor ${quote(name)} is in ${quote(other)} and ${quote(names[no])}`,
        );
      }
      seen.set(name, names[no]);
      if (said === undefined) {
        fail(
          `tensor ${quote(name)} of ${quote(names[no])} is not in the index`,
        );
      }
    }
  });
  for (const [tensor, shard] of shardOf) {
    const where = seen.get(tensor);
    if (where === shard) continue;
    fail(
      `by the index tensor ${quote(tensor)} is in ${quote(shard)}, but it is ${
        where === undefined ? "not there" : `in ${quote(where)}`
      }`,
    );
  }
}

function joined(
  path: string,
  { folder, index, names }: Listing,
  files: readonly TensorFile[],
): TensorFile {
  const { source, starts } = joinSources(
    printable(path),
    files.map(({ source }) => source),
  );
  const shards = names.map((name, no) => {
    return { name, start: starts[no], metadata: files[no].metadata };
  });
  return {
    container: "safetensors",
    source,
    tensors: files.flatMap(({ tensors }, no) =>
      tensors.map((entry) => ({ ...entry, offset: entry.offset + starts[no] }))
    ),
    // What the first shards say goes before what later ones do.
    metadata: new Map([...files].reverse().flatMap((f) => [...f.metadata])),
    paths: names.map((name) => join(folder, name)),
    checkpoint: { folder, index, shards },
  };
}
