/**
 * Patterns that say where a text is parted or replaced: a text, or a regular expression.
 *
 * @module
 */
import type { Json } from "../../files/json.ts";
import type { Effort } from "./effort.ts";
import { objectOf, textOf } from "./fields.ts";
import { compilePattern, type Finder } from "./pattern.ts";

export type { Finder } from "./pattern.ts";

/**
 * Reads a pattern.
 *
 * @param json `{"String": …}` or `{"Regex": …}`.
 * @param effort What finding takes from.
 * @param place Where it stands, for messages.
 * @returns What finds it.
 * @throws {SyntaxError} If it is no pattern, or a regular expression that is not understood.
 */
export function readFinder(
  json: Json | undefined,
  effort: Effort,
  place: string,
): Finder {
  const object = objectOf(json, `${place}.pattern`);
  if (object.has("Regex")) {
    const source = textOf(object.get("Regex"), `${place}.pattern.Regex`);
    return compilePattern(source, effort);
  }
  const wanted = textOf(object.get("String"), `${place}.pattern.String`);
  return (text) => {
    effort.spend(text.length + 1);
    const found: [number, number][] = [];
    if (wanted === "") return found;
    for (let at = text.indexOf(wanted); at >= 0;) {
      found.push([at, at + wanted.length]);
      at = text.indexOf(wanted, at + wanted.length);
    }
    return found;
  };
}
