/**
 * How a model of sentence-transformers makes one vector of many.
 *
 * @module
 */
import { join } from "node:path";
import { printable } from "../files/errors.ts";
import { readConfigJson } from "../files/small_files.ts";
import { Config } from "./config.ts";

/** llama.cpp's numbers, and what sets them. */
const POOLINGS: readonly (readonly [
  flag: string,
  mode: string,
  number: number,
])[] = [
  ["pooling_mode_mean_tokens", "mean", 1],
  ["pooling_mode_cls_token", "cls", 2],
  ["pooling_mode_lasttoken", "lasttoken", 3],
];

/**
 * The pooling that a folder says.
 *
 * @param folder The folder.
 * @returns llama.cpp's number; undefined where the folder has no such module.
 * @throws {RangeError} If llama.cpp has no such pooling.
 */
export async function poolingOf(folder: string): Promise<number | undefined> {
  const modules = await readConfigJson(join(folder, "modules.json"));
  if (!Array.isArray(modules)) return undefined;
  const module = modules.find((module) =>
    module instanceof Map && String(module.get("type")).endsWith("Pooling")
  );
  const inside = module instanceof Map ? module.get("path") : undefined;
  // A folder in the folder, and nothing else.
  if (typeof inside !== "string" || !/^\w+$/.test(inside)) return undefined;
  const path = join(folder, inside, "config.json");
  const json = await readConfigJson(path);
  if (!(json instanceof Map)) return undefined;
  const config = new Config(printable(path), json);
  const mode = json.get("pooling_mode");
  const found = POOLINGS.find(([flag]) => json.get(flag) === true) ??
    POOLINGS.find(([, name]) => name === mode);
  return found
    ? found[2]
    : config.refuse("its pooling is none of mean, cls and lasttoken");
}
