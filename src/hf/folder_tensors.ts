/**
 * The tensors of a folder as those of the GGUF: matched with what the family says, and held
 * against the config.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { type EncodedDtype, isFloat } from "../files/floats.ts";
import type { GgufTensor } from "../files/gguf_write.ts";
import type { TensorEntry, TensorFile } from "../files/tensors.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import type { Config } from "./config.ts";
import {
  asTheyLie,
  castTo,
  type Contents,
  inMemory,
  interleaved,
} from "./contents.ts";
import type { Family, TensorRule } from "./family.ts";

/** A tensor of the GGUF, and its bytes. */
export interface ModelTensor extends GgufTensor {
  /** One of the floats. */
  readonly dtype: EncodedDtype;
  /** The bytes. */
  readonly contents: Contents;
}

/** What the tensors depend on beside folder and config. */
export interface TensorOptions {
  /** What matrices become; what they are where absent. */
  readonly dtype?: EncodedDtype;
  /** How many tokens the tokenizer has. */
  readonly tokens?: number;
}

/** The embeddings of tokens, by llama.cpp's name. */
const EMBEDDINGS = "token_embd.weight";

/** Matrices that llama.cpp adds to float32. */
const ADDED: readonly string[] = ["position_embd.weight", "token_types.weight"];

/**
 * Lists the tensors of a model in the converter's order: what is made first, then
 * shard after shard by name.
 *
 * @param file The folder.
 * @param family What its model is.
 * @param config Its config.
 * @param options What else they depend on.
 * @returns The tensors.
 * @throws {RangeError} If one is missing, of another shape than the config says, no float, or
 * unknown.
 */
export function folderTensors(
  file: TensorFile,
  family: Family,
  config: Config,
  options: TensorOptions,
): readonly ModelTensor[] {
  const entries = new Map<string, TensorEntry>();
  for (const entry of inConverterOrder(file)) {
    const name = family.ruleName(entry.name);
    if (name === undefined) continue;
    if (entries.has(name)) {
      config.refuse(`the folder has tensor ${quote(name)} under two names`);
    }
    entries.set(name, entry);
  }
  const rules = rulesOf(entries, family, config);
  const dtype = options.dtype ?? usualDtype([...entries.values()]);
  const made = (family.made?.(config) ?? []).map(({ name, values }) => ({
    name,
    shape: [values.length],
    dtype: "F32" as const,
    contents: inMemory(new Uint8Array(values.buffer)),
  }));
  const own = Array.from(entries, ([name, entry]) => {
    const rule = withTokens(rules.get(name)!, family, config, options.tokens);
    return tensorOf(file, entry, rule, isKept(rule) ? "F32" : dtype);
  });
  return [...made, ...own];
}

/** Shards in order, and in each of them the tensors by name. */
function inConverterOrder(
  { tensors, checkpoint }: TensorFile,
): readonly TensorEntry[] {
  const starts = checkpoint?.shards.map(({ start }) => start) ?? [0];
  const shardOf = ({ offset }: TensorEntry) =>
    starts.findLastIndex((start) => start <= offset);
  return tensors.map((entry) => ({ entry, shard: shardOf(entry) }))
    .sort((a, b) => a.shard - b.shard || (a.entry.name < b.entry.name ? -1 : 1))
    .map(({ entry }) => entry);
}

/** The rule of each tensor that is there, checked. */
function rulesOf(
  entries: ReadonlyMap<string, TensorEntry>,
  family: Family,
  config: Config,
): ReadonlyMap<string, TensorRule> {
  const rules = new Map<string, TensorRule>();
  for (const rule of family.rules(config)) {
    const entry = entries.get(rule.from);
    if (entry !== undefined) {
      checkEntry(entry, rule, config);
      rules.set(rule.from, rule);
    } else if (!rule.optional) {
      config.refuse(
        `the folder has no tensor ${
          quote(rule.from)
        }, which becomes ${rule.to}`,
      );
    }
  }
  for (const [name, entry] of entries) {
    if (rules.has(name)) continue;
    config.refuse(
      `tensor ${
        quote(entry.name)
      } of the folder has no name in llama.cpp's ${family.architecture}; --rename with --format takes tensors under names that you give`,
    );
  }
  return rules;
}

function checkEntry(
  { name, shape, dtype }: TensorEntry,
  rule: TensorRule,
  config: Config,
): void {
  if (!isFloat(dtype) || dtypeBytes(dtype) < 2) {
    config.refuse(
      `tensor ${quote(name)} is ${dtype}, no float of 16 bits or more`,
    );
  }
  if (shape.join() === rule.shape.join()) return;
  config.refuse(
    `tensor ${
      quote(name)
    } is [${shape}], not [${rule.shape}] as the config says`,
  );
}

/** The rule for embeddings of as many tokens as there are. */
function withTokens(
  rule: TensorRule,
  { cutsVocabulary }: Family,
  config: Config,
  tokens: number | undefined,
): TensorRule {
  if (rule.to !== EMBEDDINGS || tokens === undefined) return rule;
  const [rows, width] = rule.shape;
  if (tokens === rows) return rule;
  if (cutsVocabulary && tokens < rows) {
    return { ...rule, shape: [tokens, width] };
  }
  return config.refuse(
    `the tokenizer has ${tokens} tokens, and there are embeddings for ${rows}`,
  );
}

/** What most matrices are; where all are wider than sixteen bits, float32. */
function usualDtype(entries: readonly TensorEntry[]): EncodedDtype {
  const sixteen = entries.find(({ shape, dtype }) =>
    shape.length > 1 && (dtype === "BF16" || dtype === "F16")
  );
  return sixteen ? sixteen.dtype as EncodedDtype : "F32";
}

/** Whether llama.cpp needs a tensor in float32. */
function isKept({ to, shape }: TensorRule): boolean {
  return shape.length <= 1 || ADDED.includes(to) ||
    to.endsWith("_norm.weight") || !to.endsWith(".weight");
}

function tensorOf(
  { source }: TensorFile,
  entry: TensorEntry,
  { to: name, shape: [rows, ...axes], heads, plus, skips = 0 }: TensorRule,
  dtype: EncodedDtype,
): ModelTensor {
  const rowBytes = entry.byteLength / entry.shape[0];
  let contents = asTheyLie(source, entry.offset + skips * rowBytes);
  if (heads !== undefined) {
    contents = interleaved(contents, rowBytes, rows / heads);
  }
  if (entry.dtype !== dtype || plus !== undefined) {
    contents = castTo(contents, entry, dtype, plus);
  }
  return { name, shape: [rows - skips, ...axes], dtype, contents };
}
