/**
 * Packs the module for npm: `deno task pack [-o FILE]`.
 *
 * `deno pack` compiles and collects, and takes the entry points from the
 * `exports` of deno.json. What it leaves out is done on its opened tarball: the
 * name on npm, a command line that starts under Node, and what npm shows of a
 * package.
 *
 * @module
 */
import { basename, join } from "node:path";
import { filesUnder, sideEffectsOf } from "./side_effects.ts";

const root = new URL("..", import.meta.url);

/** What of deno.json matters here. */
interface Configuration {
  readonly name: string;
  readonly version: string;
}

/** The name on npm, where the scope is not needed. */
const npmName = "nibblewise";

/** Where the sources are; npm's provenance holds only if it is the repository that publishes. */
const repository = "https://github.com/nibblewise/nibblewise";

/** What package.json says beyond what `deno pack` knows. */
const manifestFields = {
  description:
    "4-bit quantization, bit-exact with the reference implementations",
  keywords: [
    "quantization",
    "int4",
    "4-bit",
    "gguf",
    "ggml",
    "safetensors",
    "mxfp4",
    "nvfp4",
    "webassembly",
    "cli",
  ],
  author: "the nibblewise authors",
  repository: { type: "git", url: `git+${repository}.git` },
  homepage: `${repository}#readme`,
  bugs: `${repository}/issues`,
  bin: { [npmName]: "cli.js" },
  engines: { node: ">=20" },
};

async function command(
  name: string,
  args: readonly string[],
  cwd: URL | string = root,
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(
    `${basename(name)} ${args.join(" ")} failed:\n${decoder.decode(stdout)}${
      decoder.decode(stderr)
    }`,
  );
}

/**
 * Names the package in examples and messages as npm does, and gives a name to
 * parameters that the sources take apart: `deno pack` declares them as
 * `{}?: Options`, which TypeScript refuses before 5.1.
 */
async function mend(path: string, scopedName: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  let mended = text.replaceAll(`"${scopedName}`, `"${npmName}`);
  if (path.endsWith(".d.ts")) {
    mended = mended.replaceAll(/(?<=[(,]\s*)\{\}(?=\??:)/g, "options");
  }
  if (mended !== text) await Deno.writeTextFile(path, mended);
}

/** Lets Node start the command line, where the sources name Deno. */
async function startWithNode(folder: string): Promise<void> {
  const shebang = /^#!.*\n/;
  const program = join(folder, "cli.js");
  const text = await Deno.readTextFile(program);
  await Deno.writeTextFile(
    program,
    `#!/usr/bin/env node\n${text.replace(shebang, "")}`,
  );
  // The program exports nothing, but `import "nibblewise/cli"` has to find a module.
  await Deno.writeTextFile(join(folder, "cli.d.ts"), "export {};\n");
}

/** Turns the unpacked folder into what npm, Node and TypeScript expect. */
async function finish(
  folder: string,
  { name }: Configuration,
): Promise<void> {
  for await (const path of filesUnder(folder)) {
    if (/\.(js|d\.ts|md)$/.test(path)) await mend(path, name);
  }
  await startWithNode(folder);
  const manifestPath = join(folder, "package.json");
  const manifest = JSON.parse(await Deno.readTextFile(manifestPath));
  // All other modules may be dropped where nothing of them is used.
  const sideEffects = await sideEffectsOf(folder, ".js");
  await Deno.writeTextFile(
    manifestPath,
    JSON.stringify(
      { ...manifest, name: npmName, ...manifestFields, sideEffects },
      undefined,
      2,
    ) + "\n",
  );
}

/** Packs into `output` and returns its path. */
async function pack(output?: string): Promise<string> {
  const configuration: Configuration = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", root)),
  );
  const path = output ?? `${npmName}-${configuration.version}.tgz`;
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-pack-" });
  try {
    const raw = join(folder, "raw.tgz");
    await command(Deno.execPath(), [
      "pack",
      "--allow-dirty",
      "--no-source-maps",
      "-o",
      raw,
    ]);
    // Relative names keep a drive letter's colon from being taken for a remote host by tar.
    await command("tar", ["-xzf", "raw.tgz"], folder);
    await finish(join(folder, "package"), configuration);
    await command("tar", ["-czf", "packed.tgz", "package"], folder);
    await Deno.copyFile(join(folder, "packed.tgz"), path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return path;
}

const [flag, output, ...rest] = Deno.args;
if (
  rest.length > 0 ||
  (flag !== undefined && (flag !== "-o" || output === undefined))
) {
  console.error(`usage: pack [-o FILE], not ${Deno.args.join(" ")}`);
  Deno.exit(2);
}
console.log(await pack(output));
