/**
 * Normalizers of `tokenizer.json`: what is done to a text before it is parted.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json } from "../../files/json.ts";
import { trimEnd, trimStart } from "./characters.ts";
import type { Effort } from "./effort.ts";
import { flagOr, listOf, objectOf, textOf, typeOf } from "./fields.ts";
import { type Finder, readFinder } from "./finder.ts";

/** Changes a text. */
export type Normalizer = (text: string) => string;

const byForm = (form: string): Normalizer => (text) => text.normalize(form);

const SIMPLE: ReadonlyMap<string, Normalizer> = new Map([
  ["NFC", byForm("NFC")],
  ["NFD", byForm("NFD")],
  ["NFKC", byForm("NFKC")],
  ["NFKD", byForm("NFKD")],
  ["Lowercase", lowercase],
  ["StripAccents", (text) => text.replace(/\p{M}/gu, "")],
]);

/**
 * Reads a normalizer.
 *
 * @param json Its description; null for none.
 * @param effort What it takes from.
 * @param place Where it stands, for messages.
 * @returns The normalizer.
 * @throws {SyntaxError} If it is of a kind that is not known.
 */
export function readNormalizer(
  json: Json | undefined,
  effort: Effort,
  place = "normalizer",
): Normalizer {
  if (json === undefined || json === null) return (text) => text;
  const object = objectOf(json, place);
  const field = (name: string) => `${place}.${name}`;
  const flag = <T extends boolean | undefined>(name: string, otherwise: T) =>
    flagOr(object.get(name), field(name), otherwise);
  const type = typeOf(object, place);
  const simple = SIMPLE.get(type);
  if (simple !== undefined) return counted(simple, effort);
  switch (type) {
    case "Sequence": {
      const parts = listOf(object.get("normalizers"), field("normalizers"))
        .map((part, i) =>
          readNormalizer(part, effort, `${place}.normalizers[${i}]`)
        );
      return (text) => parts.reduce((done, part) => part(done), text);
    }
    case "Prepend": {
      const prefix = textOf(object.get("prepend"), field("prepend"));
      return counted((text) => text === "" ? "" : prefix + text, effort);
    }
    case "Strip": {
      const left = flag("strip_left", true), right = flag("strip_right", true);
      return counted((text) => {
        const started = left ? trimStart(text) : text;
        return right ? trimEnd(started) : started;
      }, effort);
    }
    case "Replace": {
      const finder = readFinder(object.get("pattern"), effort, place);
      const content = textOf(object.get("content"), field("content"));
      return (text) => replaceAll(text, finder, content, effort);
    }
    case "BertNormalizer": {
      const lower = flag("lowercase", true);
      return counted(
        bert({
          clean: flag("clean_text", true),
          chinese: flag("handle_chinese_chars", true),
          strip: flag("strip_accents", undefined) ?? lower,
          lower,
        }),
        effort,
      );
    }
  }
  throw new SyntaxError(
    `${place} is of the kind ${quote(type)}, which is not known`,
  );
}

function counted(normalizer: Normalizer, effort: Effort): Normalizer {
  return (text) => {
    effort.spend(text.length + 1);
    return normalizer(text);
  };
}

/** Each character by itself: a sigma at the end of a word is like any other. */
function lowercase(text: string): string {
  return Array.from(text, (character) => character.toLowerCase()).join("");
}

/** Puts `content` in the place of all that is found. */
export function replaceAll(
  text: string,
  finder: Finder,
  content: string,
  effort: Effort,
): string {
  let result = "", done = 0;
  for (const [start, end] of finder(text)) {
    effort.spend(content.length + 1);
    result += text.slice(done, start) + content;
    done = end;
  }
  return result + text.slice(done);
}

/** Characters that BERT's tokenizer takes for Chinese: those of CJK blocks, kana and hangul not among them. */
const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function bert(
  { clean, chinese, strip, lower }: Readonly<
    Record<"clean" | "chinese" | "strip" | "lower", boolean>
  >,
): Normalizer {
  return (text) => {
    let result = text;
    if (clean) {
      result = result
        .replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\uFFFD]/gu, "")
        .replace(/\p{White_Space}/gu, " ");
    }
    if (chinese) result = result.replace(CHINESE, " $& ");
    if (strip) result = result.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowercase(result) : result;
  };
}
