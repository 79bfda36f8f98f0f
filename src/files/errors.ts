/**
 * What went wrong with a file, in one line: what failed, where, and why.
 *
 * @module
 */

/** Longest text of a file (a tensor's name, a value) that a message repeats. */
const SHOWN_CHARACTERS = 120;

/** Controls, format characters (bidirectional overrides), line separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Plain words for the errors that people meet. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["EACCES", "permission denied"],
  ["EBUSY", "the file is in use"],
  ["EDQUOT", "the disk quota is used up"],
  ["EEXIST", "it exists already"],
  ["EFBIG", "the file grew beyond what the file system allows"],
  ["EIO", "the device reported an input/output error"],
  ["EISDIR", "it is a directory"],
  ["ELOOP", "too many symbolic links"],
  ["EMFILE", "too many files are open"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ENOENT", "no such file or directory"],
  ["ENOSPC", "no space left on the device"],
  ["ENOTDIR", "a part of its path is not a directory"],
  ["EPERM", "operation not permitted"],
  ["EPIPE", "the reader closed the pipe"],
  ["EROFS", "the file system is read-only"],
]);

/**
 * Makes text from a file fit to print: no control or direction characters, never long.
 *
 * A tensor may be named with escape sequences that rewrite a terminal.
 *
 * @param text The text.
 * @param limit How many characters to show at most.
 * @returns One line.
 */
export function printable(
  text: string,
  limit: number = SHOWN_CHARACTERS,
): string {
  // Cut first: the text may be a hundred megabytes.
  const cut = text.length > limit ? text.slice(0, limit) + "…" : text;
  return visible(cut);
}

/**
 * Spells out what a terminal would obey or hide, line ends too: `\u{1b}` for an escape.
 *
 * @param text The text, of any length.
 * @returns One line; the same where there was nothing to spell out.
 */
export function visible(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/**
 * Spells out the same characters in JSON text as JSON does, so that its values stay the same.
 *
 * @param text JSON; the line ends between its values stay.
 * @returns JSON.
 */
export function visibleJson(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (character === "\n") return character;
    const units = Array.from(
      { length: character.length },
      (_, i) => character.charCodeAt(i).toString(16).padStart(4, "0"),
    );
    return units.map((unit) => `\\u${unit}`).join("");
  });
}

/**
 * A name from a file in double quotes, safe to print.
 *
 * @param name The name.
 * @returns The quoted name.
 */
export function quote(name: string): string {
  return `"${printable(name)}"`;
}

/** The code of a system error, such as `ENOENT`; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/**
 * An error of one line from an error of the system, which becomes its cause.
 *
 * @param failed What failed and where: `Cannot read model.safetensors`.
 * @param error What the system threw.
 * @returns The error to throw.
 */
export function fileError(failed: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const reason = REASONS.get(errorCode(error) ?? "") ?? message.split("\n")[0];
  return new Error(`${failed}: ${reason}`, { cause: error });
}

/**
 * What is wrong with the bytes of a file, told with its name; an error of another kind stays as it is.
 *
 * @param name What the file is called.
 * @param container What it cannot be read as.
 * @param error What a reader threw.
 * @returns The error to throw.
 */
export function unreadable(
  name: string,
  container: string,
  error: unknown,
): unknown {
  const Kind = [SyntaxError, RangeError].find((one) => error instanceof one);
  if (!Kind) return error;
  const message = `Cannot read ${name} as ${container}: ${
    (error as Error).message
  }`;
  return new Kind(message, { cause: error });
}
