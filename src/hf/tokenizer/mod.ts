/**
 * The tokenizer of a Hugging Face folder as metadata of a GGUF.
 *
 * Source of the rules: llama.cpp's converter, `set_vocab` of its models under `conversion/`, and
 * gguf-py (github.com/ggml-org/llama.cpp).
 *
 * @module
 */
import { GgufValue } from "../../files/gguf_value.ts";
import type { JsonObject } from "../../files/json.ts";
import { Encoder } from "./encoder.ts";
import { countOf, flagOr, objectOf } from "./fields.ts";
import { type ReadFile, TokenizerFolder, within } from "./folder.ts";
import { isLlamaVocabulary, llamaTokens } from "./llama_vocabulary.ts";
import { ownFrame } from "./post_processors.ts";
import { CHECK_TEXT, preName } from "./pre_names.ts";
import { sentencePieces } from "./sentencepiece.ts";
import { SpecialTokens } from "./special.ts";
import {
  checkSize,
  listTokens,
  SPACE_MARK,
  type TokenList,
  TokenType,
} from "./token_list.ts";
import { unigramVocabulary } from "./unigram.ts";
import { readVocabulary } from "./vocabulary.ts";
import { mergesOf, modelType } from "./word_models.ts";

export type { ReadFile } from "./folder.ts";

/** What the model says of its vocabulary. */
export interface TokenizerOptions {
  /** The architecture's name in a GGUF: `bert`, `llama`, `qwen2` … */
  readonly architecture: string;
  /** Whether the tokenizer is XLM-RoBERTa's, a Unigram model. */
  readonly unigram?: boolean;
  /** How many tokens the model has: `vocab_size` of `config.json`. */
  readonly vocabSize: number;
  /** The name of the pre-tokenizer, where it is known better than by the hash. */
  readonly pre?: string;
}

/** What is being written. */
interface Work extends TokenizerOptions {
  readonly folder: TokenizerFolder;
  readonly values: Map<string, GgufValue>;
}

/**
 * The metadata of a folder's tokenizer.
 *
 * @param read Gives the bytes of a file of the folder; undefined where there is none.
 * @param options What the model says of its vocabulary.
 * @returns Every `tokenizer.*` value, in the order in which the reference converter writes them.
 * @throws {SyntaxError} If a file cannot be read, or has a part that is not understood.
 * @throws {RangeError} If a value is wrong: an id beyond the vocabulary, a pre-tokenizer that is not known.
 */
export async function tokenizerValues(
  read: ReadFile,
  options: TokenizerOptions,
): Promise<Map<string, GgufValue>> {
  checkSize(options.vocabSize);
  const values = new Map<string, GgufValue>();
  const work = { ...options, folder: new TokenizerFolder(read), values };
  const write = options.unigram ? writeUnigram : writerOf(options.architecture);
  await write(work);
  return values;
}

function writerOf(architecture: string): (work: Work) => Promise<void> {
  switch (architecture) {
    case "bert":
      return writeBert;
    case "llama":
      return writeLlama;
    case "gemma":
    case "gemma2":
    case "gemma3":
      return writeGemma;
  }
  return async (work) => {
    if (!await writeSentencePieces(work)) await writeBytePairs(work);
  };
}

/** SentencePiece's vocabulary; false where the folder has none. */
async function writeSentencePieces(work: Work): Promise<boolean> {
  const list = await sentencePieces(work.folder, work.vocabSize);
  if (list === undefined) return false;
  await writeScored(work, list);
  return true;
}

async function writeScored(work: Work, list: TokenList): Promise<void> {
  writeTokens(work, "llama", "default", list);
  (await SpecialTokens.read(work.folder, list.tokens.length)).write(
    work.values,
  );
}

/** Llama's SentencePiece, as it is or as `tokenizer.json`, or Llama 3's bytes. */
async function writeLlama(work: Work): Promise<void> {
  const { folder, values } = work;
  const config = await folder.object("tokenizer_config.json");
  const prefix = within(
    "tokenizer_config.json",
    () =>
      flagOr(config?.get("add_prefix_space"), "add_prefix_space", undefined),
  );
  if (prefix !== undefined) setFlag(values, "add_space_prefix", prefix);
  if (!await writeSentencePieces(work)) await writeLlamaJson(work, config);
  // The vocabularies of CodeLlama and of IBM's small Granite models are known by their sizes.
  if (work.vocabSize === 32016) setEndOfTurn(values, 32010);
  if (work.vocabSize === 49152) setFlag(values, "add_bos_token", false);
}

async function writeLlamaJson(
  work: Work,
  config: JsonObject | undefined,
): Promise<void> {
  const tokenizer = await tokenizerJson(work.folder);
  const { model, type } = modelOf(tokenizer);
  if (!isLlamaVocabulary(tokenizer, model, type)) {
    return await writeBytePairs(work);
  }
  const vocabulary = readVocabulary(tokenizer, config);
  await writeScored(
    work,
    within("tokenizer.json", () => llamaTokens(vocabulary, config)),
  );
}

/** Gemma's SentencePiece, which puts no space before a text. */
async function writeGemma(work: Work): Promise<void> {
  const { architecture, values } = work;
  if (!await writeSentencePieces(work)) {
    if (architecture === "gemma3") return await writeBytePairs(work);
    throw new RangeError(
      `the folder has no tokenizer.model, which ${architecture} is converted with; add it`,
    );
  }
  if (architecture === "gemma") setEndOfTurn(values, 107);
  setFlag(values, "add_space_prefix", false);
}

/** The token that ends a turn, where no file names one. */
function setEndOfTurn(values: Map<string, GgufValue>, id: number): void {
  const key = "tokenizer.ggml.eot_token_id";
  if (!values.has(key)) values.set(key, GgufValue.of("u32", id));
}

function setFlag(
  values: Map<string, GgufValue>,
  name: string,
  flag: boolean,
): void {
  values.set(`tokenizer.ggml.${name}`, GgufValue.of("bool", flag));
}

/** BERT's WordPiece, the bytes of RoBERTa, or the Unigram of a BERT that was taught by XLM-RoBERTa. */
async function writeBert(work: Work): Promise<void> {
  const tokenizer = await tokenizerJson(work.folder);
  const type = modelOf(tokenizer).type;
  if (type === "WordPiece") return await writeWordPiece(work);
  // The converter names no such BERT and stops; XLM-RoBERTa's values are what llama.cpp parts texts by.
  if (type === "Unigram") return await writeUnigram(work);
  await writeBytePairs(work);
  await writeTypeCount(work);
}

/** XLM-RoBERTa's Unigram. */
async function writeUnigram(work: Work): Promise<void> {
  const { folder, vocabSize, values } = work;
  const { list, addsPrefix, dropsSpaces, charsmap } = await unigramVocabulary(
    folder,
    vocabSize,
  );
  writeTokens(work, "t5", "default", list);
  setFlag(values, "add_space_prefix", addsPrefix);
  await writeTypeCount(work);
  setFlag(values, "remove_extra_whitespaces", dropsSpaces);
  if (charsmap.length > 0) {
    values.set(
      "tokenizer.ggml.precompiled_charsmap",
      GgufValue.array("u8", [...charsmap]),
    );
  }
  (await SpecialTokens.read(folder, list.tokens.length)).write(values);
}

/** `tokenizer.json`, which has to be there. */
async function tokenizerJson(folder: TokenizerFolder): Promise<JsonObject> {
  const tokenizer = await folder.object("tokenizer.json");
  if (tokenizer !== undefined) return tokenizer;
  throw new RangeError(
    "the folder has no tokenizer.json; save the tokenizer again by a version of transformers that writes it",
  );
}

function modelOf(tokenizer: JsonObject): { model: JsonObject; type: string } {
  return within("tokenizer.json", () => {
    const model = objectOf(tokenizer.get("model"), "model");
    return { model, type: modelType(model) };
  });
}

/** Tokens, and the name of the pre-tokenizer, of a tokenizer that encodes. */
async function encodedTokens(
  { folder, vocabSize, pre }: Work,
): Promise<TokenList & { pre: string; model: JsonObject }> {
  const tokenizer = await tokenizerJson(folder);
  const config = await folder.object("tokenizer_config.json");
  const vocabulary = readVocabulary(tokenizer, config);
  const encoder = within(
    "tokenizer.json",
    () =>
      new Encoder(
        tokenizer,
        vocabulary,
        config && ownFrame(config, vocabulary.ids),
      ),
  );
  const list = within(
    "tokenizer.json",
    () => listTokens(vocabulary, encoder, vocabSize),
  );
  const { model } = modelOf(tokenizer);
  return { ...list, model, pre: pre ?? await nameOf(encoder) };
}

async function nameOf(encoder: Encoder): Promise<string> {
  const ids = within("tokenizer.json", () => encoder.encode(CHECK_TEXT));
  const { hash, name } = await preName(ids);
  if (name !== undefined) return name;
  throw new RangeError(
    `Cannot name the pre-tokenizer of tokenizer.json: its hash is ${hash}, which llama.cpp's converter does not know; name one with --tokenizer-pre`,
  );
}

function writeTokens(work: Work, model: string, pre: string, list: TokenList) {
  const { values } = work;
  values.set("tokenizer.ggml.model", GgufValue.of("string", model));
  values.set("tokenizer.ggml.pre", GgufValue.of("string", pre));
  values.set("tokenizer.ggml.tokens", GgufValue.array("string", list.tokens));
  if (list.scores) {
    values.set("tokenizer.ggml.scores", GgufValue.array("f32", list.scores));
  }
  values.set("tokenizer.ggml.token_type", GgufValue.array("i32", list.types));
}

async function writeWordPiece(work: Work): Promise<void> {
  const list = await encodedTokens(work);
  await writeTypeCount(work);
  const tokens = list.tokens.map((token, id) =>
    list.types[id] === TokenType.CONTROL ? token : phantom(token)
  );
  writeTokens(work, "bert", list.pre, { tokens, types: list.types });
  (await SpecialTokens.read(work.folder, tokens.length)).write(work.values);
}

/** A word with a space before it, or what continues one without its sign. */
function phantom(token: string): string {
  return token.startsWith("##") ? token.slice(2) : SPACE_MARK + token;
}

/** How many kinds of text a BERT tells apart. */
async function writeTypeCount({ folder, values }: Work): Promise<void> {
  const config = await folder.object("config.json");
  const count = within(
    "config.json",
    () => countOf(config?.get("type_vocab_size") ?? 2, "type_vocab_size"),
  );
  values.set("tokenizer.ggml.token_type_count", GgufValue.of("u32", count));
}

async function writeBytePairs(work: Work): Promise<void> {
  const list = await encodedTokens(work);
  writeTokens(work, "gpt2", list.pre, list);
  const merges = within("tokenizer.json", () => mergesOf(list.model));
  if (merges.length > 0) {
    // A space parts the two: one within a token is written as GPT-2 spells that byte.
    const spelled = (token: string) => token.replaceAll(" ", "\u0120");
    work.values.set(
      "tokenizer.ggml.merges",
      GgufValue.array(
        "string",
        merges.map((pair) => pair.map(spelled).join(" ")),
      ),
    );
  }
  (await SpecialTokens.read(work.folder)).write(work.values);
}
