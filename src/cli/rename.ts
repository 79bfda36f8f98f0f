/**
 * New names for tensors: `--rename map.json`, `--rename '^model\.=blk.'`.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import { readSmallText } from "../files/small_files.ts";
import { type Json, parseJson } from "../files/json.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { didYouMean } from "./suggest.ts";

/** The flag. */
export const RENAME_FLAG: Flag = {
  name: "rename",
  takes: "MAP",
  many: true,
  help: 'new names: {"old": "new"}, a .json file of that, or REGEX=REPLACEMENT',
  reads: (text) => isFile(text) ? text : undefined,
};

function isFile(text: string): boolean {
  return !text.startsWith("{") && text.toLowerCase().endsWith(".json");
}

/** Largest file of new names; a longer one is no such file. */
const MAP_BYTES = 64 * 1024 * 1024;

/**
 * The new names of all tensors.
 *
 * @param call The call; its `--rename`s are applied in order.
 * @param names The tensors.
 * @returns The new names, in the same order.
 * @throws {UsageError} If a map or pattern makes no sense, or renames nothing.
 */
export async function newNames(
  call: Call,
  names: readonly string[],
): Promise<readonly string[]> {
  let renamed = names;
  for (const text of call.all("rename")) {
    const rename = await renamerOf(text, renamed);
    const next = renamed.map(rename);
    if (next.every((name, i) => name === renamed[i])) {
      throw new UsageError(`No tensor is renamed by ${quote(text)}`);
    }
    renamed = next;
  }
  return renamed;
}

async function renamerOf(
  text: string,
  names: readonly string[],
): Promise<(name: string) => string> {
  if (text.startsWith("{")) return byMap(text, text, names);
  if (isFile(text)) {
    return byMap(text, await readSmallText(text, MAP_BYTES), names);
  }
  // The last one: a pattern may look ahead by (?=…).
  const equals = text.lastIndexOf("=");
  if (equals < 1) {
    throw new UsageError(
      `Cannot rename by ${quote(text)}: it is ${RENAME_FLAG.help.slice(11)}`,
    );
  }
  try {
    const pattern = new RegExp(text.slice(0, equals), "gu");
    return (name) => name.replace(pattern, text.slice(equals + 1));
  } catch (error) {
    throw new UsageError(
      `Cannot rename by ${quote(text)}: ${(error as Error).message}`,
    );
  }
}

function byMap(
  what: string,
  text: string,
  names: readonly string[],
): (name: string) => string {
  const map = parseMap(what, text);
  for (const old of map.keys()) {
    if (names.includes(old)) continue;
    const hint = didYouMean(old, names, "inspect lists the tensors");
    throw new UsageError(`No tensor is named ${quote(old)}: ${hint}`);
  }
  return (name) => map.get(name) ?? name;
}

function parseMap(what: string, text: string): Map<string, string> {
  let parsed: Json;
  try {
    parsed = parseJson(text);
  } catch (error) {
    throw new UsageError(
      `Cannot rename by ${printable(what)}: ${(error as Error).message}`,
    );
  }
  const isMap = parsed instanceof Map &&
    [...parsed.values()].every((value) => typeof value === "string");
  if (isMap) return parsed as Map<string, string>;
  throw new UsageError(
    `Cannot rename by ${printable(what)}: it is no object of strings`,
  );
}
