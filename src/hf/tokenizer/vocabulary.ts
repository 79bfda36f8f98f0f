/**
 * The tokens that `tokenizer.json` and `tokenizer_config.json` name: those of the model, and those
 * added to it.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { countOf, flagOr, listOf, objectOf, textOf } from "./fields.ts";
import { within } from "./folder.ts";

/** A token that is found in a text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** It stands for something other than text. */
  readonly special: boolean;
  /** It is looked for in the normalized text. */
  readonly normalized: boolean;
  /** It is found only between what are no letters. */
  readonly singleWord: boolean;
  /** It takes the white space before it along. */
  readonly leftStrip: boolean;
  /** It takes the white space behind it along. */
  readonly rightStrip: boolean;
}

/** All tokens of a tokenizer. */
export interface Vocabulary {
  /** Ids of the model's own tokens. */
  readonly model: ReadonlyMap<string, number>;
  /** Added tokens in the order in which they were added. */
  readonly added: readonly AddedToken[];
  /** Tokens by id, those that were added among them. */
  readonly byId: ReadonlyMap<number, string>;
  /** Ids by token, likewise. */
  readonly ids: ReadonlyMap<string, number>;
}

/** The texts in `tokenizer_config.json` that name special tokens. */
export const SPECIAL_TOKENS = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
] as const;

/**
 * Reads the tokens of a tokenizer.
 *
 * @param tokenizer What `tokenizer.json` holds.
 * @param config What `tokenizer_config.json` holds, if there is one.
 * @returns The tokens.
 * @throws {SyntaxError} If a field is of another kind.
 * @throws {RangeError} If two tokens have one id.
 */
export function readVocabulary(
  tokenizer: JsonObject,
  config: JsonObject | undefined,
): Vocabulary {
  const builder = within(
    "tokenizer.json",
    () => new Builder(objectOf(tokenizer.get("model"), "model")),
  );
  within("tokenizer.json", () => {
    const list = listOf(tokenizer.get("added_tokens") ?? [], "added_tokens");
    list.forEach((entry, i) => builder.addListed(entry, `added_tokens[${i}]`));
  });
  if (config !== undefined) {
    within("tokenizer_config.json", () => builder.addConfigured(config));
  }
  return builder.done();
}

/** Ids of a model's tokens: an object of ids, or for a Unigram model a list whose places are the ids. */
function modelTokens(model: JsonObject): Map<string, number> {
  const vocab = model.get("vocab");
  const ids = new Map<string, number>();
  if (Array.isArray(vocab)) {
    vocab.forEach((entry, id) => {
      const place = `model.vocab[${id}]`;
      ids.set(textOf(listOf(entry, place)[0], `${place}[0]`), id);
    });
    return ids;
  }
  for (const [token, id] of objectOf(vocab, "model.vocab")) {
    ids.set(token, countOf(id, `model.vocab's id of ${quote(token)}`));
  }
  return ids;
}

class Builder {
  readonly #model: Map<string, number>;
  readonly #added = new Map<string, AddedToken>();
  readonly #byId = new Map<number, string>();
  #next = 0;

  constructor(model: JsonObject) {
    this.#model = modelTokens(model);
    for (const [token, id] of this.#model) this.#place(token, id);
  }

  #place(token: string, id: number): void {
    const other = this.#byId.get(id);
    if (other !== undefined && other !== token) {
      throw new RangeError(
        `the tokens ${quote(other)} and ${quote(token)} have one id, ${id}`,
      );
    }
    this.#byId.set(id, token);
    if (id >= this.#next) this.#next = id + 1;
  }

  #add(token: AddedToken): void {
    // The library ignores what it has already, and what would be found everywhere.
    if (token.content === "" || this.#added.has(token.content)) return;
    this.#added.set(token.content, token);
    this.#place(token.content, token.id);
  }

  /** The id of a token that is added: the one that it has, or the next that is free. */
  #idOf(content: string): number {
    return this.#model.get(content) ?? this.#next;
  }

  addListed(json: Json, place: string): void {
    const entry = objectOf(json, place);
    const id = countOf(entry.get("id"), `${place}.id`);
    const token = readAdded(entry, place, id);
    const own = this.#model.get(token.content);
    if (own !== undefined && own !== id) {
      throw new RangeError(
        `${place} gives ${
          quote(token.content)
        } the id ${id}, but the model gives it ${own}`,
      );
    }
    this.#add(token);
  }

  /** What the configuration adds: tokens with their settings, then special tokens that are texts only. */
  addConfigured(config: JsonObject): void {
    const decoder = objectOf(
      config.get("added_tokens_decoder") ?? new Map(),
      "added_tokens_decoder",
    );
    const sorted = Array.from(decoder, ([id, json]): [number, Json] => {
      const number = /^[0-9]{1,10}$/.test(id) ? Number(id) : undefined;
      return [countOf(number, `added_tokens_decoder's key ${quote(id)}`), json];
    }).sort(([a], [b]) => a - b);
    for (const [id, json] of sorted) {
      const place = `added_tokens_decoder.${id}`;
      const entry = objectOf(json, place);
      const content = textOf(entry.get("content"), `${place}.content`);
      this.#add(readAdded(entry, place, this.#idOf(content)));
    }
    for (const { content, json } of specialTokens(config)) {
      const entry = json instanceof Map ? json : new Map([["content", json]]);
      this.#add({
        ...readAdded(entry, "a special token", this.#idOf(content)),
        normalized: false,
        special: true,
      });
    }
  }

  done(): Vocabulary {
    const added = [...this.#added.values()];
    const ids = new Map(this.#model);
    for (const { content, id } of added) ids.set(content, id);
    return { model: this.#model, added, byId: this.#byId, ids };
  }
}

function readAdded(entry: JsonObject, place: string, id: number): AddedToken {
  const flag = (name: string, otherwise: boolean) =>
    flagOr(entry.get(name), `${place}.${name}`, otherwise);
  const special = flag("special", false);
  return {
    id,
    content: textOf(entry.get("content"), `${place}.content`),
    special,
    normalized: flag("normalized", !special),
    singleWord: flag("single_word", false),
    leftStrip: flag("lstrip", false),
    rightStrip: flag("rstrip", false),
  };
}

/** The special tokens that a configuration names. */
export function specialTokens(
  config: JsonObject,
): { content: string; json: Json }[] {
  const more = config.get("additional_special_tokens");
  const all = [
    ...SPECIAL_TOKENS.map((name) => config.get(name)),
    ...(Array.isArray(more) ? more : []),
  ];
  return all.flatMap((json) => {
    const content = contentOf(json);
    return content === undefined ? [] : [{ content, json: json! }];
  });
}

/** The text of a special token, which is written as it is or in an object with its settings. */
export function contentOf(json: Json | undefined): string | undefined {
  const content = json instanceof Map ? json.get("content") : json;
  return typeof content === "string" ? content : undefined;
}
