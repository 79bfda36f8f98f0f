/**
 * Which tensors of a file a call is about.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { matches } from "./glob.ts";
import { didYouMean } from "./suggest.ts";

/** The flags that choose tensors. */
export const SELECTION_FLAGS: readonly Flag[] = [
  {
    name: "tensors",
    takes: "GLOB",
    many: true,
    help: "only tensors whose names match: * is any text, ? one character",
  },
  {
    name: "skip",
    takes: "GLOB",
    many: true,
    help: "no tensors whose names match",
  },
  {
    name: "ignore-case",
    help: "names match patterns in large and small letters alike",
  },
];

/**
 * Tells which tensors are chosen by `--tensors` and `--skip`.
 *
 * @param call The call.
 * @param names The names of all tensors.
 * @returns The chosen names.
 * @throws {UsageError} If a pattern matches no name.
 */
export function selected(
  call: Call,
  names: readonly string[],
): ReadonlySet<string> {
  const wanted = call.all("tensors"), unwanted = call.all("skip");
  for (const pattern of wanted) checkPattern(call, "tensors", pattern, names);
  for (const pattern of unwanted) checkPattern(call, "skip", pattern, names);
  return new Set(
    names.filter((name) =>
      (wanted.length === 0 || isNamedBy(call, "tensors", name)) &&
      !isNamedBy(call, "skip", name)
    ),
  );
}

/** Whether a pattern of this flag matches a tensor. */
export function isNamedBy(
  call: Call,
  flag: "tensors" | "skip",
  name: string,
): boolean {
  const ignoreCase = call.has("ignore-case");
  return call.all(flag).some((glob) => matches(glob, name, ignoreCase));
}

/** Throws a UsageError when a pattern matches no tensor. */
export function checkPattern(
  call: Call,
  flag: string,
  pattern: string,
  names: readonly string[],
): void {
  const ignoreCase = call.has("ignore-case");
  if (names.some((name) => matches(pattern, name, ignoreCase))) return;
  const inOtherLetters = names.find((name) => matches(pattern, name, true));
  if (inOtherLetters !== undefined) {
    throw new UsageError(
      `No tensor matches --${flag} ${quote(pattern)}, but ${
        quote(inOtherLetters)
      } does with --ignore-case`,
    );
  }
  const few = names.slice(0, 5).map(quote).join(", ");
  const all = `the file has ${few}${
    names.length > 5 ? ` and ${names.length - 5} more` : ""
  }`;
  throw new UsageError(
    `No tensor matches --${flag} ${quote(pattern)}: ${
      didYouMean(pattern, names, all)
    }`,
  );
}
