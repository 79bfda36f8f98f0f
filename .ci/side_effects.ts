/**
 * Which modules bundlers have to keep though nothing of them is used: what
 * package.json calls `sideEffects`.
 *
 * @module
 */
import { join, relative } from "node:path";

/** Programs: what runs them imports nothing from them. */
const programs = ["cli", "src/search/worker"];

/** An import for effect, as the formatter writes it. */
const bareImport = /^import "(\.[^"]+)";$/gm;

/** Paths of all files under a folder. */
export async function* filesUnder(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) yield* filesUnder(path);
    else yield path;
  }
}

/**
 * Finds the modules that do something when they are loaded: those that others
 * import for that, and these others, which a bundler would skip on its way to what
 * they export again.
 *
 * @param folder The package: the sources, or what was made of them.
 * @param ending Of modules: `.ts`, `.js`.
 * @returns Paths as package.json has them, in order.
 */
export async function sideEffectsOf(
  folder: string,
  ending: string,
): Promise<string[]> {
  const found = new Set(programs.map((program) => `./${program}${ending}`));
  for await (const path of filesUnder(folder)) {
    if (!path.endsWith(ending)) continue;
    const text = await Deno.readTextFile(path);
    for (const [, target] of text.matchAll(bareImport)) {
      for (const module of [path, join(path, "..", target)]) {
        found.add(`./${relative(folder, module).replaceAll("\\", "/")}`);
      }
    }
  }
  return [...found].sort();
}
