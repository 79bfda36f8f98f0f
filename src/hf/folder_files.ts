/**
 * Files of a folder beside its tensors.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { parseFile, readSmallText } from "../files/checkpoint_config.ts";
import { printable } from "../files/errors.ts";
import { openFile } from "../files/file_source.ts";
import type { Json } from "../files/json.ts";
import { CONFIG_BYTES, TOKENIZER_BYTES } from "../files/limits.ts";
import { Config } from "./config.ts";

/** What a file of JSON holds; undefined where there is no file. */
export async function readJson(path: string): Promise<Json | undefined> {
  return await isFile(path)
    ? parseFile(path, await readSmallText(path, CONFIG_BYTES))
    : undefined;
}

/** The object in a file; undefined where there is no file. Throws a SyntaxError where it is none. */
export async function readConfig(path: string): Promise<Config | undefined> {
  const json = await readJson(path);
  if (json === undefined) return undefined;
  if (json instanceof Map) return new Config(printable(path), json);
  throw new SyntaxError(`Cannot read ${printable(path)}: it is no object`);
}

/** The bytes of a file of the tokenizer; undefined where there is no file. */
export async function readBytes(
  path: string,
): Promise<Uint8Array | undefined> {
  if (!await isFile(path)) return undefined;
  const source = await openFile(path);
  try {
    if (source.size > TOKENIZER_BYTES) {
      throw new RangeError(
        `Cannot read ${source.name}: ${source.size} bytes are above the limit of ${TOKENIZER_BYTES}`,
      );
    }
    const bytes = new Uint8Array(source.size);
    await source.read(0, bytes);
    return bytes;
  } finally {
    await source.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
