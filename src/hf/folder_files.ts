/**
 * Files of a folder beside its tensors.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import { TOKENIZER_BYTES } from "../files/limits.ts";
import {
  isFile,
  readConfigJson,
  readSmallBytes,
} from "../files/small_files.ts";
import { Config } from "./config.ts";

/** The object in a file; undefined where there is no file. Throws a SyntaxError where it is none. */
export async function readConfig(path: string): Promise<Config | undefined> {
  const json = await readConfigJson(path);
  if (json === undefined) return undefined;
  if (json instanceof Map) return new Config(printable(path), json);
  throw new SyntaxError(`Cannot read ${printable(path)}: it is no object`);
}

/** The bytes of a file of the tokenizer; undefined where there is no file. */
export async function readBytes(
  path: string,
): Promise<Uint8Array | undefined> {
  return await isFile(path) ? readSmallBytes(path, TOKENIZER_BYTES) : undefined;
}
