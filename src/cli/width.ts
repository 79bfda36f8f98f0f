/**
 * How wide text is on a terminal, and what of it fits.
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
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

function widthOfCharacter(character: string): number {
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The first characters of a text, no wider than `width` together. */
function head(characters: readonly string[], width: number): string[] {
  let room = width;
  const end = characters.findIndex((character) =>
    (room -= widthOfCharacter(character)) < 0
  );
  return end < 0 ? [...characters] : characters.slice(0, end);
}

/** A text that fits in `width` columns: `…` stands for its end where that does not. */
export function cutEnd(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width < 1 ? "" : head([...text], width - 1).join("") + "…";
}

/**
 * A text that fits in `width` columns: `…` stands for its middle where that
 * does not. Names of tensors differ at both of their ends.
 */
export function cutMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const characters = [...text];
  const start = head(characters, Math.ceil((width - 1) / 2)).join("");
  const left = width - 1 - widthOf(start);
  const end = head(characters.toReversed(), left).reverse().join("");
  return width < 1 ? "" : `${start}…${end}`;
}
