/**
 * The modules of the project and what they import, for the tests that hold
 * the structure to its rules.
 *
 * @module
 */

/** The root of the checkout, as a URL that ends in a slash. */
export const rootUrl = new URL("../", import.meta.url);

/** A module of this project. */
export interface Module {
  /** Path from the root: `src/formats/int4.ts`. */
  readonly path: string;
  /** What it imports, types included: paths from the root, or specifiers of other packages as written. */
  readonly imports: readonly string[];
}

interface Resolved {
  readonly specifier?: string;
}

/** The parts of `deno info --json` that are read here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: Resolved;
      readonly type?: Resolved;
    }[];
  }[];
}

/** Everything that is reachable from `entry` (a path from the root), by path. */
export async function reachable(entry: string): Promise<Map<string, Module>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: rootUrl,
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`deno info ${entry} failed: ${decoder.decode(stderr)}`);
  }
  const info: Info = JSON.parse(decoder.decode(stdout));
  const modules = new Map<string, Module>();
  for (const { specifier, error, dependencies = [] } of info.modules) {
    if (error !== undefined) throw new Error(`${specifier}: ${error}`);
    // The ambient declarations that deno.json adds to every program are nobody's import.
    if (!specifier.startsWith(rootUrl.href) || specifier.endsWith(".d.ts")) {
      continue;
    }
    const path = specifier.slice(rootUrl.href.length);
    const imports = dependencies.map((dependency) => {
      const target = (dependency.code ?? dependency.type)?.specifier;
      return target?.startsWith(rootUrl.href)
        ? target.slice(rootUrl.href.length)
        : dependency.specifier;
    });
    modules.set(path, { path, imports });
  }
  return modules;
}

/** Paths from the root of all files under a folder that end in `.ts`. */
export async function sourcesUnder(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(new URL(`${folder}/`, rootUrl))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) paths.push(...await sourcesUnder(path));
    else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) paths.push(path);
  }
  return paths.sort();
}
