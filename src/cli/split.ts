/**
 * GGUF in several files: `--split-max-size`, `--split-max-tensors`.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import type { SplitLimit } from "../files/gguf_split.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { type OutputContainer, STANDARD } from "./output.ts";

/** The flags. */
export const SPLIT_FLAGS: readonly Flag[] = [
  {
    name: "split-max-size",
    takes: "N(M|G)",
    help:
      "write a .gguf as several files with at most so many bytes of tensors each: 500M, 4G",
  },
  {
    name: "split-max-tensors",
    takes: "N",
    help: "write a .gguf as several files with at most so many tensors each",
  },
];

/** As gguf-split counts. */
const UNITS: ReadonlyMap<string, number> = new Map([["M", 1e6], ["G", 1e9]]);

/**
 * What a file shall hold at most.
 *
 * @param call The call.
 * @param container What it writes.
 * @returns The limit; undefined where all goes to one file.
 * @throws {UsageError} If the flags make no sense, or the output is no GGUF in a file.
 */
export function splitLimitOf(
  call: Call,
  container: OutputContainer,
): SplitLimit | undefined {
  const given = SPLIT_FLAGS.filter(({ name }) => call.has(name));
  if (given.length === 0) return undefined;
  const [{ name, takes }] = given;
  if (given.length > 1) {
    throw new UsageError(
      `Both --${name} and --${
        given[1].name
      }: files are split by one of them, drop the other`,
    );
  }
  if (container !== "gguf" || call.get("output") === STANDARD) {
    throw new UsageError(
      `Flag --${name} is for .gguf outputs: name the output so, or drop it`,
    );
  }
  const text = call.get(name)!;
  const [, digits, unit = ""] = /^([1-9][0-9]*)([MG])?$/.exec(text) ?? [];
  const count = Number(digits) * (UNITS.get(unit) ?? 1);
  const isBytes = name === "split-max-size";
  if (Number.isSafeInteger(count) && isBytes === (unit !== "")) {
    return isBytes ? { bytes: count } : { tensors: count };
  }
  throw new UsageError(
    `Flag --${name} cannot be ${printable(text)}: it is ${takes}, such as ${
      isBytes ? "500M" : "128"
    }`,
  );
}

/** The files of an output, for programs: a path, or an array where it is split. */
export function pathsJson(
  paths: readonly string[],
): string | readonly string[] {
  return paths.length === 1 ? paths[0] : paths;
}

/** The files of an output, for people. */
export function pathsText([first, ...more]: readonly string[]): string {
  const name = first === STANDARD ? "standard output" : printable(first);
  return more.length === 0 ? name : `${name} and ${more.length} more`;
}
