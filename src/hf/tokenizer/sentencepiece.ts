/**
 * `tokenizer.model`: a vocabulary of SentencePiece.
 *
 * Source: `_create_vocab_sentencepiece` in llama.cpp's converter.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { countOf, flagOr, objectOf, textOf } from "./fields.ts";
import { type TokenizerFolder, within } from "./folder.ts";
import { readSentencePieceModel } from "./sentencepiece_model.ts";
import {
  fillUp,
  listPieces,
  looksSpecial,
  SPACE_MARK,
  type TokenList,
  TokenType,
} from "./token_list.ts";

/**
 * The tokens of `tokenizer.model`, with those that other files of the folder add.
 *
 * @param folder The folder.
 * @param size How many tokens the model has; what is missing is filled up, what is beyond left out.
 * @returns The tokens; undefined where the folder has no such file.
 * @throws {SyntaxError} If the file is malformed.
 * @throws {RangeError} If a value is wrong.
 */
export async function sentencePieces(
  folder: TokenizerFolder,
  size: number,
): Promise<Required<TokenList> | undefined> {
  const name = "tokenizer.model";
  const bytes = await folder.bytes(name);
  if (bytes === undefined) return undefined;
  const { pieces } = await readSentencePieceModel(name, bytes);
  const list = listPieces(fillUp(pieces, size));
  const added = await folder.object("added_tokens.json");
  if (added) within("added_tokens.json", () => addIds(list, added));
  const config = await folder.object("tokenizer_config.json");
  const decoder = config?.get("added_tokens_decoder");
  if (decoder) {
    within("tokenizer_config.json", () => addSettings(list, decoder));
  }
  return list;
}

function set(
  list: Required<TokenList>,
  id: number,
  text: string,
  score: number,
  type: number,
): void {
  // What is beyond the model's vocabulary has no row.
  if (id >= list.tokens.length) return;
  list.tokens[id] = text;
  list.scores[id] = score;
  list.types[id] = type;
}

/** The score of tokens that no training gave one. */
const ADDED_SCORE = -1000;

function addIds(list: Required<TokenList>, added: JsonObject): void {
  for (const [token, id] of added) {
    const place = `the id of ${quote(token)}`;
    set(list, countOf(id, place), token, ADDED_SCORE, TokenType.USER_DEFINED);
  }
}

function addSettings(list: Required<TokenList>, decoder: Json): void {
  for (const [key, json] of objectOf(decoder, "added_tokens_decoder")) {
    const place = `added_tokens_decoder.${key}`;
    const number = /^[0-9]{1,10}$/.test(key) ? Number(key) : undefined;
    const id = countOf(number, `added_tokens_decoder's key ${quote(key)}`);
    const entry = objectOf(json, place);
    const token = textOf(entry.get("content"), `${place}.content`);
    const control = flagOr(entry.get("special"), `${place}.special`, false) ||
      looksSpecial(token);
    if (control) set(list, id, token, ADDED_SCORE, TokenType.CONTROL);
    else {
      const spaced = token.replaceAll(SPACE_MARK, " ");
      set(list, id, spaced, ADDED_SCORE, TokenType.USER_DEFINED);
    }
  }
}
