/**
 * Matching regular expressions of `tokenizer.json`.
 *
 * They come from a file, and are never given to the engine of the language: this one counts its
 * steps, so that an expression that backtracks without end is an error and no hang.
 *
 * @module
 */
import type { Effort } from "./effort.ts";
import { type Node, parsePattern } from "./pattern_parse.ts";

/** Where something is found in a text, in order, in UTF-16 units. */
export type Finder = (
  text: string,
) => (readonly [start: number, end: number])[];

/** Calls within calls, of which an expression may need some for each character. */
const MATCH_DEPTH = 2000;

/** What comes after a part: takes the place behind it, and says whether the rest matches. */
type Rest = (at: number) => boolean;

/**
 * Makes a finder of a regular expression.
 *
 * @param source The expression.
 * @param effort What finding takes from.
 * @returns The finder.
 * @throws {SyntaxError} If it is not understood.
 */
export function compilePattern(source: string, effort: Effort): Finder {
  const node = parsePattern(source);
  return (text) => {
    const characters = Array.from(text);
    const matcher = new Matcher(characters, effort);
    const offsets = offsetsOf(characters);
    const found: [number, number][] = [];
    for (let at = 0; at < characters.length;) {
      const end = matcher.end(node, at);
      // What is empty parts nothing.
      if (end !== undefined && end > at) {
        found.push([offsets[at], offsets[end]]);
        at = end;
      } else at++;
    }
    return found;
  };
}

/** Where characters start, in UTF-16 units. */
function offsetsOf(characters: readonly string[]): number[] {
  const offsets = [0];
  for (const { length } of characters) offsets.push(offsets.at(-1)! + length);
  return offsets;
}

class Matcher {
  readonly #text: readonly string[];
  readonly #effort: Effort;
  #depth = 0;

  constructor(text: readonly string[], effort: Effort) {
    this.#text = text;
    this.#effort = effort;
  }

  /** Where the first match that starts at a place ends. */
  end(node: Node, start: number): number | undefined {
    let end: number | undefined;
    this.#match(node, start, (at) => {
      end = at;
      return true;
    });
    return end;
  }

  #match(node: Node, at: number, rest: Rest): boolean {
    this.#effort.spend(1);
    if (++this.#depth > MATCH_DEPTH) {
      throw new RangeError(
        `a regular expression needs more than ${MATCH_DEPTH} calls within calls, the limit`,
      );
    }
    const matched = this.#by(node, at, rest);
    this.#depth--;
    return matched;
  }

  #by(node: Node, at: number, rest: Rest): boolean {
    switch (node.kind) {
      case "set":
        return at < this.#text.length && node.matches(this.#text[at]) &&
          rest(at + 1);
      case "sequence":
        return this.#sequence(node.parts, 0, at, rest);
      case "choice":
        return node.ways.some((way) => this.#match(way, at, rest));
      case "repeat":
        return this.#repeat(node, at, rest);
      case "look": {
        const seen = node.behind
          ? this.#endsAt(node.part, at)
          : this.end(node.part, at) !== undefined;
        return seen === node.wanted && rest(at);
      }
      case "place":
        return this.#isPlace(node.at, at) && rest(at);
    }
  }

  #isPlace(place: "start" | "end" | "line" | "lineEnd", at: number): boolean {
    const { length } = this.#text;
    switch (place) {
      case "start":
        return at === 0;
      case "end":
        return at === length;
      case "line":
        return at === 0 || at < length && this.#text[at - 1] === "\n";
      case "lineEnd":
        return at === length || this.#text[at] === "\n";
    }
  }

  #endsAt(node: Node, end: number): boolean {
    for (let start = end; start >= 0; start--) {
      if (this.#match(node, start, (at) => at === end)) return true;
    }
    return false;
  }

  #sequence(
    parts: readonly Node[],
    index: number,
    at: number,
    rest: Rest,
  ): boolean {
    if (index === parts.length) return rest(at);
    return this.#match(
      parts[index],
      at,
      (next) => this.#sequence(parts, index + 1, next, rest),
    );
  }

  #repeat(
    node: Extract<Node, { kind: "repeat" }>,
    at: number,
    rest: Rest,
  ): boolean {
    if (node.part.kind === "set") return this.#repeatSet(node, at, rest);
    if (node.taking === "possessive") {
      const greedy = { ...node, taking: "greedy" } as const;
      const end = this.end(greedy, at);
      return end !== undefined && rest(end);
    }
    const more = (count: number, from: number): boolean => {
      const again = () =>
        count < node.most &&
        this.#match(
          node.part,
          from,
          // What takes nothing would be repeated forever.
          (next) =>
            next > from || count < node.least ? more(count + 1, next) : false,
        );
      const enough = () => count >= node.least && rest(from);
      return node.taking === "greedy"
        ? again() || enough()
        : enough() || again();
    };
    return more(0, at);
  }

  /** Single characters need no call for each of them. */
  #repeatSet(
    { part, least, most, taking }: Extract<Node, { kind: "repeat" }>,
    at: number,
    rest: Rest,
  ): boolean {
    const { matches } = part as Extract<Node, { kind: "set" }>;
    let count = 0;
    const another = () => {
      if (count >= most || at + count >= this.#text.length) return false;
      this.#effort.spend(1);
      if (!matches(this.#text[at + count])) return false;
      count++;
      return true;
    };
    if (taking === "lazy") {
      while (count < least) if (!another()) return false;
      do if (rest(at + count)) return true; while (another());
      return false;
    }
    while (another()) { /* as many as there are */ }
    if (count < least) return false;
    if (taking === "possessive") return rest(at + count);
    for (; count >= least; count--) {
      this.#effort.spend(1);
      if (rest(at + count)) return true;
    }
    return false;
  }
}
