/**
 * The settings of quantization that checkpoints have in a file beside their tensors.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { Json } from "./json.ts";
import { readConfigJson } from "./small_files.ts";

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
    const json = await readConfigJson(join(dirname(path), file));
    if (!(json instanceof Map)) continue;
    if (members.length === 0) return plain(json);
    const member = members.find((name) => json.get(name) instanceof Map);
    if (member !== undefined) return plain(json.get(member)!);
  }
  return undefined;
}

/** JSON as plain objects, whatever its keys are. */
function plain(json: Json): unknown {
  if (Array.isArray(json)) return json.map(plain);
  if (!(json instanceof Map)) return json;
  return Object.fromEntries(
    Array.from(json, ([key, value]) => [key, plain(value)]),
  );
}
