/**
 * Regular expressions of `tokenizer.json`, in Oniguruma's dialect: what they mean.
 *
 * A checked subset is understood; anything else is refused by name.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";

/** Whether a character belongs to a set. */
export type Matches = (character: string) => boolean;

/** A part of a regular expression. */
export type Node =
  | { readonly kind: "set"; readonly matches: Matches }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly ways: readonly Node[] }
  | {
    readonly kind: "repeat";
    readonly part: Node;
    readonly least: number;
    readonly most: number;
    readonly taking: "greedy" | "lazy" | "possessive";
  }
  | {
    readonly kind: "look";
    readonly part: Node;
    readonly behind: boolean;
    readonly wanted: boolean;
  }
  | {
    readonly kind: "place";
    readonly at: "start" | "end" | "line" | "lineEnd";
  };

/** Characters of a pattern; the longest of real tokenizers have some thousand. */
const PATTERN_CHARACTERS = 65_536;
/** Groups within groups. */
const PATTERN_DEPTH = 32;
/** The highest count in braces. */
const MOST_REPEATS = 1000;

const CATEGORY =
  /^(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)$/;
const SCRIPTS =
  /^(?:Han|Hiragana|Katakana|Hangul|Latin|Greek|Cyrillic|Arabic|Hebrew|Thai|Lao|Khmer|Myanmar|Devanagari|Bengali|Tamil|Telugu|Kannada|Malayalam|Gujarati|Gurmukhi|Oriya|Sinhala|Tibetan|Ethiopic|Georgian|Armenian|Mongolian|Common|Inherited)$/;
const LONG_NAMES: ReadonlyMap<string, string> = new Map([
  ["Letter", "L"],
  ["Mark", "M"],
  ["Number", "N"],
  ["Punctuation", "P"],
  ["Symbol", "S"],
  ["Separator", "Z"],
  ["Other", "C"],
]);

const space: Matches = (c) => /^\p{White_Space}$/u.test(c);
const digit: Matches = (c) => /^\p{Nd}$/u.test(c);
const word: Matches = (c) => /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(c);
const not = (set: Matches): Matches => (c) => !set(c);
const oneOf = (sets: readonly Matches[]): Matches => (c) =>
  sets.some((set) => set(c));

const CLASSES: ReadonlyMap<string, Matches> = new Map([
  ["s", space],
  ["S", not(space)],
  ["d", digit],
  ["D", not(digit)],
  ["w", word],
  ["W", not(word)],
]);
const CONTROLS: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["f", "\f"],
  ["v", "\v"],
]);

/** A character without its case, as far as one other character has it too. */
function folded(character: string): string {
  const upper = character.toUpperCase();
  const lower = (upper.length === character.length ? upper : character)
    .toLowerCase();
  return lower.length === character.length ? lower : character;
}

/**
 * Reads a regular expression.
 *
 * @param source The expression.
 * @returns What it means.
 * @throws {SyntaxError} If it is not understood; the message shows where.
 */
export function parsePattern(source: string): Node {
  if (source.length > PATTERN_CHARACTERS) {
    throw new RangeError(
      `a regular expression has ${source.length} characters; at most ${PATTERN_CHARACTERS} are read`,
    );
  }
  return new Parser(source).whole();
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
  }

  #fail(reason: string): never {
    const source = this.#characters.join("");
    throw new SyntaxError(
      `the regular expression ${
        quote(source)
      } is not understood: ${reason} at character ${this.#at}`,
    );
  }

  #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #skip(text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      if (this.#characters[this.#at + i] !== text[i]) return false;
    }
    this.#at += text.length;
    return true;
  }

  #take(): string {
    const character = this.#next();
    if (character === undefined) this.#fail("it ends too early");
    this.#at++;
    return character;
  }

  whole(): Node {
    const node = this.#choice(false);
    if (this.#next() !== undefined) this.#fail("a ) closes nothing");
    return node;
  }

  #choice(anyCase: boolean): Node {
    if (++this.#depth > PATTERN_DEPTH) {
      this.#fail(`groups are nested deeper than ${PATTERN_DEPTH}`);
    }
    const ways: Node[] = [];
    do ways.push(this.#sequence(anyCase)); while (this.#skip("|"));
    this.#depth--;
    return ways.length === 1 ? ways[0] : { kind: "choice", ways };
  }

  #sequence(anyCase: boolean): Node {
    const parts: Node[] = [];
    for (;;) {
      const next = this.#next();
      if (next === undefined || next === "|" || next === ")") break;
      if (this.#skip("(?i)")) {
        // From here on, to the end of the group, its other ways included.
        parts.push(this.#choice(true));
        break;
      }
      parts.push(this.#repeats(this.#atom(anyCase)));
    }
    return { kind: "sequence", parts };
  }

  /** What follows a part: how often it comes. */
  #repeats(part: Node): Node {
    let node = part;
    for (;;) {
      const range = this.#range();
      if (range === undefined) return node;
      const [least, most, braces] = range;
      // After braces a plus repeats once more; it takes what it has for good after the other signs only.
      const taking = this.#skip("?")
        ? "lazy"
        : !braces && this.#skip("+")
        ? "possessive"
        : "greedy";
      node = { kind: "repeat", part: node, least, most, taking };
    }
  }

  #range(): [least: number, most: number, braces: boolean] | undefined {
    if (this.#skip("*")) return [0, Infinity, false];
    if (this.#skip("+")) return [1, Infinity, false];
    if (this.#skip("?")) return [0, 1, false];
    if (this.#next() !== "{") return undefined;
    let end = this.#at;
    while (end < this.#at + 16 && this.#characters[end] !== "}") end++;
    const counts = /^\{([0-9]{0,4})(?:(,)([0-9]{0,4}))?\}$/.exec(
      this.#characters.slice(this.#at, end + 1).join(""),
    );
    if (counts === null || counts[1] === "" && !counts[3]) {
      this.#fail("a { is no count");
    }
    const least = Number(counts[1]);
    const most = counts[2] === undefined
      ? least
      : counts[3]
      ? Number(counts[3])
      : Infinity;
    if (least > most || least > MOST_REPEATS) this.#fail("a count is wrong");
    this.#at = end + 1;
    return [least, most, true];
  }

  #atom(anyCase: boolean): Node {
    const character = this.#take();
    switch (character) {
      case "(":
        return this.#group(anyCase);
      case "[":
        return { kind: "set", matches: this.#class(anyCase) };
      case ".":
        return { kind: "set", matches: (c) => c !== "\n" };
      case "^":
        return { kind: "place", at: "line" };
      case "$":
        return { kind: "place", at: "lineEnd" };
      case "*":
      case "+":
      case "?":
        return this.#fail(`a ${character} repeats nothing`);
      case "\\": {
        if (this.#skip("A")) return { kind: "place", at: "start" };
        if (this.#skip("z")) return { kind: "place", at: "end" };
        const escaped = this.#escape();
        return typeof escaped === "string"
          ? literal(escaped, anyCase)
          : { kind: "set", matches: escaped };
      }
    }
    return literal(character, anyCase);
  }

  #group(anyCase: boolean): Node {
    let node: Node;
    if (this.#skip("?:")) node = this.#choice(anyCase);
    else if (this.#skip("?i:")) node = this.#choice(true);
    else if (this.#skip("?=")) node = this.#look(anyCase, false, true);
    else if (this.#skip("?!")) node = this.#look(anyCase, false, false);
    else if (this.#skip("?<=")) node = this.#look(anyCase, true, true);
    else if (this.#skip("?<!")) node = this.#look(anyCase, true, false);
    else if (this.#skip("?>")) {
      const part = this.#choice(anyCase);
      node = { kind: "repeat", part, least: 1, most: 1, taking: "possessive" };
    } else if (this.#next() === "?") this.#fail("a group of an unknown kind");
    else node = this.#choice(anyCase);
    if (!this.#skip(")")) this.#fail("a group is not closed");
    return node;
  }

  #look(anyCase: boolean, behind: boolean, wanted: boolean): Node {
    return { kind: "look", part: this.#choice(anyCase), behind, wanted };
  }

  /** What follows a backslash: a character, or a set of them. */
  #escape(): string | Matches {
    const character = this.#take();
    const set = CLASSES.get(character);
    if (set !== undefined) return set;
    const control = CONTROLS.get(character);
    if (control !== undefined) return control;
    if (character === "p" || character === "P") {
      const property = this.#property();
      return character === "P" ? not(property) : property;
    }
    if (character === "x" || character === "u") return this.#code(character);
    if (/[0-9A-Za-z]/.test(character)) {
      this.#fail(`\\${character} is not known`);
    }
    return character;
  }

  #braced(): string {
    let text = "";
    while (!this.#skip("}")) {
      text += this.#take();
      if (text.length > 64) this.#fail("a { is not closed");
    }
    return text;
  }

  #code(kind: "x" | "u"): string {
    const digits = this.#skip("{")
      ? this.#braced()
      : Array.from({ length: kind === "x" ? 2 : 4 }, () => this.#take())
        .join("");
    const code = /^[0-9A-Fa-f]{1,6}$/.test(digits) ? parseInt(digits, 16) : NaN;
    if (!(code <= 0x10ffff) || code >= 0xd800 && code <= 0xdfff) {
      this.#fail("a code is no character");
    }
    return String.fromCodePoint(code);
  }

  #property(): Matches {
    const single = !this.#skip("{");
    const text = single ? this.#take() : this.#braced();
    const negated = text.startsWith("^");
    const name = LONG_NAMES.get(text) ?? (negated ? text.slice(1) : text);
    // Only names of these lists become part of an expression.
    const source = CATEGORY.test(name)
      ? name
      : SCRIPTS.test(name)
      ? `Script=${name}`
      : this.#fail(`the property ${quote(name)} is not known`);
    const expression = new RegExp(`^\\p{${source}}$`, "u");
    const property: Matches = (c) => expression.test(c);
    return negated ? not(property) : property;
  }

  /** A class in brackets, from behind its first bracket. */
  #class(anyCase: boolean): Matches {
    if (++this.#depth > PATTERN_DEPTH) {
      this.#fail("classes are nested too deep");
    }
    const negated = this.#skip("^");
    const sets: Matches[] = [];
    const singles = new Set<string>();
    while (!this.#skip("]")) {
      if (this.#next() === "&" && this.#characters[this.#at + 1] === "&") {
        this.#fail("&& is not known");
      }
      if (this.#next() === "[" && this.#characters[this.#at + 1] === ":") {
        this.#fail("[: is not known");
      }
      if (this.#skip("[")) {
        sets.push(this.#class(anyCase));
        continue;
      }
      const from = this.#member();
      if (typeof from !== "string") {
        sets.push(from);
        continue;
      }
      const dash = this.#next() === "-" &&
        this.#characters[this.#at + 1] !== "]";
      if (!dash) {
        singles.add(from);
        continue;
      }
      this.#at++;
      const to = this.#member();
      if (typeof to !== "string") this.#fail("a range ends in a set");
      const low = from.codePointAt(0)!, high = to.codePointAt(0)!;
      if (low > high) this.#fail("a range is empty");
      sets.push((c) => c.codePointAt(0)! >= low && c.codePointAt(0)! <= high);
    }
    this.#depth--;
    sets.push((c) => singles.has(c));
    const plain = oneOf(sets);
    const set: Matches = anyCase
      ? (c) => plain(c) || plain(folded(c)) || plain(folded(c).toUpperCase())
      : plain;
    return negated ? not(set) : set;
  }

  #member(): string | Matches {
    const character = this.#take();
    return character === "\\" ? this.#escape() : character;
  }
}

function literal(character: string, anyCase: boolean): Node {
  if (!anyCase) return { kind: "set", matches: (c) => c === character };
  const wanted = folded(character);
  return { kind: "set", matches: (c) => folded(c) === wanted };
}
