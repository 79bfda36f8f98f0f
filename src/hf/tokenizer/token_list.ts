/**
 * The list of tokens of a GGUF: a text, a type and, for some models, a score for each.
 *
 * Source of the rules: llama.cpp's converter, `get_vocab_base` and `does_token_look_special` in
 * `conversion/base.py` (github.com/ggml-org/llama.cpp).
 *
 * @module
 */
import { VOCABULARY_TOKENS } from "../../files/limits.ts";
import { quote } from "../../files/errors.ts";
import type { Encoder } from "./encoder.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What a token is: llama.cpp's `llama_token_type`. */
export const TokenType = {
  NORMAL: 1,
  UNKNOWN: 2,
  CONTROL: 3,
  USER_DEFINED: 4,
  UNUSED: 5,
  BYTE: 6,
} as const;

/** Tokens by id. */
export interface TokenList {
  readonly tokens: string[];
  readonly types: number[];
  /** Only of tokenizers that choose by them. */
  readonly scores?: number[];
}

/** A token with its score. */
export interface Piece {
  readonly text: string;
  readonly score: number;
  /** One of {@linkcode TokenType}. */
  readonly type: number;
}

/** SentencePiece's sign for a space. */
export const SPACE_MARK = "\u2581";

/** Whether a token looks as if it stood for something other than text, whatever its file says. */
export function looksSpecial(token: string): boolean {
  return ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].includes(token) ||
    token.startsWith("<|") && token.endsWith("|>") ||
    token.startsWith("<\uff5c") && token.endsWith("\uff5c>") ||
    token.startsWith("<unused") && token.endsWith(">");
}

/** Refuses a size that no vocabulary has. */
export function checkSize(size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > VOCABULARY_TOKENS) {
    throw new RangeError(
      `Cannot read config.json: vocab_size is ${size}; 1 to ${VOCABULARY_TOKENS} are read`,
    );
  }
}

/**
 * The tokens of `tokenizer.json`, up to the size of the model's vocabulary.
 *
 * @param vocabulary The tokens.
 * @param encoder What encodes them: added tokens are written as they are decoded.
 * @param size How many the model has; what is missing is filled up.
 * @returns The list.
 * @throws {RangeError} If an id is beyond `size`.
 */
export function listTokens(
  vocabulary: Vocabulary,
  encoder: Encoder,
  size: number,
): TokenList {
  checkIds(vocabulary, size);
  const added = new Map(vocabulary.added.map((token) => [token.id, token]));
  const tokens: string[] = [], types: number[] = [];
  for (let id = 0; id < size; id++) {
    const token = vocabulary.byId.get(id);
    const settings = added.get(id);
    if (token === undefined) {
      tokens.push(`[PAD${id}]`);
      types.push(TokenType.UNUSED);
    } else if (settings === undefined) {
      tokens.push(token);
      types.push(TokenType.NORMAL);
    } else {
      const text = settings.normalized ? token : encoder.roundTrip(token);
      const control = settings.special || looksSpecial(text);
      tokens.push(control ? text : text.replaceAll(SPACE_MARK, " "));
      types.push(control ? TokenType.CONTROL : TokenType.USER_DEFINED);
    }
  }
  return { tokens, types };
}

/**
 * As many tokens as a model has.
 *
 * @param pieces The tokens by id.
 * @param size How many the model has; what is missing is filled up, what is beyond left out.
 */
export function fillUp(pieces: readonly Piece[], size: number): Piece[] {
  return Array.from({ length: size }, (_, id) =>
    pieces[id] ??
      { text: `[PAD${id}]`, score: -10000, type: TokenType.UNUSED });
}

/** The list of tokens that have scores. */
export function listPieces(pieces: readonly Piece[]): Required<TokenList> {
  return {
    tokens: pieces.map(({ text }) => text),
    scores: pieces.map(({ score }) => score),
    types: pieces.map(({ type }) => type),
  };
}

/** Refuses tokens for which the model has no row. */
function checkIds(vocabulary: Vocabulary, size: number): void {
  for (const [id, token] of vocabulary.byId) {
    if (id < size) continue;
    throw new RangeError(
      `Cannot read tokenizer.json as part of a tokenizer: ${
        quote(token)
      } has the id ${id}, but config.json's vocab_size is ${size}`,
    );
  }
}
