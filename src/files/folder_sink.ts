/**
 * A folder of files that appears whole or not at all: written to a temporary
 * folder beside it, which is renamed at the end.
 *
 * @module
 */
import { lstat, readdir, realpath, rename, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { ByteSink } from "./bytes.ts";
import { errorCode, fileError, printable } from "./errors.ts";
import { createFile } from "./file_sink.ts";
import { JoinedSink } from "./joined_sink.ts";
import {
  createTemporaryFolder,
  forgetTemporaryFolder,
  randomSuffix,
  removeTemporaryFolder,
} from "./temporary.ts";

/** A file of the folder that is written as part of the whole. */
export interface FolderFile {
  /** Its name. */
  readonly name: string;
  /** Where its first byte is in the whole. */
  readonly start: number;
}

/** What a folder gets. */
export interface FolderOptions {
  /** The files, one after the other. */
  readonly files: readonly FolderFile[];
  /** Puts everything else there, when those are complete. */
  fill(folder: string): Promise<void>;
  /** Folders that are being read: the output is none of them, nor in one. */
  readonly inputs: readonly string[];
}

/**
 * Opens a folder for writing. Every check happens here, before any work is done.
 *
 * @param path Where the folder shall appear; an empty one may be there.
 * @param options What it gets.
 * @returns One sink for all files; nothing is seen at `path` before it commits.
 * @throws {Error} If there is something already, it is in an input, or the folder
 * around it is missing or not writable.
 */
export async function createFolder(
  path: string,
  options: FolderOptions,
): Promise<ByteSink> {
  const name = printable(path), target = resolve(path);
  const temporary = join(
    dirname(target),
    `.${
      Array.from(basename(target)).slice(0, 48).join("")
    }.${randomSuffix()}.tmp`,
  );
  try {
    await checkTarget(target);
    for (const input of options.inputs) await checkOutside(target, input);
    createTemporaryFolder(temporary);
  } catch (error) {
    throw fileError(`Cannot write ${name}`, error);
  }
  const sinks: ByteSink[] = [];
  const sink = new FolderSink(name, target, temporary, sinks, options);
  try {
    for (const { name } of options.files) {
      sinks.push(await createFile(join(temporary, name)));
    }
    return sink;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** Only what is empty is replaced: what else is in a folder is nobody's to delete. */
async function checkTarget(target: string): Promise<void> {
  const found = await lstat(target).catch((error) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new Error("it exists already as a file");
  if ((await readdir(target)).length === 0) return;
  throw new Error("it exists already and is not empty; name a new folder");
}

/**
 * Throws unless a path is outside a folder.
 *
 * @param target The path; it need not exist.
 * @param folder The folder.
 * @throws {Error} If it is the folder, or in it.
 */
export async function checkOutside(
  target: string,
  folder: string,
): Promise<void> {
  const around = await realpath(dirname(resolve(target)));
  const real = join(around, basename(target));
  const input = await realpath(folder);
  if (real !== input && !real.startsWith(input + sep)) return;
  throw new Error(
    `it is in the input ${printable(folder)}; choose another place`,
  );
}

/** The files of a folder as one sink. */
class FolderSink implements ByteSink {
  readonly name: string;
  readonly #target: string;
  readonly #temporary: string;
  readonly #files: JoinedSink;
  readonly #options: FolderOptions;

  constructor(
    name: string,
    target: string,
    temporary: string,
    sinks: readonly ByteSink[],
    options: FolderOptions,
  ) {
    this.name = name;
    this.#target = target;
    this.#temporary = temporary;
    const starts = options.files.map(({ start }) => start);
    this.#files = new JoinedSink(name, sinks, starts);
    this.#options = options;
  }

  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    return this.#files.write(offset, bytes);
  }

  async commit(): Promise<void> {
    await this.#files.commit();
    try {
      await this.#options.fill(this.#temporary);
      await rmdir(this.#target).catch(() => {});
      await rename(this.#temporary, this.#target);
    } catch (error) {
      throw fileError(`Cannot write ${this.name}`, error);
    }
    forgetTemporaryFolder(this.#temporary);
  }

  async abort(): Promise<void> {
    await this.#files.abort();
    await removeTemporaryFolder(this.#temporary);
  }
}
