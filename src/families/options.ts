/**
 * Checks of options that all formats share.
 *
 * @module
 */

/** Throws a RangeError when an option is there that the format does not have: a typo must not pass for a default. */
export function rejectUnknownOptions(
  format: string,
  options: object,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const has = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
    throw new RangeError(`Format ${format} has no option "${name}": ${has}`);
  }
}
