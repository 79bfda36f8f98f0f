/**
 * "Did you mean …?"
 *
 * @module
 */

/** How many letters to insert, delete or replace to get from `a` to `b`. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, replaced));
    }
    row = next;
  }
  return row[b.length];
}

/** Longest word that is compared: the time grows with the square of it. */
const LONGEST_WORD = 200;
/** Most words that are compared. */
const MOST_WORDS = 2000;

/**
 * The known word that is most like `word`.
 *
 * @param word What was given.
 * @param known What there is.
 * @returns A word that is alike, or undefined.
 */
export function closest(
  word: string,
  known: Iterable<string>,
): string | undefined {
  const given = word.toLowerCase().slice(0, LONGEST_WORD);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(given.length / 3)) + 1;
  let compared = 0;
  for (const candidate of known) {
    if (candidate.length > LONGEST_WORD || compared++ >= MOST_WORDS) continue;
    const distance = editDistance(given, candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The end of a message about an unknown word.
 *
 * @param word What was given.
 * @param known What there is.
 * @param all What to say where nothing is alike.
 * @returns `did you mean "…"?` or `all`.
 */
export function didYouMean(
  word: string,
  known: Iterable<string>,
  all: string,
): string {
  const best = closest(word, known);
  return best === undefined ? all : `did you mean ${best}?`;
}
