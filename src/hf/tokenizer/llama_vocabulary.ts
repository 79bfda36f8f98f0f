/**
 * A vocabulary of SentencePiece that is only kept as `tokenizer.json`: byte pairs of text in which
 * a sign stands for the space, and tokens of bytes for what has none.
 *
 * Source of the rules: gguf-py's `LlamaHfVocab` (github.com/ggml-org/llama.cpp).
 *
 * @module
 */
import type { JsonObject } from "../../files/json.ts";
import { type TokenList, TokenType } from "./token_list.ts";
import { specialTokens, type Vocabulary } from "./vocabulary.ts";

/** Whether a tokenizer is one of these. */
export function isLlamaVocabulary(
  tokenizer: JsonObject,
  model: JsonObject,
  type: string,
): boolean {
  const decoder = tokenizer.get("decoder");
  return type === "BPE" && model.get("byte_fallback") === true &&
    decoder instanceof Map && decoder.get("type") === "Sequence";
}

/** The score of every token: llama.cpp joins by scores, which this file does not have. */
const SCORE = -1000;

/**
 * The tokens of such a tokenizer.
 *
 * @param vocabulary The tokens.
 * @param config What `tokenizer_config.json` holds, if there is one.
 * @returns The list, as long as the tokenizer's own vocabulary.
 * @throws {RangeError} If an id below another is missing.
 */
export function llamaTokens(
  vocabulary: Vocabulary,
  config: JsonObject | undefined,
): Required<TokenList> {
  const special = new Set(
    config ? specialTokens(config).map(({ content }) => content) : [],
  );
  const count = vocabulary.byId.size;
  const tokens: string[] = [], types: number[] = [];
  for (let id = 0; id < count; id++) {
    const token = vocabulary.byId.get(id);
    if (token === undefined) {
      throw new RangeError(
        `no token has the id ${id}, but there are ${count} in all`,
      );
    }
    tokens.push(token);
    types.push(typeOfToken(token, id < vocabulary.model.size, special));
  }
  return { tokens, types, scores: new Array<number>(count).fill(SCORE) };
}

function typeOfToken(
  token: string,
  own: boolean,
  special: ReadonlySet<string>,
): number {
  if (own && /^<0x[0-9A-Fa-f]{2}>$/.test(token)) return TokenType.BYTE;
  if (special.has(token)) return TokenType.CONTROL;
  return own ? TokenType.NORMAL : TokenType.USER_DEFINED;
}
