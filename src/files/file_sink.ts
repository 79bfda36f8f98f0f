/**
 * An output file that appears whole or not at all: written to a temporary file
 * beside it, synced, then given its name in one step.
 *
 * @module
 */
import { type BigIntStats, fstatSync } from "node:fs";
import {
  link,
  lstat,
  open,
  readdir,
  realpath,
  rename,
  stat,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ByteSink, Leftover } from "./bytes.ts";
import type { OpenFile } from "./open_file.ts";
import { PagedWriter } from "./paged_writer.ts";
import { errorCode, fileError, printable } from "./errors.ts";
import {
  createTemporary,
  forgetTemporary,
  randomSuffix,
  removeTemporary,
  type TemporaryFile,
} from "./temporary.ts";

/** How the paths of inputs name standard input. */
const STDIN = "-";

/** So many bytes are worth a sync of their own. */
const SETTLED_BYTES = 16 * 1024 * 1024;

/** What a sink may do to files that exist. */
export interface OutputOptions {
  /** Replace an existing file. */
  readonly force?: boolean;
  /** Paths that are being read: the output may be none of them, `force` or not. */
  readonly inputs?: readonly string[];
}

/**
 * Opens an output file. Every check happens here, before any work is done.
 *
 * @param path Where the file shall appear.
 * @param options What may be replaced.
 * @returns The sink; nothing is seen at `path` before it commits.
 * @throws {Error} If the file exists and `force` is not set, is an input, is no
 * regular file, or if its directory is missing or not writable.
 */
export async function createFile(
  path: string,
  options: OutputOptions = {},
): Promise<ByteSink> {
  const name = printable(path);
  try {
    const target = await checkTarget(path, options);
    const leftovers = await findLeftovers(target.path);
    const temporary = await createTemporary(
      temporaryPath(target.path),
      target.mode,
    );
    const { force = false } = options;
    return new FileSink(name, target.path, temporary, force, leftovers);
  } catch (error) {
    throw fileError(`Cannot write ${name}`, error);
  }
}

/** A temporary file beside `target`: only within one file system is a rename one step. */
function temporaryPath(target: string): string {
  return join(
    dirname(target),
    `${temporaryStem(target)}${randomSuffix()}.tmp`,
  );
}

function temporaryStem(target: string): string {
  // Names may have 255 bytes; the longest character takes four.
  return `.${Array.from(basename(target)).slice(0, 48).join("")}.`;
}

/** Temporary files for `target` that are there already. */
async function findLeftovers(target: string): Promise<Leftover[]> {
  const folder = dirname(target), stem = temporaryStem(target);
  // Who may write in a folder need not be allowed to list it.
  const names = await readdir(folder).catch((): string[] => []);
  const found: Leftover[] = [];
  for (const name of names.sort()) {
    const ours = name.startsWith(stem) &&
      /^[0-9a-f]{8}\.tmp$/.test(name.slice(stem.length));
    if (!ours) continue;
    const path = join(folder, name);
    const file = await lstat(path).catch(() => undefined);
    if (file?.isFile()) found.push({ path, size: file.size });
  }
  return found;
}

async function checkTarget(
  path: string,
  { force = false, inputs = [] }: OutputOptions,
): Promise<{ path: string; mode: number }> {
  if (basename(path) === "" || /[/\\]$/.test(path)) {
    throw new Error("it names a directory");
  }
  const found = await orUndefined(lstat(path));
  if (found === undefined) return { path, mode: 0o666 };
  // A symbolic link stays one: the file that it points to is replaced.
  const real = await orUndefined(realpath(path)) ?? path;
  const existing = await orUndefined(stat(path));
  for (const input of inputs) {
    if (await isSameFile(real, input)) {
      const what = input === STDIN ? "on standard input" : printable(input);
      throw new Error(`it is the input ${what}; choose another output`);
    }
  }
  if (existing !== undefined && !existing.isFile()) {
    throw new Error(
      existing.isDirectory() ? "it is a directory" : "it is no regular file",
    );
  }
  if (!force) throw new Error("it exists already; pass --force to replace it");
  // The new file is no more open to others than the old one was.
  return {
    path: real,
    mode: existing === undefined ? 0o666 : existing.mode & 0o777,
  };
}

async function isSameFile(realOutput: string, input: string): Promise<boolean> {
  if (input === STDIN) {
    // A shell may have opened the very file.
    return isSame(await identityOf(realOutput), fstatSync(0, { bigint: true }));
  }
  if (await orUndefined(realpath(input)) === realOutput) return true;
  // Hard links.
  return isSame(await identityOf(realOutput), await identityOf(input));
}

/** What tells a file from all others. */
type Identity = Pick<BigIntStats, "ino" | "dev">;

function identityOf(path: string): Promise<Identity | undefined> {
  return orUndefined(stat(path, { bigint: true }));
}

function isSame(a: Identity | undefined, b: Identity | undefined): boolean {
  // Some systems have no inode numbers and report 0.
  return a !== undefined && b !== undefined && a.ino > 0n && a.ino === b.ino &&
    a.dev === b.dev;
}

/** The result, or undefined where there is no such file. */
async function orUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The sink over a temporary file beside its target. */
export class FileSink implements ByteSink {
  /** What to call it in messages. */
  readonly name: string;
  /** What runs before this one left behind beside the output. */
  readonly leftovers: readonly Leftover[];
  readonly #target: string;
  readonly #path: string;
  readonly #handle: OpenFile;
  readonly #writer: PagedWriter;
  readonly #force: boolean;
  readonly #writes = new Set<Promise<void>>();
  /** Bytes that nobody has asked to be synced. */
  #unsynced = 0;
  #failure: Error | undefined;
  #open = true;
  #complete = false;

  /** Takes over `temporary`, which shall become `target`. */
  constructor(
    name: string,
    target: string,
    temporary: TemporaryFile,
    force: boolean,
    leftovers: readonly Leftover[] = [],
  ) {
    this.name = name;
    this.leftovers = leftovers;
    this.#target = target;
    this.#path = temporary.path;
    this.#handle = temporary.handle;
    this.#writer = new PagedWriter(temporary.handle);
    this.#force = force;
  }

  /**
   * Writes all of `bytes` at `offset`; what is small reaches the file later, with its neighbours.
   *
   * After a failure every later call fails the same way.
   */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (!this.#open) {
      return Promise.reject(
        new Error(`Cannot write ${this.name}: it is closed`),
      );
    }
    this.#unsynced += bytes.length;
    const writing = this.#writer.write(offset, bytes);
    return writing && this.#watch(writing);
  }

  /** Syncs what was written so far, while the caller goes on. */
  settle(): void {
    if (this.#unsynced < SETTLED_BYTES || !this.#open) return;
    this.#unsynced = 0;
    const syncing = Promise.all(this.#writes).then(() => this.#handle.sync());
    // Whoever writes or commits next is told of a failure.
    this.#watch(syncing).catch(() => {});
  }

  async #watch(writing: Promise<void>): Promise<void> {
    this.#writes.add(writing);
    try {
      await writing;
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#writes.delete(writing);
    }
  }

  /** Syncs the bytes to the disk; nothing can be written any more. */
  async complete(): Promise<void> {
    try {
      if (!this.#open) throw new Error("it is closed");
      await Promise.all(this.#writes);
      if (this.#failure !== undefined) throw this.#failure;
      await this.#writer.flush();
      await this.#handle.sync();
      this.#open = false;
      await this.#handle.close();
      this.#complete = true;
    } catch (error) {
      await this.abort();
      throw this.#fail(error);
    }
  }

  /** Syncs the bytes to the disk and gives the file its name. */
  async commit(): Promise<void> {
    if (!this.#complete) await this.complete();
    this.#complete = false;
    try {
      await publish(this.#path, this.#target, this.#force);
    } catch (error) {
      await this.abort();
      throw this.#fail(error);
    }
    forgetTemporary(this.#path);
    await syncDirectory(dirname(this.#target));
  }

  /** Removes what `commit` has published, unless it may have replaced something. */
  async retract(): Promise<void> {
    if (!this.#force) await removeTemporary(this.#target);
  }

  /** Removes the temporary file; harmless after `commit`. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#writes);
    if (this.#open) {
      this.#open = false;
      await this.#handle.close().catch(() => {});
    }
    await removeTemporary(this.#path);
  }

  #fail(error: unknown): Error {
    if (error !== this.#failure) {
      this.#failure ??= fileError(`Cannot write ${this.name}`, error);
    }
    return this.#failure!;
  }
}

/** Gives the file at `from` the name `to`; without `force` only if nothing has it. */
async function publish(
  from: string,
  to: string,
  force: boolean,
): Promise<void> {
  if (force) return await rename(from, to);
  try {
    // Unlike a rename, a link never replaces what another process put there meanwhile.
    await link(from, to);
  } catch (error) {
    // Some file systems have no hard links: look, then rename.
    const taken = errorCode(error) === "EEXIST" ||
      await orUndefined(lstat(to)) !== undefined;
    if (taken) {
      throw new Error("it appeared meanwhile; pass --force to replace it");
    }
    return await rename(from, to);
  }
  await removeTemporary(from);
}

/** Makes the new name survive a power cut; not every system lets a directory be synced. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close().catch(() => {});
}
