/**
 * Patterns for tensor names: `*` stands for any characters, `?` for one.
 *
 * @module
 */

/**
 * Tells whether a name matches a pattern, in time that grows with the product
 * of their lengths at most.
 *
 * @param pattern `*` any characters, dots and slashes too; `?` one character; all else itself.
 * @param name The name.
 * @param ignoreCase Take large and small letters for the same.
 */
export function matches(
  pattern: string,
  name: string,
  ignoreCase = false,
): boolean {
  return ignoreCase
    ? matchesExactly(pattern.toLowerCase(), name.toLowerCase())
    : matchesExactly(pattern, name);
}

function matchesExactly(pattern: string, name: string): boolean {
  let p = 0, n = 0, star = -1, retry = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      retry = n;
    } else if (
      p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])
    ) {
      p++;
      n++;
    } else if (star >= 0) {
      // The last star takes one character more.
      p = star + 1;
      n = ++retry;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
