/**
 * Decoders of `tokenizer.json`: they make a text of tokens.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json } from "../../files/json.ts";
import { charactersToBytes } from "./byte_characters.ts";
import type { Effort } from "./effort.ts";
import {
  countOf,
  flagOr,
  listOf,
  objectOf,
  textOf,
  textOr,
  typeOf,
} from "./fields.ts";
import { readFinder } from "./finder.ts";
import { replaceAll } from "./normalizers.ts";

/** Changes tokens into pieces of text. */
export type Decoder = (tokens: readonly string[]) => string[];

/**
 * Reads a decoder.
 *
 * @param json Its description; null for none.
 * @param effort What it takes from.
 * @param place Where it stands, for messages.
 * @returns The decoder; its pieces joined are the text.
 * @throws {SyntaxError} If it is of a kind that is not known.
 */
export function readDecoder(
  json: Json | undefined,
  effort: Effort,
  place = "decoder",
): Decoder {
  if (json === undefined || json === null) {
    return (tokens) => [tokens.join(" ")];
  }
  const object = objectOf(json, place);
  const type = typeOf(object, place);
  switch (type) {
    case "Sequence": {
      const parts = listOf(object.get("decoders"), `${place}.decoders`).map((
        part,
        i,
      ) => readDecoder(part, effort, `${place}.decoders[${i}]`));
      return (tokens) => parts.reduce((done, part) => part(done), [...tokens]);
    }
    case "ByteLevel":
      return (tokens) => [bytesOf(tokens)];
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "WordPiece":
      return wordPiece(
        textOr(object.get("prefix"), `${place}.prefix`) ?? "##",
        flagOr(object.get("cleanup"), `${place}.cleanup`, true),
      );
    case "Metaspace": {
      const mark = textOf(object.get("replacement"), `${place}.replacement`);
      const prepended =
        textOr(object.get("prepend_scheme"), `${place}.prepend_scheme`) !==
          "never" && object.get("add_prefix_space") !== false;
      return (tokens) =>
        tokens.map((token, i) =>
          token.replaceAll(mark, i === 0 && prepended ? "" : " ")
        );
    }
    case "Replace": {
      const finder = readFinder(object.get("pattern"), effort, place);
      const content = textOf(object.get("content"), `${place}.content`);
      return (tokens) =>
        tokens.map((token) => replaceAll(token, finder, content, effort));
    }
    case "Strip": {
      const content = textOf(object.get("content"), `${place}.content`);
      const start = countOf(object.get("start"), `${place}.start`);
      const stop = countOf(object.get("stop"), `${place}.stop`);
      return (tokens) =>
        tokens.map((token) => stripped(token, content, start, stop));
    }
  }
  throw new SyntaxError(
    `${place} is of the kind ${quote(type)}, which is not known`,
  );
}

function bytesOf(tokens: readonly string[]): string {
  const bytes = tokens.flatMap((token) => Array.from(charactersToBytes(token)));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    Uint8Array.from(bytes),
  );
}

/** Bytes beside each other are a text; where they are none, each is U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      pieces.push(
        new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
          Uint8Array.from(bytes),
        ),
      );
    } catch {
      pieces.push("\ufffd".repeat(bytes.length));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const digits = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (digits !== undefined) {
      bytes.push(parseInt(digits, 16));
      continue;
    }
    flush();
    pieces.push(token);
  }
  flush();
  return pieces;
}

function wordPiece(prefix: string, clean: boolean): Decoder {
  return (tokens) =>
    tokens.map((token, i) => {
      const spaced = i === 0
        ? token
        : token.startsWith(prefix)
        ? token.slice(prefix.length)
        : ` ${token}`;
      return clean ? cleaned(spaced) : spaced;
    });
}

const CLEANED: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** A text without the spaces before English punctuation. */
function cleaned(text: string): string {
  return CLEANED.reduce((done, [from, to]) => done.replaceAll(from, to), text);
}

function stripped(
  token: string,
  content: string,
  start: number,
  stop: number,
): string {
  const characters = Array.from(token);
  let from = 0, to = characters.length;
  while (from < to && from < start && characters[from] === content) from++;
  while (
    to > from && characters.length - to < stop && characters[to - 1] === content
  ) to--;
  return characters.slice(from, to).join("");
}
