/**
 * What every registered format owes: a name of its own, a description, vectors
 * of its reference implementation, and figures that follow from its layout.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { formats } from "../../mod.ts";
import { rootUrl } from "../modules.ts";
import { partBytes, type PartPlan } from "../../src/words/layout.ts";

/** Paths of all files under a folder, from there on. */
async function filesUnder(folder: URL, prefix = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) {
      const inner = new URL(`${name}/`, folder);
      paths.push(...await filesUnder(inner, `${prefix}${name}/`));
    } else paths.push(prefix + name);
  }
  return paths;
}

const vectors = await filesUnder(new URL("tests/vectors/", rootUrl));
const files = new Set(
  await filesUnder(new URL("src/formats/", rootUrl)),
);

Deno.test("every file in src/formats is registered, and the other way round", () => {
  files.delete("registry.ts");
  assertEquals(
    [...files].sort(),
    [...formats.keys()].map((name) => `${name}.ts`).sort(),
  );
});

for (const [name, format] of formats) {
  Deno.test(`${name} describes itself`, () => {
    assertEquals(format.name, name);
    assert(/^[a-z][a-z0-9_]*$/.test(name));
    for (const text of [format.summary, format.source]) {
      assert(text.length > 10 && !text.includes("\n"), text);
    }
    assert(format.errorBound > 0 && format.errorBound < 1);
  });

  Deno.test(`${name} has golden vectors`, () => {
    const own = vectors.filter((path) =>
      path.startsWith(`${name}/`) || path.includes(`/${name}.`)
    );
    assert(own.length > 0, `nothing in tests/vectors is named after ${name}`);
  });

  Deno.test(`${name} takes the bits per value that it declares`, () => {
    // So many values that what is there once weighs nothing.
    const shape = [2 ** 20, 4096];
    const options = format.resolve({}, shape);
    const plans: readonly PartPlan[] = Object.values(
      format.layout(shape, options).parts,
    );
    const bits = plans.reduce((sum, plan) => sum + 8 * partBytes(plan), 0);
    assertAlmostEquals(bits / (2 ** 20 * 4096), format.bitsPerValue, 1e-3);
  });
}
