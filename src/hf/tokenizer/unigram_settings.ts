/**
 * What the files beside a Unigram `tokenizer.json` say of it, and what transformers' classes take
 * where they say nothing.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { flagOr, listOf, objectOf, textOr } from "./fields.ts";
import { type TokenizerFolder, within } from "./folder.ts";
import { contentOf } from "./vocabulary.ts";

/** How tokens and texts are meant. */
export interface UnigramSettings {
  /** The token for what has none, where it is named. */
  readonly unknown: string | undefined;
  /** Tokens that stand for something other than text. */
  readonly special: ReadonlySet<string>;
  /** Tokens that are found before a text is parted. */
  readonly added: ReadonlySet<string>;
  /** Whether a space is put before a text. */
  readonly addsPrefix: boolean;
  /** Whether white space that is more than one space is dropped. */
  readonly dropsSpaces: boolean;
}

/** What `XLMRobertaTokenizer` names its tokens where no file does. */
const OWN_NAMES: readonly (readonly [string, string])[] = [
  ["bos_token", "<s>"],
  ["eos_token", "</s>"],
  ["unk_token", "<unk>"],
  ["sep_token", "</s>"],
  ["pad_token", "<pad>"],
  ["cls_token", "<s>"],
  ["mask_token", "<mask>"],
];

/**
 * Reads the settings of a tokenizer.
 *
 * @param folder The folder.
 * @param tokenizer What its `tokenizer.json` holds.
 * @returns The settings.
 * @throws {SyntaxError} If a field is of another kind, or the tokenizer of another class.
 */
export async function readUnigramSettings(
  folder: TokenizerFolder,
  tokenizer: JsonObject,
): Promise<UnigramSettings> {
  const model = await folder.object("config.json");
  const config: JsonObject = await folder.object("tokenizer_config.json") ??
    new Map();
  const decoder = config.get("added_tokens_decoder") ?? undefined;
  // The older of two places for names: it is read only where the newer says nothing.
  const names = decoder === undefined
    ? await folder.object("special_tokens_map.json")
    : undefined;
  const listed = within(
    "tokenizer.json",
    () => listOf(tokenizer.get("added_tokens") ?? [], "added_tokens"),
  );
  return within("tokenizer_config.json", () => {
    const isOwn = isOwnClass(
      config.get("tokenizer_class") ?? model?.get("tokenizer_class"),
    );
    const decoded = decoder === undefined
      ? []
      : [...objectOf(decoder, "added_tokens_decoder").values()];
    // The own class is built anew by what the newer place says.
    const isListed = decoder === undefined || !isOwn;
    const flag = (name: string, otherwise: boolean) =>
      flagOr(config.get(name), name, otherwise);
    return {
      unknown: contentOf(config.get("unk_token")),
      special: specialNames(
        new Map<string, Json>([
          ...(isOwn ? OWN_NAMES : []),
          ...config,
          ...(names ?? []),
        ]),
      ),
      added: contents([...decoded, ...(isListed ? listed : [])]),
      addsPrefix: flag("add_prefix_space", isOwn),
      dropsSpaces: flag("clean_up_tokenization_spaces", false),
    };
  });
}

/** Whether a class is XLM-RoBERTa's own, not that for any tokenizer. */
function isOwnClass(value: Json | undefined): boolean {
  const name = textOr(value, "tokenizer_class") ?? "XLMRobertaTokenizer";
  switch (name.replace(/Fast$/, "")) {
    case "XLMRobertaTokenizer":
      return true;
    case "PreTrainedTokenizer":
    case "TokenizersBackend":
      return false;
  }
  throw new SyntaxError(
    `tokenizer_class is ${
      quote(name)
    }; Unigram is read of XLMRobertaTokenizer and PreTrainedTokenizerFast, or by sentencepiece.bpe.model where the folder has it`,
  );
}

function specialNames(settings: ReadonlyMap<string, Json>): Set<string> {
  const named = [...settings].filter(([key]) => key.endsWith("_token"));
  const more = valuesOf(settings.get("extra_special_tokens"));
  const rest = more.length > 0
    ? more
    : valuesOf(settings.get("additional_special_tokens"));
  return contents([...named.map(([, value]) => value), ...rest]);
}

function valuesOf(json: Json | undefined): readonly Json[] {
  if (json instanceof Map) return [...json.values()];
  return Array.isArray(json) ? json : [];
}

function contents(tokens: readonly Json[]): Set<string> {
  return new Set(tokens.flatMap((token) => contentOf(token) ?? []));
}
