/**
 * Packs the module for npm: `deno task pack [-o FILE]`.
 *
 * `deno pack` compiles and collects, but leaves the import map's names in the
 * JavaScript, where Node and Bun cannot resolve them. So its tarball is opened,
 * those names are replaced by what the map says, the npm name and the `bin`
 * are set, and it is closed again.
 *
 * @module
 */
import { basename, join } from "node:path";

const root = new URL("..", import.meta.url);

/** What of deno.json matters here. */
interface Configuration {
  readonly name: string;
  readonly version: string;
  readonly imports: Readonly<Record<string, string>>;
}

/** An entry of the import map that points to npm. */
interface Mapping {
  /** The name in the sources. */
  readonly from: string;
  /** The bare specifier that Node resolves. */
  readonly to: string;
  /** The npm package. */
  readonly dependency: string;
  /** Its exact version. */
  readonly version: string;
}

/** The name on npm, where the scope is not needed. */
const npmName = "nibblewise";

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

/** Reads `npm:name@1.2.3/path` targets out of the import map. */
function mappings(imports: Configuration["imports"]): Mapping[] {
  return Object.entries(imports).flatMap(([from, target]) => {
    const match = /^npm:((?:@[^/@]+\/)?[^/@]+)@([^/]+)(\/.*)?$/.exec(target);
    if (match === null) return [];
    const [, dependency, version, path = ""] = match;
    return [{ from, to: dependency + path, dependency, version }];
  });
}

async function* filesUnder(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) yield* filesUnder(path);
    else yield path;
  }
}

/** Rewrites one file's text: mapped names to npm's, and the scoped name to the one on npm. */
function rewrite(
  text: string,
  map: readonly Mapping[],
  scopedName: string,
): string {
  let result = text.replaceAll(`"${scopedName}"`, `"${npmName}"`).replaceAll(
    `"${scopedName}/`,
    `"${npmName}/`,
  );
  for (const { from, to } of map) {
    result = result.replaceAll(`"${from}"`, `"${to}"`);
  }
  return result;
}

/** Turns the unpacked folder into what npm, Node and TypeScript expect. */
async function finish(
  folder: string,
  configuration: Configuration,
): Promise<void> {
  const map = mappings(configuration.imports);
  const used = new Map<string, string>();
  for await (const path of filesUnder(folder)) {
    // The ambient types of the standard library serve this repository's own check only.
    if (basename(path) === "std.d.ts") {
      await Deno.remove(path);
      continue;
    }
    if (!/\.(js|d\.ts|md)$/.test(path)) continue;
    const text = await Deno.readTextFile(path);
    const rewritten = rewrite(text, map, configuration.name);
    for (const { from, dependency, version } of map) {
      if (path.endsWith(".js") && text.includes(`from "${from}"`)) {
        used.set(dependency, version);
      }
    }
    if (rewritten !== text) await Deno.writeTextFile(path, rewritten);
  }
  const manifestPath = join(folder, "package.json");
  const manifest = JSON.parse(await Deno.readTextFile(manifestPath));
  const cliPath = join(folder, "cli.js");
  const cli = await Deno.readTextFile(cliPath);
  if (!cli.startsWith("#!")) {
    await Deno.writeTextFile(cliPath, `#!/usr/bin/env node\n${cli}`);
  }
  await Deno.writeTextFile(
    manifestPath,
    JSON.stringify(
      {
        ...manifest,
        name: npmName,
        description:
          "4-bit quantization, bit-exact with the reference implementations",
        bin: { [npmName]: "./cli.js" },
        sideEffects: ["./cli.js"],
        engines: { node: ">=20" },
        dependencies: Object.fromEntries(used),
      },
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
