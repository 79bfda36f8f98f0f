/**
 * Finding added tokens in a text.
 *
 * @module
 */
import {
  endsWithWord,
  leadingSpace,
  startsWithWord,
  trimEnd,
} from "./characters.ts";
import type { Effort } from "./effort.ts";
import type { AddedToken } from "./vocabulary.ts";

/** A part of a text: an added token, or what lies between them. */
export type Part = { readonly id: number } | {
  readonly text: string;
  /** It starts where the whole text does. */
  readonly first: boolean;
};

interface Node {
  readonly next: Map<number, Node>;
  token?: AddedToken;
}

/** Added tokens, arranged to be found. */
export class AddedTokens {
  readonly #root: Node = { next: new Map() };
  readonly #effort: Effort;

  /**
   * Arranges tokens.
   *
   * @param tokens The tokens.
   * @param spelled How the token is spelled in the text that is searched.
   * @param effort What finding them takes from.
   */
  constructor(
    tokens: readonly AddedToken[],
    spelled: (token: AddedToken) => string,
    effort: Effort,
  ) {
    this.#effort = effort;
    for (const token of tokens) {
      const text = spelled(token);
      if (text === "") continue;
      let node = this.#root;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        let next = node.next.get(unit);
        if (next === undefined) node.next.set(unit, next = { next: new Map() });
        node = next;
      }
      // Of two that are spelled alike the first is found.
      node.token ??= token;
    }
  }

  /** The longest token that starts at a place, and its end. */
  #longest(text: string, start: number): [AddedToken, number] | undefined {
    let node: Node | undefined = this.#root;
    let found: [AddedToken, number] | undefined;
    for (let at = start; node !== undefined; at++) {
      if (node.token !== undefined) found = [node.token, at];
      if (at >= text.length) break;
      node = node.next.get(text.charCodeAt(at));
      this.#effort.spend(1);
    }
    return found;
  }

  /** Parts a text at the tokens in it. */
  split(text: string, first: boolean): Part[] {
    const parts: Part[] = [];
    let done = 0;
    const between = (end: number) => {
      if (done < end) {
        parts.push({ text: text.slice(done, end), first: first && done === 0 });
      }
    };
    for (let at = 0; at < text.length;) {
      const found = this.#longest(text, at);
      if (found === undefined) {
        at++;
        continue;
      }
      const [token, end] = found;
      const range = this.#range(text, token, at, end);
      at = end;
      if (range === undefined) continue;
      const start = Math.max(range[0], done);
      between(start);
      parts.push({ id: token.id });
      done = range[1];
    }
    between(text.length);
    return parts;
  }

  /** What a token that is found takes of the text; undefined where it may not stand. */
  #range(
    text: string,
    token: AddedToken,
    start: number,
    end: number,
  ): [start: number, end: number] | undefined {
    if (!token.singleWord && !token.leftStrip && !token.rightStrip) {
      return [start, end];
    }
    this.#effort.spend(text.length);
    const before = text.slice(0, start), behind = text.slice(end);
    if (
      token.singleWord && (endsWithWord(before) || startsWithWord(behind))
    ) return undefined;
    return [
      token.leftStrip ? trimEnd(before).length : start,
      token.rightStrip ? end + leadingSpace(behind) : end,
    ];
  }
}
