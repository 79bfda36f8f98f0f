/**
 * What the documents and the scripts say about versions and examples, held
 * against the one place that each is decided.
 */
import { assert, assertEquals } from "@std/assert";
import { rootUrl } from "./modules.ts";

const text = (path: string) => Deno.readTextFile(new URL(path, rootUrl));

/** Paths from the root of the files that git tracks under `places`. */
async function tracked(...places: string[]): Promise<string[]> {
  const { success, stdout } = await git("ls-files", ...places);
  assert(success);
  return new TextDecoder().decode(stdout).split("\n").filter(Boolean);
}

function git(...args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command("git", { args, cwd: rootUrl }).output();
}

/** Deno by a version, or by what a shell puts there. */
const mention = /\bdeno@("?\$\([^)]*\)|[\w.^~-]+)/g;

Deno.test("one version of Deno is named everywhere, and scripts read it where it is pinned", async () => {
  const pin = (await text(".deno-version")).trim();
  assert(/^\d+\.\d+\.\d+$/.test(pin), pin);
  const documents = await tracked("*.md");
  const scripts = await tracked(".ci", ".github");
  for (
    const [paths, version] of [
      [documents, pin],
      [scripts, "$(cat .deno-version)"],
    ] as const
  ) {
    const found: string[] = [];
    for (const path of paths) {
      for (const [, said] of (await text(path)).matchAll(mention)) {
        found.push(said);
        assertEquals(said, version, path);
      }
    }
    assert(found.length > 1, "no mention is found");
  }
});

Deno.test("the lock file is tracked, not ignored, and frozen", async () => {
  assertEquals(await tracked("deno.lock"), ["deno.lock"]);
  const ignored = async (path: string) =>
    (await git("check-ignore", "--no-index", "-q", path)).code === 0;
  assertEquals(await ignored("deno.lock"), false);
  assertEquals(await ignored("node_modules/package.json"), true);
  assertEquals(JSON.parse(await text("deno.json")).lock, { frozen: true });
});

Deno.test("no example in a document is hidden from the tests", async () => {
  let examples = 0;
  for (const path of await tracked("*.md")) {
    for (
      const [fence] of (await text(path)).matchAll(
        /^```(?:ts|js|typescript|javascript)\b.*$/gm,
      )
    ) {
      assertEquals(fence, "```ts", path);
      examples++;
    }
  }
  assert(examples > 0);
});
