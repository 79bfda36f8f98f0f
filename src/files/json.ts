/**
 * JSON read strictly: a key that comes twice is an error where `JSON.parse`
 * keeps the last, objects are Maps, so that `__proto__` is a key like any
 * other, and depth is limited.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { JSON_DEPTH, JSON_VALUES } from "./limits.ts";

/** What JSON text can hold; objects as Maps in the order of the text. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. */
export type JsonObject = Map<string, Json>;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** The longest number that anyone writes; longer ones are an attack on BigInt-like parsers. */
const NUMBER_CHARACTERS = 32;
const LITERALS: readonly [string, Json][] = [["true", true], ["false", false], [
  "null",
  null,
]];

/**
 * Parses JSON text; white space may follow it, nothing else.
 *
 * @param text The text.
 * @param toNumber Makes a value from the characters of a number; throws a RangeError to refuse it.
 * @returns The value.
 * @throws {SyntaxError} If it is no JSON, has a duplicate key, a lone
 * surrogate, or is nested too deeply. The message names the character.
 */
export function parseJson(
  text: string,
  toNumber: (literal: string) => number = Number,
): Json {
  const parser = new Parser(text, toNumber);
  const value = parser.value(0);
  parser.space();
  if (!parser.atEnd()) parser.fail("something follows the value");
  return value;
}

/** How to read an object field by field. */
export interface FieldRules {
  /** How many values a field may have at most, counting all that are nested in it. */
  limitOf(key: string): number;
  /** Takes a field once it is read; what it throws ends the reading. */
  take(key: string, value: Json): void;
  /** Makes a value from the characters of a number; throws a RangeError to refuse it. */
  toNumber?(literal: string): number;
}

/**
 * Parses JSON text that is one object, and hands out its fields one by one:
 * what is wrong with the first is known before there are millions of them.
 *
 * @param text The text.
 * @param rules What to do with the fields.
 * @throws {SyntaxError} As {@linkcode parseJson} does, or if the text is no object.
 */
export function parseFields(text: string, rules: FieldRules): void {
  const parser = new Parser(text, rules.toNumber ?? Number);
  parser.space();
  const seen = new Set<string>();
  parser.fields(
    (key) => {
      if (seen.has(key)) parser.failTwice(key);
      seen.add(key);
      return parser.valueWithin(rules.limitOf(key));
    },
    rules.take,
  );
  parser.space();
  if (!parser.atEnd()) parser.fail("something follows the value");
}

class Parser {
  readonly #text: string;
  readonly #toNumber: (literal: string) => number;
  #at = 0;
  #values = 0;
  #limit = JSON_VALUES;

  constructor(text: string, toNumber: (literal: string) => number) {
    this.#text = text;
    this.#toNumber = toNumber;
  }

  failTwice(key: string): never {
    this.fail(`the key ${quote(key)} comes twice, again before`);
  }

  fail(reason: string): never {
    throw new SyntaxError(`${reason} at character ${this.#at} of the JSON`);
  }

  atEnd(): boolean {
    return this.#at === this.#text.length;
  }

  space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) {
        return;
      }
      this.#at++;
    }
  }

  /** A field of the outermost object, with a limit of its own. */
  valueWithin(limit: number): Json {
    this.#values = 0;
    this.#limit = limit;
    return this.value(1);
  }

  value(depth: number): Json {
    if (depth > JSON_DEPTH) this.fail(`nesting deeper than ${JSON_DEPTH}`);
    if (++this.#values > this.#limit) {
      this.fail(`more than ${this.#limit} values`);
    }
    this.space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
    }
    for (const [literal, value] of LITERALS) {
      if (this.#text.startsWith(literal, this.#at)) {
        this.#at += literal.length;
        return value;
      }
    }
    return this.#number();
  }

  /** Steps over `character` if it comes next. */
  #skip(character: string): boolean {
    this.space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map();
    this.fields(
      (key) => {
        if (object.has(key)) this.failTwice(key);
        return this.value(depth + 1);
      },
      (key, value) => void object.set(key, value),
    );
    return object;
  }

  /** The fields of the object that comes next: `read` gives the value of a key, `take` gets both. */
  fields(
    read: (key: string) => Json,
    take: (key: string, value: Json) => void,
  ): void {
    if (!this.#skip("{")) this.fail("expected an object");
    if (this.#skip("}")) return;
    do {
      this.space();
      if (this.#text[this.#at] !== '"') {
        this.fail("expected a key in double quotes");
      }
      const key = this.#string();
      if (!this.#skip(":")) this.fail("expected a colon");
      take(key, read(key));
    } while (this.#skip(","));
    if (!this.#skip("}")) this.fail("expected a comma or }");
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#at++;
    if (this.#skip("]")) return array;
    do array.push(this.value(depth + 1)); while (this.#skip(","));
    if (!this.#skip("]")) this.fail("expected a comma or ]");
    return array;
  }

  #string(): string {
    const start = this.#at++;
    let escaped = false;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) break;
      // NaN at the end of the text fails this comparison too.
      if (!(code >= 0x20)) {
        this.fail("a string is not closed or has a control character");
      }
      if (code === 0x5c) {
        escaped = true;
        this.#at++;
      }
      this.#at++;
    }
    this.#at++;
    return escaped
      ? this.#unescape(start)
      : this.#text.slice(start + 1, this.#at - 1);
  }

  #unescape(start: number): string {
    let string: string;
    try {
      string = JSON.parse(this.#text.slice(start, this.#at));
    } catch {
      this.fail("a string has an unknown escape before");
    }
    if (!string.isWellFormed()) {
      this.fail("a string has half a surrogate pair before");
    }
    return string;
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (literal === undefined) this.fail("expected a value");
    if (literal.length > NUMBER_CHARACTERS) this.fail("a number is too long");
    try {
      const number = this.#toNumber(literal);
      this.#at += literal.length;
      return number;
    } catch (error) {
      return this.fail((error as Error).message);
    }
  }
}
