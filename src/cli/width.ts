/**
 * How wide text is on a terminal.
 *
 * @module
 */

/** Marks that go with the character before them, and format characters. */
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** East Asian wide and fullwidth characters, and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/**
 * Columns that a text takes on a terminal.
 *
 * @param text One line without control characters.
 * @returns The width.
 */
export function widthOf(text: string): number {
  // Nearly all text is plain: nothing to look up.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (!ZERO.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}
