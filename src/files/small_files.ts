/**
 * Files that are read whole, up to a limit: settings, indices, tokenizers.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { printable } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { type Json, parseJson } from "./json.ts";
import { CONFIG_BYTES } from "./limits.ts";

/** Whether there is a file, be it by a symbolic link as in Hugging Face's cache. */
export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/**
 * Reads all bytes of a file.
 *
 * @param path Where it is.
 * @param limit The most that it may have.
 * @returns The bytes.
 * @throws {RangeError} If there are more.
 */
export async function readSmallBytes(
  path: string,
  limit: number,
): Promise<Uint8Array> {
  const source = await openFile(path);
  try {
    if (source.size > limit) {
      throw new RangeError(
        `Cannot read ${source.name}: ${source.size} bytes are above the limit of ${limit}`,
      );
    }
    const bytes = new Uint8Array(source.size);
    await source.read(0, bytes);
    return bytes;
  } finally {
    await source.close();
  }
}

/** The same as text: see {@linkcode readSmallBytes}. */
export async function readSmallText(
  path: string,
  limit: number,
): Promise<string> {
  return new TextDecoder().decode(await readSmallBytes(path, limit));
}

/** The JSON of a config file; undefined where there is none. Throws a SyntaxError where it is no JSON, a RangeError where it is too large. */
export async function readConfigJson(path: string): Promise<Json | undefined> {
  return await isFile(path)
    ? parseFile(path, await readSmallText(path, CONFIG_BYTES))
    : undefined;
}

/**
 * Parses the JSON of a file.
 *
 * @param path The file, for the message.
 * @param text Its text.
 * @returns The value.
 * @throws {SyntaxError} If it is none.
 */
export function parseFile(path: string, text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw new SyntaxError(
      `Cannot read ${printable(path)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
