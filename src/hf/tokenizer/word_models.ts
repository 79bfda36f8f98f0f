/**
 * Models of `tokenizer.json`: what makes tokens of a word.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import type { Effort } from "./effort.ts";
import { countOf, flagOr, listOf, textOf, textOr } from "./fields.ts";

/** Makes ids of a word. */
export type WordModel = (word: string) => readonly number[];

type Ids = ReadonlyMap<string, number>;

/**
 * Reads a model.
 *
 * @param model Its description.
 * @param ids Ids of its tokens.
 * @param effort What it takes from.
 * @returns The model; undefined where it is of a kind that is not known.
 * @throws {SyntaxError} If a field is of another kind.
 * @throws {RangeError} If it needs tokens that are not there.
 */
export function readWordModel(
  model: JsonObject,
  ids: Ids,
  effort: Effort,
): WordModel | undefined {
  switch (modelType(model)) {
    case "WordPiece":
      return wordPiece(model, ids, effort);
    case "BPE":
      return bytePairs(model, ids, effort);
  }
  return undefined;
}

/** The kind of a model. Files of old have none, and are told apart by their fields. */
export function modelType(model: JsonObject): string {
  const type = textOr(model.get("type"), "model.type");
  if (type !== undefined) return type;
  if (model.has("merges")) return "BPE";
  return Array.isArray(model.get("vocab")) ? "Unigram" : "WordPiece";
}

/** The token for what has none. */
function unknownOf(model: JsonObject, ids: Ids): number | undefined {
  const token = textOr(model.get("unk_token"), "model.unk_token");
  if (token === undefined) return undefined;
  const id = ids.get(token);
  if (id === undefined) {
    throw new RangeError(
      `model.unk_token is ${quote(token)}, which is not in model.vocab`,
    );
  }
  return id;
}

/** WordPiece: the longest token first, then the longest that continues it, and so on. */
function wordPiece(model: JsonObject, ids: Ids, effort: Effort): WordModel {
  const unknown = unknownOf(model, ids);
  if (unknown === undefined) {
    throw new SyntaxError("model.unk_token is missing; WordPiece needs one");
  }
  const prefix = textOr(
    model.get("continuing_subword_prefix"),
    "model.continuing_subword_prefix",
  ) ?? "##";
  const most = countOf(
    model.get("max_input_chars_per_word") ?? 100,
    "model.max_input_chars_per_word",
  );
  return (word) => {
    const characters = Array.from(word);
    if (characters.length > most) return [unknown];
    const found: number[] = [];
    for (let start = 0; start < characters.length;) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        effort.spend(end - start + prefix.length);
        const piece = characters.slice(start, end).join("");
        id = ids.get(start > 0 ? prefix + piece : piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return [unknown];
      found.push(id);
      start = end;
    }
    return found;
  };
}

/** A merge: two tokens. */
export type Merge = readonly [left: string, right: string];

/** A merge of a list: a pair, or a text with a space between the two. */
export function mergeOf(json: Json, place: string): Merge {
  if (typeof json === "string") {
    const parts = json.split(" ");
    if (parts.length === 2) return [parts[0], parts[1]];
    throw new SyntaxError(
      `${place} is ${quote(json)}, not two tokens with a space between them`,
    );
  }
  const pair = listOf(json, place);
  if (pair.length !== 2) {
    throw new SyntaxError(`${place} has ${pair.length} tokens, not 2`);
  }
  return [textOf(pair[0], `${place}[0]`), textOf(pair[1], `${place}[1]`)];
}

/** The merges of a model, in order. */
export function mergesOf(model: JsonObject): Merge[] {
  return listOf(model.get("merges") ?? [], "model.merges").map((json, i) =>
    mergeOf(json, `model.merges[${i}]`)
  );
}

interface MergeRule {
  readonly rank: number;
  readonly id: number;
}

/** Rules by both ids: one number holds them, as ids have 31 bits and vocabularies less than 2^22 tokens. */
type MergeRules = ReadonlyMap<number, MergeRule>;

const PAIR = 2 ** 26;

function mergeRules(model: JsonObject, ids: Ids, prefix: string): MergeRules {
  const rules = new Map<number, MergeRule>();
  const idOf = (token: string, rank: number) => {
    const id = ids.get(token);
    if (id === undefined) {
      throw new RangeError(
        `model.merges[${rank}] names ${
          quote(token)
        }, which is not in model.vocab`,
      );
    }
    return id;
  };
  for (const [rank, [left, right]] of mergesOf(model).entries()) {
    const joined = left + right.slice(prefix.length);
    rules.set(idOf(left, rank) * PAIR + idOf(right, rank), {
      rank,
      id: idOf(joined, rank),
    });
  }
  return rules;
}

/** Byte pair encoding: characters, of which neighbours are joined as long as a merge joins them. */
function bytePairs(model: JsonObject, ids: Ids, effort: Effort): WordModel {
  const text = (name: string) => textOr(model.get(name), `model.${name}`) ?? "";
  const flag = (name: string) =>
    flagOr(model.get(name), `model.${name}`, false);
  const prefix = text("continuing_subword_prefix");
  const rules = mergeRules(model, ids, prefix);
  const start = characterIds(ids, {
    unknown: unknownOf(model, ids),
    prefix,
    suffix: text("end_of_word_suffix"),
    fuse: flag("fuse_unk"),
    bytes: flag("byte_fallback"),
  });
  const whole = flag("ignore_merges");
  return (word) => {
    const id = whole ? ids.get(word) : undefined;
    if (id !== undefined) return [id];
    effort.spend(word.length);
    return joined(start(word), rules, effort);
  };
}

/** Joins the pair of lowest rank, the leftmost of them, until none is left. */
function joined(
  ids: number[],
  rules: MergeRules,
  effort: Effort,
): number[] {
  for (;;) {
    effort.spend(ids.length);
    let best: MergeRule | undefined, at = 0;
    for (let i = 0; i + 1 < ids.length; i++) {
      const rule = rules.get(ids[i] * PAIR + ids[i + 1]);
      if (rule !== undefined && (!best || rule.rank < best.rank)) {
        best = rule;
        at = i;
      }
    }
    if (best === undefined) return ids;
    ids.splice(at, 2, best.id);
  }
}

const encoder = new TextEncoder();

/** The tokens of bytes: `<0x0A>`. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

interface CharacterRules {
  readonly unknown: number | undefined;
  readonly prefix: string;
  readonly suffix: string;
  /** Unknown characters beside each other become one token. */
  readonly fuse: boolean;
  /** Unknown characters become tokens of bytes. */
  readonly bytes: boolean;
}

/** Makes ids of the characters of a word. */
function characterIds(
  ids: Ids,
  { unknown, prefix, suffix, fuse, bytes }: CharacterRules,
): (word: string) => number[] {
  return (word) => {
    const characters = Array.from(word);
    const found: number[] = [];
    // An unknown character waits for the next that is known; bytes overtake it, as in the library.
    let waiting = false;
    const flush = () => {
      if (waiting) found.push(unknown!);
      waiting = false;
    };
    for (const [i, character] of characters.entries()) {
      const spelled = (i > 0 ? prefix : "") + character +
        (i + 1 === characters.length ? suffix : "");
      const id = ids.get(spelled);
      if (id !== undefined) {
        flush();
        found.push(id);
        continue;
      }
      const parts = bytes
        ? Array.from(encoder.encode(spelled), (one) => ids.get(byteToken(one)))
        : [undefined];
      if (parts.every((part) => part !== undefined)) found.push(...parts);
      else if (unknown !== undefined) {
        if (!fuse) flush();
        waiting = true;
      }
    }
    flush();
    return found;
  };
}
