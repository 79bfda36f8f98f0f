/**
 * The tags of an XML document, as far as files of models have them: no document type,
 * and so no entities but the five that every document has.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { XML_ATTRIBUTES, XML_DEPTH } from "./limits.ts";

/** A tag that opens an element, or the end of one. */
export interface Tag {
  /** Whether the element starts here; otherwise it ends. */
  readonly opens: boolean;
  /** The names of the elements around it, from the outermost on, its own at the end. */
  readonly path: readonly string[];
  /** Its attributes; none where it ends. */
  readonly attributes: ReadonlyMap<string, string>;
}

const NAME = /[A-Za-z_:][\w:.-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const END = /\s*(\/?)>/y;
const ENTITY = /&([^;]{0,10};?)/g;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["lt;", "<"],
  ["gt;", ">"],
  ["amp;", "&"],
  ["quot;", '"'],
  ["apos;", "'"],
]);

/** What stands between tags, and where it ends. */
const PASSED: readonly (readonly [start: string, end: string])[] = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
];

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The tags of a document in order; an element without content opens and ends.
 *
 * @param text The document.
 * @returns The tags. The path of each holds until the next one.
 * @throws {SyntaxError} If it is no XML.
 * @throws {RangeError} If it goes beyond a limit.
 */
export function* tagsOf(text: string): Generator<Tag, void> {
  const path: string[] = [];
  for (let at = text.indexOf("<"); at >= 0; at = text.indexOf("<", at)) {
    const passed = PASSED.find(([start]) => text.startsWith(start, at));
    if (passed) {
      const end = text.indexOf(passed[1], at + passed[0].length);
      if (end < 0) throw new SyntaxError(`${where(at)} nothing ends`);
      at = end + passed[1].length;
    } else if (text[at + 1] === "/") {
      const name = match(NAME, text, at + 2);
      const end = match(END, text, NAME.lastIndex);
      if (name[0] !== path.at(-1) || end[1] !== "") {
        throw new SyntaxError(
          `${where(at)} ${quote(name[0])} ends, but ${
            path.length === 0 ? "nothing" : quote(path.at(-1)!)
          } is open`,
        );
      }
      yield { opens: false, path, attributes: NONE };
      path.pop();
      at = END.lastIndex;
    } else {
      const [name] = match(NAME, text, at + 1);
      const attributes = attributesOf(text, NAME.lastIndex);
      const [, empty] = match(END, text, attributes.end);
      at = END.lastIndex;
      if (path.length === XML_DEPTH) {
        throw new RangeError(
          `its elements are nested deeper than ${XML_DEPTH}, the limit`,
        );
      }
      path.push(name);
      yield { opens: true, path, attributes: attributes.all };
      if (!empty) continue;
      yield { opens: false, path, attributes: NONE };
      path.pop();
    }
  }
  if (path.length > 0) {
    throw new SyntaxError(`it ends within ${quote(path.at(-1)!)}`);
  }
}

function where(at: number): string {
  return `at character ${at}`;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (found) return found;
  throw new SyntaxError(`${where(at)} it is no XML`);
}

function attributesOf(
  text: string,
  start: number,
): { all: ReadonlyMap<string, string>; end: number } {
  const all = new Map<string, string>();
  let end = start;
  for (;;) {
    ATTRIBUTE.lastIndex = end;
    const found = ATTRIBUTE.exec(text);
    if (!found) return { all, end };
    const [, name, double, single] = found;
    if (all.has(name) || all.size === XML_ATTRIBUTES) {
      throw new SyntaxError(
        all.has(name)
          ? `${where(end)} an element has ${quote(name)} twice`
          : `${
            where(end)
          } an element has more than ${XML_ATTRIBUTES} attributes`,
      );
    }
    all.set(name, plain(double ?? single));
    end = ATTRIBUTE.lastIndex;
  }
}

/** The characters that a text stands for. */
function plain(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(ENTITY, (_, entity: string) => {
    const named = ENTITIES.get(entity);
    if (named !== undefined) return named;
    const digits = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));$/i.exec(entity);
    const point = digits
      ? parseInt(digits[1] ?? digits[2], digits[1] ? 16 : 10)
      : Infinity;
    if (point <= 0x10ffff) return String.fromCodePoint(point);
    throw new SyntaxError(`it has an unknown entity ${quote("&" + entity)}`);
  });
}
