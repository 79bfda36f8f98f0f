/**
 * Pre-tokenizers of `tokenizer.json`: they part a text into the words that a model makes tokens of.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";
import { bytesToCharacters } from "./byte_characters.ts";
import { isNumeric, isPunctuation, isSpace } from "./characters.ts";
import type { Effort } from "./effort.ts";
import { flagOr, listOf, objectOf, textOf, textOr, typeOf } from "./fields.ts";
import { type Finder, readFinder } from "./finder.ts";
import { compilePattern } from "./pattern.ts";

/** A word, or a text that is still to be parted. */
export interface Word {
  readonly text: string;
  /** It starts where the whole text does. */
  readonly first: boolean;
}

/** Parts texts. */
export type PreTokenizer = (words: readonly Word[]) => Word[];

/** GPT-2's words: contractions, letters, numbers and other characters with a space before them, and spaces. */
const GPT2 = String
  .raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** A range of a text, and whether it was found. */
type Stretch = { start: number; end: number; readonly found: boolean };

/** What becomes of what is found: the names of the library. */
const BEHAVIORS: ReadonlyMap<string, (stretches: Stretch[]) => Stretch[]> =
  new Map([
    ["Removed", (all: Stretch[]) => all.filter(({ found }) => !found)],
    ["Isolated", (all: Stretch[]) => all],
    ["MergedWithPrevious", mergedWithPrevious],
    ["MergedWithNext", mergedWithNext],
    ["Contiguous", contiguous],
  ]);

/**
 * Reads a pre-tokenizer.
 *
 * @param json Its description; null for none.
 * @param effort What it takes from.
 * @param place Where it stands, for messages.
 * @returns The pre-tokenizer.
 * @throws {SyntaxError} If it is of a kind that is not known.
 */
export function readPreTokenizer(
  json: Json | undefined,
  effort: Effort,
  place = "pre_tokenizer",
): PreTokenizer {
  if (json === undefined || json === null) return (words) => [...words];
  const object = objectOf(json, place);
  const flag = (name: string, otherwise: boolean) =>
    flagOr(object.get(name), `${place}.${name}`, otherwise);
  const behavior = (otherwise: string) =>
    textOr(object.get("behavior"), `${place}.behavior`) ?? otherwise;
  const parting = (finder: Finder, name: string, invert = false) =>
    splitter(finder, behaviorOf(name, place), invert, effort);
  const type = typeOf(object, place);
  switch (type) {
    case "Sequence": {
      const parts = listOf(
        object.get("pretokenizers"),
        `${place}.pretokenizers`,
      )
        .map((part, i) =>
          readPreTokenizer(part, effort, `${place}.pretokenizers[${i}]`)
        );
      return (words) => parts.reduce((done, part) => part(done), [...words]);
    }
    case "Split":
      return parting(
        readFinder(object.get("pattern"), effort, place),
        textOf(object.get("behavior"), `${place}.behavior`),
        flag("invert", false),
      );
    case "ByteLevel":
      return byteLevel(
        flag("add_prefix_space", true),
        flag("use_regex", true),
        effort,
      );
    case "Digits":
      return parting(
        characters(isNumeric),
        flag("individual_digits", false) ? "Isolated" : "Contiguous",
      );
    case "Punctuation":
      return parting(characters(isPunctuation), behavior("Isolated"));
    case "WhitespaceSplit":
      return parting(characters(isSpace), "Removed");
    case "Whitespace":
      return parting(
        compilePattern(String.raw`\w+|[^\w\s]+`, effort),
        "Removed",
        true,
      );
    case "CharDelimiterSplit": {
      const delimiter = textOf(object.get("delimiter"), `${place}.delimiter`);
      return parting(characters((one) => one === delimiter), "Removed");
    }
    case "BertPreTokenizer": {
      const spaces = parting(characters(isSpace), "Removed");
      const points = parting(characters(isPunctuation), "Isolated");
      return (words) => points(spaces(words));
    }
    case "Metaspace":
      return metaspace(object, place, effort);
  }
  throw new SyntaxError(
    `${place} is of the kind ${quote(type)}, which is not known`,
  );
}

function behaviorOf(name: string, place: string) {
  const behavior = BEHAVIORS.get(name);
  if (behavior === undefined) {
    throw new SyntaxError(
      `${place}.behavior is ${quote(name)}; known are ${
        [...BEHAVIORS.keys()].join(", ")
      }`,
    );
  }
  return behavior;
}

/** Finds single characters. */
function characters(wanted: (character: string) => boolean): Finder {
  return (text) => {
    const found: [number, number][] = [];
    let at = 0;
    for (const character of text) {
      const end = at + character.length;
      if (wanted(character)) found.push([at, end]);
      at = end;
    }
    return found;
  };
}

function splitter(
  finder: Finder,
  behavior: (stretches: Stretch[]) => Stretch[],
  invert: boolean,
  effort: Effort,
): PreTokenizer {
  return (words) =>
    words.flatMap(({ text, first }) => {
      effort.spend(text.length + 1);
      return behavior(stretches(text, finder, invert))
        .filter(({ start, end }) => start < end)
        .map(({ start, end }) => ({
          text: text.slice(start, end),
          first: first && start === 0,
        }));
    });
}

/** What is found and what lies between, in order. */
function stretches(text: string, finder: Finder, invert: boolean): Stretch[] {
  const all: Stretch[] = [];
  let done = 0;
  for (const [start, end] of finder(text)) {
    if (done < start) all.push({ start: done, end: start, found: invert });
    all.push({ start, end, found: !invert });
    done = end;
  }
  if (done < text.length) {
    all.push({ start: done, end: text.length, found: invert });
  }
  return all;
}

function mergedWithPrevious(all: Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  let previous = false;
  for (const stretch of all) {
    const last = merged.at(-1);
    if (stretch.found && !previous && last) last.end = stretch.end;
    else merged.push({ ...stretch });
    previous = stretch.found;
  }
  return merged;
}

function mergedWithNext(all: Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  let previous = false;
  for (const stretch of all.toReversed()) {
    const last = merged.at(-1);
    if (stretch.found && !previous && last) last.start = stretch.start;
    else merged.push({ ...stretch });
    previous = stretch.found;
  }
  return merged.reverse();
}

function contiguous(all: Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (const stretch of all) {
    const last = merged.at(-1);
    if (last?.found === stretch.found) last.end = stretch.end;
    else merged.push({ ...stretch });
  }
  return merged;
}

function byteLevel(
  prefix: boolean,
  parts: boolean,
  effort: Effort,
): PreTokenizer {
  const split = parts
    ? splitter(
      compilePattern(GPT2, effort),
      behaviorOf("Isolated", "ByteLevel"),
      false,
      effort,
    )
    : (words: readonly Word[]) => [...words];
  return (words) =>
    split(words.map(({ text, first }) => ({
      text: prefix && !text.startsWith(" ") ? ` ${text}` : text,
      first,
    }))).map(({ text, first }) => {
      effort.spend(text.length + 1);
      return { text: bytesToCharacters(text), first };
    });
}

function metaspace(
  object: JsonObject,
  place: string,
  effort: Effort,
): PreTokenizer {
  const mark = textOf(object.get("replacement"), `${place}.replacement`);
  const old = flagOr(
    object.get("add_prefix_space"),
    `${place}.add_prefix_space`,
    true,
  );
  const scheme = textOr(
    object.get("prepend_scheme"),
    `${place}.prepend_scheme`,
  ) ?? (old ? "always" : "never");
  if (!["first", "never", "always"].includes(scheme)) {
    throw new SyntaxError(
      `${place}.prepend_scheme is ${
        quote(scheme)
      }; known are first, never, always`,
    );
  }
  const split = flagOr(object.get("split"), `${place}.split`, true);
  const part = splitter(
    characters((one) => one === mark),
    mergedWithNext,
    false,
    effort,
  );
  return (words) => {
    const marked = words.map(({ text, first }) => {
      effort.spend(text.length * mark.length + 1);
      const replaced = text.replaceAll(" ", () => mark);
      const prepends = scheme === "always" || scheme === "first" && first;
      return {
        text: prepends && !replaced.startsWith(mark)
          ? mark + replaced
          : replaced,
        first,
      };
    });
    return split ? part(marked) : marked;
  };
}
