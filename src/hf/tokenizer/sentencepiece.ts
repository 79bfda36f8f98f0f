/**
 * `tokenizer.model`: a vocabulary of SentencePiece.
 *
 * ```text
 * ModelProto    1 piece, one after another
 * piece         1 text, 2 score (float32), 3 type
 * ```
 *
 * Source: sentencepiece_model.proto (github.com/google/sentencepiece), and for what becomes of it
 * `_create_vocab_sentencepiece` in llama.cpp's converter.
 *
 * @module
 */
import type { ByteSource } from "../../files/bytes.ts";
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { VOCABULARY_TOKENS } from "../../files/limits.ts";
import { type WireField, WireReader } from "../../files/protobuf.ts";
import { countOf, flagOr, objectOf, textOf } from "./fields.ts";
import { type TokenizerFolder, within } from "./folder.ts";
import {
  looksSpecial,
  SPACE_MARK,
  type TokenList,
  TokenType,
} from "./token_list.ts";

/** Fields of the file: three to a piece, and some settings. */
const FIELDS = 4 * VOCABULARY_TOKENS;
/** Bytes of a piece; SentencePiece makes none of more than some dozen characters. */
const PIECE_BYTES = 65_536;

/** Types that SentencePiece and the GGUF both know; a piece that its user defined is an ordinary one here. */
const KEPT: readonly number[] = [
  TokenType.UNKNOWN,
  TokenType.CONTROL,
  TokenType.UNUSED,
  TokenType.BYTE,
];

interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

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
  const bytes = await folder.bytes("tokenizer.model");
  if (bytes === undefined) return undefined;
  const pieces = await readPieces(bytes);
  const list = {
    tokens: Array.from({ length: size }, (_, id) => `[PAD${id}]`),
    scores: new Array<number>(size).fill(-10000),
    types: new Array<number>(size).fill(TokenType.UNUSED),
  };
  for (const [id, { text, score, type }] of pieces.slice(0, size).entries()) {
    set(list, id, text, score, KEPT.includes(type) ? type : TokenType.NORMAL);
  }
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

async function readPieces(bytes: Uint8Array): Promise<Piece[]> {
  try {
    return await piecesOf(bytes);
  } catch (error) {
    return within("tokenizer.model", () => {
      throw error;
    });
  }
}

async function piecesOf(bytes: Uint8Array): Promise<Piece[]> {
  const reader = new WireReader(sourceOf(bytes), FIELDS);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces: Piece[] = [];
  const file = { start: 0, end: bytes.length };
  for await (const field of reader.fields(file, "the model")) {
    if (field.number !== 1) continue;
    if (field.kind !== 2) throw new SyntaxError("a piece is no message");
    pieces.push(await readPiece(reader, field, view, pieces.length));
    if (pieces.length > VOCABULARY_TOKENS) {
      throw new RangeError(`it has more than ${VOCABULARY_TOKENS} pieces`);
    }
  }
  if (pieces.length === 0) throw new SyntaxError("it has no pieces");
  return pieces;
}

async function readPiece(
  reader: WireReader,
  range: WireField,
  view: DataView,
  id: number,
): Promise<Piece> {
  const what = `piece ${id}`;
  let text = "", score = 0, type: number = TokenType.NORMAL;
  for await (const field of reader.fields(range, what)) {
    const expected = [undefined, 2, 5, 0][field.number];
    if (expected !== undefined && field.kind !== expected) {
      throw new SyntaxError(
        `field ${field.number} of ${what} is of kind ${field.kind}, not ${expected}`,
      );
    }
    if (field.number === 1) text = await reader.text(field, PIECE_BYTES, what);
    if (field.number === 2) score = view.getFloat32(field.start, true);
    if (field.number === 3) type = Number(field.value);
  }
  return { text, score, type };
}

/** Bytes as a source. */
function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    name: "tokenizer.model",
    size: bytes.length,
    read(offset, target) {
      target.set(bytes.subarray(offset, offset + target.length));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
