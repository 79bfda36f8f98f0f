/**
 * What the tests of other runtimes share: a folder to work in, child
 * processes, bundles, and the results to compare with.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import * as nibblewise from "../../mod.ts";
import { smokeBoth, type SmokeResult } from "./smoke.ts";

/** The root of the checkout, without a slash at the end. */
export const root = decodeURI(new URL("../..", import.meta.url).pathname)
  .replace(/\/$/, "").replace(/^\/([A-Z]:)/i, "$1");

/** How a child process ended. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function execute(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  // npm and npx are scripts on Windows and need a shell there.
  const windowsScript = Deno.build.os === "windows" && /^np[mx]$/.test(program);
  const command = windowsScript
    ? new Deno.Command("cmd", {
      args: ["/c", program, ...args],
      ...options,
      stdin: "null",
    })
    : new Deno.Command(program, { args: [...args], ...options, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Runs a program that has to succeed and returns what it printed. */
export async function succeed(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const { code, stdout, stderr } = await execute(program, args, options);
  assert(
    code === 0,
    `${program} ${args.join(" ")} exited with ${code}\n${stdout}\n${stderr}`,
  );
  return stdout;
}

/** True when a program can be started and exits with 0. */
export async function available(
  program: string,
  args: readonly string[],
): Promise<boolean> {
  try {
    return (await execute(program, args)).code === 0;
  } catch {
    return false;
  }
}

/** Bundles one module for runtimes without TypeScript. */
export async function bundle(
  entry: string,
  output: string,
  ...flags: readonly string[]
): Promise<void> {
  await succeed(Deno.execPath(), [
    "bundle",
    "--platform=browser",
    ...flags,
    "-o",
    output,
    entry,
  ], { cwd: root });
}

/** Says why a test does not run here, so that a skip is seen and not only counted. */
export function noteSkip(skipped: boolean, what: string): boolean {
  if (skipped) console.log(`note: skipped, because ${what}`);
  return skipped;
}

/** What this process computes on both backends: the results that every other runtime is held against. */
export function expectedResults(): SmokeResult[] {
  const before = nibblewise.backend();
  try {
    return smokeBoth(nibblewise);
  } finally {
    nibblewise.useBackend(before);
  }
}

/** Only the hashes of some formats and of the basic operations. */
export function only(
  { backend, hashes }: SmokeResult,
  formats: readonly string[],
): SmokeResult {
  const kept = Object.entries(hashes).filter(([name]) => {
    const [format] = name.split("/");
    return formats.includes(format) ||
      !nibblewise.formats.has(format as "int4");
  });
  return { backend, hashes: Object.fromEntries(kept) };
}

/** Fails with the first few names whose hashes differ, instead of with a wall of hashes. */
export function assertSameHashes(
  actual: SmokeResult,
  expected: SmokeResult,
  runtime: string,
): void {
  const names = Object.keys(expected.hashes);
  assert(names.length > 500, `the suite hashes only ${names.length} arrays`);
  assertEquals(
    Object.keys(actual.hashes).length,
    names.length,
    `${runtime}: another number of hashes`,
  );
  const different = names.filter((name) =>
    actual.hashes[name] !== expected.hashes[name]
  );
  assertEquals(
    different.slice(0, 5),
    [],
    `${runtime} (${actual.backend}): ${different.length} hashes differ`,
  );
}

/** The first TypeScript example of a section of the README, as a reader copies it. */
export async function readmeExample(section: string): Promise<string> {
  const text = await Deno.readTextFile(join(root, "README.md"));
  const start = text.indexOf(`\n## ${section}\n`);
  const [, code] = /^```ts\n([\s\S]*?)^```$/m.exec(text.slice(start)) ?? [];
  assert(start >= 0 && code !== undefined, `README.md: ${section}`);
  return code;
}
