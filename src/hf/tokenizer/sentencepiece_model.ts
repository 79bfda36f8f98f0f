/**
 * The file of a SentencePiece model.
 *
 * ```text
 * ModelProto      1 piece, one after another   2 trainer   3 normalizer
 * piece           1 text   2 score (float32)   3 type
 * trainer         3 kind of model
 * normalizer      2 charsmap   3 whether a space is put before a text
 *                 4 whether white space that is more than one space is dropped
 * ```
 *
 * Source: sentencepiece_model.proto (github.com/google/sentencepiece).
 *
 * @module
 */
import type { ByteSource } from "../../files/bytes.ts";
import { CHARSMAP_BYTES, VOCABULARY_TOKENS } from "../../files/limits.ts";
import { type WireField, WireReader } from "../../files/protobuf.ts";
import { within } from "./folder.ts";
import { type Piece, TokenType } from "./token_list.ts";

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

/** The number of the kind of model that is Unigram. */
export const UNIGRAM = 1;

interface Settings {
  /** {@linkcode UNIGRAM}, or the number of another kind. */
  kind: number;
  /** Whether a space is put before a text. */
  addsPrefix: boolean;
  /** Whether white space that is more than one space is dropped. */
  dropsSpaces: boolean;
  /** How characters are normalized; no bytes where they stay as they are. */
  charsmap: Uint8Array;
}

/** What the file says. */
export interface SentencePieceModel extends Readonly<Settings> {
  readonly pieces: readonly Piece[];
}

/**
 * Reads a model.
 *
 * @param name The file, for messages.
 * @param bytes What it holds.
 * @returns The model.
 * @throws {SyntaxError} If it is malformed or has no pieces.
 * @throws {RangeError} If it has more than a vocabulary has.
 */
export async function readSentencePieceModel(
  name: string,
  bytes: Uint8Array,
): Promise<SentencePieceModel> {
  try {
    return await modelOf(name, bytes);
  } catch (error) {
    return within(name, () => {
      throw error;
    });
  }
}

async function modelOf(
  name: string,
  bytes: Uint8Array,
): Promise<SentencePieceModel> {
  const reader = new WireReader(sourceOf(name, bytes), FIELDS);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces: Piece[] = [];
  const settings: Settings = {
    kind: UNIGRAM,
    addsPrefix: true,
    dropsSpaces: true,
    charsmap: new Uint8Array(),
  };
  const file = { start: 0, end: bytes.length };
  for await (const field of reader.fields(file, "the model")) {
    if (field.number > 3) continue;
    checkKind(field, 2, "the model");
    if (field.number === 1) {
      pieces.push(await readPiece(reader, field, view, pieces.length));
    } else if (field.number === 2) await readTrainer(reader, field, settings);
    else await readNormalizer(reader, field, settings);
    if (pieces.length > VOCABULARY_TOKENS) {
      throw new RangeError(`it has more than ${VOCABULARY_TOKENS} pieces`);
    }
  }
  if (pieces.length === 0) throw new SyntaxError("it has no pieces");
  return { pieces, ...settings };
}

function checkKind(field: WireField, kind: number, what: string): void {
  if (field.kind === kind) return;
  throw new SyntaxError(
    `field ${field.number} of ${what} is of kind ${field.kind}, not ${kind}`,
  );
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
    if (field.number > 3) continue;
    checkKind(field, [0, 2, 5, 0][field.number], what);
    if (field.number === 1) text = await reader.text(field, PIECE_BYTES, what);
    if (field.number === 2) score = view.getFloat32(field.start, true);
    if (field.number === 3) type = Number(field.value);
  }
  return { text, score, type: KEPT.includes(type) ? type : TokenType.NORMAL };
}

async function readTrainer(
  reader: WireReader,
  range: WireField,
  settings: Settings,
): Promise<void> {
  const what = "the trainer";
  for await (const field of reader.fields(range, what)) {
    if (field.number !== 3) continue;
    checkKind(field, 0, what);
    settings.kind = Number(field.value);
  }
}

async function readNormalizer(
  reader: WireReader,
  range: WireField,
  settings: Settings,
): Promise<void> {
  const what = "the normalizer";
  for await (const field of reader.fields(range, what)) {
    if (field.number < 2 || field.number > 4) continue;
    checkKind(field, field.number === 2 ? 2 : 0, what);
    const flag = field.value !== 0n;
    if (field.number === 3) settings.addsPrefix = flag;
    else if (field.number === 4) settings.dropsSpaces = flag;
    else settings.charsmap = await reader.bytes(field, CHARSMAP_BYTES, what);
  }
}

/** Bytes as a source. */
function sourceOf(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, target) {
      target.set(bytes.subarray(offset, offset + target.length));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
