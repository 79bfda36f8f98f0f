/**
 * Kinds of characters, as the `tokenizers` library tells them apart.
 *
 * @module
 */

/** Whether a character counts as white space (Unicode's White_Space). */
export function isSpace(character: string): boolean {
  return /^\p{White_Space}$/u.test(character);
}

/** Whether a character is punctuation: of ASCII what is neither letter, digit nor space, else by category. */
export function isPunctuation(character: string): boolean {
  return /^(?:[!-/:-@[-`{-~]|\p{P})$/u.test(character);
}

/** Whether a character is a number of any kind. */
export function isNumeric(character: string): boolean {
  return /^\p{N}$/u.test(character);
}

/** Whether a text starts with a letter, a mark, a digit or a connector. */
export function startsWithWord(text: string): boolean {
  return /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u.test(text);
}

/** Whether a text ends with one. */
export function endsWithWord(text: string): boolean {
  return /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u.test(text);
}

/** How much white space a text starts with, in UTF-16 units. */
export function leadingSpace(text: string): number {
  return text.length - trimStart(text).length;
}

/** A text without the white space at its start. */
export function trimStart(text: string): string {
  return text.replace(/^\p{White_Space}+/u, "");
}

/** A text without the white space at its end. */
export function trimEnd(text: string): string {
  let end = text.length;
  // A pattern that ends in $ would try every run of spaces in the text.
  while (end > 0 && isSpace(text[end - 1])) end--;
  return text.slice(0, end);
}
