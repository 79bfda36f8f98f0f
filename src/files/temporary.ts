/**
 * Files that must not outlive the process: outputs under construction, and
 * what was spooled from standard input.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, rmSync, unlinkSync } from "node:fs";
import { rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileError } from "./errors.ts";
import { type OpenFile, openToWrite } from "./open_file.ts";

const alive = new Set<string>();
const folders = new Set<string>();

/** A file of its own, open for reading and writing. */
export interface TemporaryFile {
  /** Where it is. */
  readonly path: string;
  /** The open file. */
  readonly handle: OpenFile;
}

/**
 * Creates a file that {@linkcode abortAll} removes.
 *
 * @param path Where; it must not exist.
 * @param mode Permissions before the umask.
 * @returns The file.
 */
export async function createTemporary(
  path: string,
  mode = 0o666,
): Promise<TemporaryFile> {
  // At once, so that no signal finds a file that is there and not yet known.
  closeSync(openSync(path, "wx", mode)); // x: never through somebody's symbolic link
  alive.add(path);
  return { path, handle: await openAlive(path) };
}

/** Opens a file that is there and known. */
async function openAlive(path: string): Promise<OpenFile> {
  try {
    return await openToWrite(path);
  } catch (error) {
    await removeTemporary(path);
    throw error;
  }
}

/** Forgets a temporary file that was renamed or is gone. */
export function forgetTemporary(path: string): void {
  alive.delete(path);
}

/** Removes a temporary file; harmless when it is gone already. */
export async function removeTemporary(path: string): Promise<void> {
  await unlink(path).catch(() => {});
  alive.delete(path);
}

/**
 * Creates a folder that {@linkcode abortAll} removes with all that is in it.
 *
 * @param path Where; it must not exist.
 */
export function createTemporaryFolder(path: string): void {
  // At once, so that no signal finds a folder that is there and not yet known.
  mkdirSync(path);
  folders.add(path);
}

/** Forgets a temporary folder that was renamed. */
export function forgetTemporaryFolder(path: string): void {
  folders.delete(path);
}

/** Removes a temporary folder with all that is in it; harmless when it was renamed. */
export async function removeTemporaryFolder(path: string): Promise<void> {
  if (!folders.has(path)) return;
  await rm(path, { recursive: true, force: true }).catch(() => {});
  folders.delete(path);
}

/**
 * Removes every temporary file at once, for a handler of a signal.
 *
 * Synchronous: the process may end as soon as it returns.
 */
export function abortAll(): void {
  for (const path of alive) {
    try {
      unlinkSync(path);
    } catch {
      // It is gone, or cannot be removed; nobody is left to be told.
    }
  }
  alive.clear();
  for (const path of folders) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // As above.
    }
  }
  folders.clear();
}

/** Eight random characters for a file name. */
export function randomSuffix(): string {
  return crypto.randomUUID().slice(0, 8);
}

/**
 * Creates a file in the system's folder for temporary files, for bytes in transit.
 *
 * It is unlinked while open where the system allows that, so that nothing can leave it behind.
 *
 * @param what Whose bytes it holds: `standard input`.
 * @returns The file.
 * @throws {Error} If it cannot be created.
 */
export async function createSpool(what: string): Promise<TemporaryFile> {
  const spool = await createTemporaryAnywhere().catch((error) => {
    throw fileError(`Cannot create a temporary file for ${what}`, error);
  });
  try {
    await unlink(spool.path);
    forgetTemporary(spool.path);
  } catch {
    // Windows: removed when it is closed.
  }
  return spool;
}

async function createTemporaryAnywhere(): Promise<TemporaryFile> {
  const deno = (globalThis as { Deno?: { makeTempFileSync(): string } }).Deno;
  if (deno === undefined) {
    return createTemporary(
      join(tmpdir(), `nibblewise-${randomSuffix()}.tmp`),
      0o600,
    );
  }
  // Deno's tmpdir() asks for the permission to read the environment; this does not.
  const path = deno.makeTempFileSync();
  alive.add(path);
  return { path, handle: await openAlive(path) };
}
