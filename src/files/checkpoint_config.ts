/**
 * The settings of quantization that checkpoints have in a file beside their tensors.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { printable } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { type Json, parseJson } from "./json.ts";
import { CONFIG_BYTES } from "./limits.ts";

/** Where settings are, the most specific first; those of `config.json` are in a member. */
const FILES: readonly (readonly [file: string, members: readonly string[]])[] =
  [
    ["quantize_config.json", []],
    ["hf_quant_config.json", []],
    ["config.json", ["quantization", "quantization_config"]],
  ];

/** Files that hold nothing but settings of quantization. */
export const CONFIG_FILES: readonly string[] = FILES.flatMap((
  [file, members],
) => members.length === 0 ? [file] : []);

/**
 * Reads the settings of quantization beside a file of tensors.
 *
 * @param path The file of tensors.
 * @returns The settings as plain objects; undefined where there are none.
 * @throws {SyntaxError} If a config file is no JSON.
 * @throws {RangeError} If it is too large to be one.
 */
export async function readConfigBeside(path: string): Promise<unknown> {
  for (const [file, members] of FILES) {
    const json = await readJson(join(dirname(path), file));
    if (!(json instanceof Map)) continue;
    if (members.length === 0) return plain(json);
    const member = members.find((name) => json.get(name) instanceof Map);
    if (member !== undefined) return plain(json.get(member)!);
  }
  return undefined;
}

async function readJson(path: string): Promise<Json | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile()
    ? parseFile(path, await readSmallText(path, CONFIG_BYTES))
    : undefined;
}

/**
 * Reads a text that belongs to a checkpoint.
 *
 * @param path Where it is.
 * @param limit The most bytes that it may have.
 * @returns The text.
 * @throws {RangeError} If it is longer.
 */
export async function readSmallText(
  path: string,
  limit: number,
): Promise<string> {
  const source = await openFile(path);
  try {
    if (source.size > limit) {
      throw new RangeError(
        `Cannot read ${source.name}: ${source.size} bytes are above the limit of ${limit}`,
      );
    }
    const bytes = new Uint8Array(source.size);
    await source.read(0, bytes);
    return new TextDecoder().decode(bytes);
  } finally {
    await source.close();
  }
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

/** JSON as plain objects, whatever its keys are. */
function plain(json: Json): unknown {
  if (Array.isArray(json)) return json.map(plain);
  if (!(json instanceof Map)) return json;
  return Object.fromEntries(
    Array.from(json, ([key, value]) => [key, plain(value)]),
  );
}
