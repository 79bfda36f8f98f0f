/**
 * The Unigram vocabulary of XLM-RoBERTa: `sentencepiece.bpe.model`, which is no BPE whatever its
 * name says, or `tokenizer.json`.
 *
 * Source of the rules: `_xlmroberta_set_vocab` in llama.cpp's converter and, for what it asks of
 * a loaded tokenizer, transformers' `XLMRobertaTokenizer`.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { CHARSMAP_BYTES, VOCABULARY_TOKENS } from "../../files/limits.ts";
import { countOf, listOf, objectOf, textOf, typeOf } from "./fields.ts";
import { type TokenizerFolder, within } from "./folder.ts";
import { readSentencePieceModel, UNIGRAM } from "./sentencepiece_model.ts";
import {
  fillUp,
  listPieces,
  type Piece,
  type TokenList,
  TokenType,
} from "./token_list.ts";
import {
  readUnigramSettings,
  type UnigramSettings,
} from "./unigram_settings.ts";
import { modelType } from "./word_models.ts";

/** A vocabulary, and what is done to a text before it is parted. */
export interface UnigramVocabulary {
  readonly list: Required<TokenList>;
  /** Whether a space is put before a text. */
  readonly addsPrefix: boolean;
  /** Whether white space that is more than one space is dropped. */
  readonly dropsSpaces: boolean;
  /** SentencePiece's table of characters; no bytes where they stay as they are. */
  readonly charsmap: Uint8Array;
}

const MODEL = "sentencepiece.bpe.model";

/**
 * Reads the vocabulary of a folder.
 *
 * @param folder The folder.
 * @param size How many tokens the model has; what is missing is filled up.
 * @returns The vocabulary.
 * @throws {SyntaxError} If a file is malformed, or its model is another than Unigram.
 * @throws {RangeError} If a value is wrong, or the folder has neither file.
 */
export async function unigramVocabulary(
  folder: TokenizerFolder,
  size: number,
): Promise<UnigramVocabulary> {
  const bytes = await folder.bytes(MODEL);
  if (bytes !== undefined) return await fromModel(bytes, size);
  const tokenizer = await folder.object("tokenizer.json");
  if (tokenizer === undefined) {
    throw new RangeError(
      `the folder has neither ${MODEL} nor tokenizer.json; add one of them`,
    );
  }
  const settings = await readUnigramSettings(folder, tokenizer);
  return within("tokenizer.json", () => fromJson(tokenizer, settings, size));
}

/** Tokens that stand in the place of SentencePiece's first three, so that all others are one further. */
const FIRST: readonly Piece[] = [
  { text: "<s>", score: 0, type: TokenType.CONTROL },
  { text: "<pad>", score: 0, type: TokenType.CONTROL },
  { text: "</s>", score: 0, type: TokenType.CONTROL },
  { text: "<unk>", score: 0, type: TokenType.UNKNOWN },
];

async function fromModel(
  bytes: Uint8Array,
  size: number,
): Promise<UnigramVocabulary> {
  const { pieces, kind, ...text } = await readSentencePieceModel(MODEL, bytes);
  return within(MODEL, () => {
    if (kind !== UNIGRAM) {
      throw new SyntaxError(
        `its model is of the kind ${kind}; only ${UNIGRAM}, Unigram, is read`,
      );
    }
    checkPieces(pieces);
    checkCharsmap(text.charsmap);
    const all = fillUp(pieces, Math.max(size, pieces.length));
    return { ...text, list: listPieces([...FIRST, ...all.slice(3, -1)]) };
  });
}

function fromJson(
  tokenizer: JsonObject,
  { addsPrefix, dropsSpaces, ...settings }: UnigramSettings,
  size: number,
): UnigramVocabulary {
  const model = objectOf(tokenizer.get("model"), "model");
  const kind = modelType(model);
  if (kind !== "Unigram") {
    throw new SyntaxError(
      `model.type is ${quote(kind)}; the architecture's is Unigram`,
    );
  }
  const pieces = piecesOf(model, settings);
  checkPieces(pieces);
  const list = listPieces(fillUp(pieces, Math.max(size, pieces.length)));
  const charsmap = charsmapOf(tokenizer.get("normalizer"));
  return { list, addsPrefix, dropsSpaces, charsmap };
}

/** The token for what has none, where no setting names it and the model gives no id. */
const USUAL_UNKNOWN = 3;

function piecesOf(
  model: JsonObject,
  { unknown, special, added }: Pick<
    UnigramSettings,
    "unknown" | "special" | "added"
  >,
): Piece[] {
  const id = model.get("unk_id") ?? USUAL_UNKNOWN;
  const unknownId = countOf(id, "model.unk_id");
  const typeOfToken = (text: string, id: number) => {
    const isUnknown = unknown === undefined
      ? id === unknownId
      : text === unknown;
    if (isUnknown) return TokenType.UNKNOWN;
    if (special.has(text)) return TokenType.CONTROL;
    return added.has(text) ? TokenType.USER_DEFINED : TokenType.NORMAL;
  };
  return listOf(model.get("vocab"), "model.vocab").map((json, id) => {
    const place = `model.vocab[${id}]`, entry = listOf(json, place);
    const text = textOf(entry[0], `${place}[0]`);
    const score = scoreOf(entry[1], `${place}[1]`);
    return { text, score, type: typeOfToken(text, id) };
  });
}

function scoreOf(value: Json | undefined, place: string): number {
  if (typeof value === "number" && Number.isFinite(Math.fround(value))) {
    return value;
  }
  throw new SyntaxError(`${place} is no number that float32 holds`);
}

/** llama.cpp finds tokens by their text, and takes no text twice. */
function checkPieces(pieces: readonly Piece[]): void {
  if (pieces.length > VOCABULARY_TOKENS) {
    throw new RangeError(`it has more than ${VOCABULARY_TOKENS} tokens`);
  }
  const ids = new Map<string, number>();
  for (const [id, { text }] of pieces.entries()) {
    const other = ids.get(text);
    if (other !== undefined) {
      throw new RangeError(`tokens ${other} and ${id} are both ${quote(text)}`);
    }
    ids.set(text, id);
  }
}

/** The table of a normalizer, which may be one of several: white space is dropped by a setting of its own. */
function charsmapOf(json: Json | undefined): Uint8Array {
  const place = "normalizer";
  const normalizer = objectOf(json, place);
  const parts = typeOf(normalizer, place) === "Sequence"
    ? listOf(normalizer.get("normalizers"), `${place}.normalizers`)
    : [normalizer];
  const tables: Uint8Array[] = [];
  for (const part of parts) {
    const object = objectOf(part, place), type = typeOf(object, place);
    if (type === "Precompiled") {
      const text = textOf(
        object.get("precompiled_charsmap"),
        `${place}.precompiled_charsmap`,
      );
      tables.push(bytesOf(text));
    } else if (type !== "Strip" && type !== "Replace") {
      throw new SyntaxError(
        `${place} has a part of the kind ${
          quote(type)
        }, which llama.cpp does not have; Precompiled is read`,
      );
    }
  }
  if (tables.length !== 1) {
    throw new SyntaxError(
      `${place} has ${tables.length} parts of the kind "Precompiled", not one`,
    );
  }
  checkCharsmap(tables[0]);
  return tables[0];
}

function bytesOf(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
  } catch {
    throw new SyntaxError("normalizer.precompiled_charsmap is no base64");
  }
}

/** A table begins with the bytes of its first part, and has a second. */
function checkCharsmap(charsmap: Uint8Array): void {
  const { length, buffer, byteOffset } = charsmap;
  if (length === 0) return;
  if (length > CHARSMAP_BYTES) {
    throw new RangeError(
      `its table of characters takes ${length} bytes; at most ${CHARSMAP_BYTES} are read`,
    );
  }
  const fits = length > 4 &&
    4 + new DataView(buffer, byteOffset).getUint32(0, true) < length;
  if (fits) return;
  throw new SyntaxError(
    `its table of characters is cut: it takes ${length} bytes, less than it says`,
  );
}
