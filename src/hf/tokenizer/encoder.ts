/**
 * Encoding by `tokenizer.json`, as the `tokenizers` library does it: enough of it to tell
 * tokenizers apart by what they make of a text.
 *
 * ```text
 * text ──added tokens──▶ parts ──normalizer──▶ ──added tokens──▶ ──pre-tokenizer──▶ words ──model──▶ ids
 * ```
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { JsonObject } from "../../files/json.ts";
import { AddedTokens } from "./added_tokens.ts";
import { type Decoder, readDecoder } from "./decoders.ts";
import { Effort } from "./effort.ts";
import { objectOf } from "./fields.ts";
import { type Normalizer, readNormalizer } from "./normalizers.ts";
import { type Frame, readFrame } from "./post_processors.ts";
import { type PreTokenizer, readPreTokenizer } from "./pre_tokenizers.ts";
import type { Vocabulary } from "./vocabulary.ts";
import { modelType, readWordModel, type WordModel } from "./word_models.ts";

/** A tokenizer that encodes. */
export class Encoder {
  readonly #vocabulary: Vocabulary;
  readonly #normalizer: Normalizer;
  readonly #raw: AddedTokens;
  readonly #normalized: AddedTokens;
  readonly #preTokenizer: PreTokenizer;
  readonly #model: WordModel;
  readonly #frame: Frame;
  readonly #decoder: Decoder;

  /**
   * Reads a tokenizer.
   *
   * @param tokenizer What `tokenizer.json` holds.
   * @param vocabulary Its tokens.
   * @param frame What is put around a text, if it is not what the tokenizer says.
   * @throws {SyntaxError} If a part of it is not understood.
   * @throws {RangeError} If a part of it needs tokens that are not there.
   */
  constructor(tokenizer: JsonObject, vocabulary: Vocabulary, frame?: Frame) {
    const effort = new Effort();
    const model = objectOf(tokenizer.get("model"), "model");
    const words = readWordModel(model, vocabulary.model, effort);
    if (words === undefined) {
      throw new SyntaxError(
        `model.type is ${quote(modelType(model))}; BPE and WordPiece encode`,
      );
    }
    this.#vocabulary = vocabulary;
    this.#model = words;
    this.#normalizer = readNormalizer(tokenizer.get("normalizer"), effort);
    this.#preTokenizer = readPreTokenizer(
      tokenizer.get("pre_tokenizer"),
      effort,
    );
    this.#frame = frame ?? readFrame(tokenizer.get("post_processor"));
    this.#decoder = readDecoder(tokenizer.get("decoder"), effort);
    const { added } = vocabulary;
    this.#raw = new AddedTokens(
      added.filter(({ normalized }) => !normalized),
      ({ content }) => content,
      effort,
    );
    this.#normalized = new AddedTokens(
      added.filter(({ normalized }) => normalized),
      ({ content }) => this.#normalizer(content),
      effort,
    );
  }

  /** The ids of a text, without special tokens around it. */
  #bare(text: string): number[] {
    const ids: number[] = [];
    for (const part of this.#raw.split(text, true)) {
      if ("id" in part) {
        ids.push(part.id);
        continue;
      }
      const normalized = this.#normalizer(part.text);
      for (const piece of this.#normalized.split(normalized, part.first)) {
        if ("id" in piece) {
          ids.push(piece.id);
          continue;
        }
        for (const word of this.#preTokenizer([piece])) {
          for (const id of this.#model(word.text)) ids.push(id);
        }
      }
    }
    return ids;
  }

  /** The ids of a text, with the special tokens that the tokenizer puts around it. */
  encode(text: string): number[] {
    return [...this.#frame.before, ...this.#bare(text), ...this.#frame.behind];
  }

  /** What becomes of a text that is encoded, without special tokens around it, and decoded. */
  roundTrip(text: string): string {
    const tokens = this.#bare(text).map((id) => this.#vocabulary.byId.get(id)!);
    return this.#decoder(tokens).join("");
  }
}
