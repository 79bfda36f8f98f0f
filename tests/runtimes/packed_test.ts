/**
 * The packed module, installed from its tarball into Node and Bun: the same
 * bytes, the command line where there is no Deno, and what the package says.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { sideEffectsOf } from "../../.ci/side_effects.ts";
import { assertSameFiles } from "./command_line.ts";
import {
  assertNoDeno,
  bunIn,
  install,
  packInto,
  pinned,
  programOn,
  type Project,
  withoutNpm,
} from "./project.ts";
import type { SmokeResult } from "./smoke.ts";
import {
  assertSameHashes,
  bundle,
  expectedResults,
  readmeExample,
  root,
  succeed,
} from "./workshop.ts";

/** Loads the installed module and prints what both backends compute. */
const runner = `
import * as nibblewise from "nibblewise";
import { smokeBoth } from "./smoke.js";
console.log(JSON.stringify(smokeBoth(nibblewise)));
`;

/** Loads the installed module where WebAssembly does not exist. */
const runnerWithoutWasm = `
delete globalThis.WebAssembly;
const nibblewise = await import("nibblewise");
const { smoke } = await import("./smoke.js");
console.log(JSON.stringify([smoke(nibblewise)]));
`;

/** The entry points of the module, from the one list of them. */
const entries: string[] = Object.keys(
  JSON.parse(await Deno.readTextFile(join(root, "deno.json"))).exports,
);

async function prepare(): Promise<Project> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-packed-" });
  await bundle("tests/runtimes/smoke.ts", join(folder, "smoke.js"));
  await Deno.writeTextFile(join(folder, "run.js"), runner);
  await Deno.writeTextFile(
    join(folder, "run_without_wasm.js"),
    runnerWithoutWasm,
  );
  return await install(folder, [await packInto(folder), pinned.bun]);
}

Deno.test({ name: "the packed module", ignore: withoutNpm }, async (t) => {
  const project = await prepare();
  const { folder, env } = project;
  const expected = expectedResults();
  const options = { cwd: folder, env };
  const runtimes = { node: programOn(env.PATH, "node"), bun: bunIn(project) };
  try {
    await t.step(
      "computes the same hashes on both backends of this runtime",
      () => {
        assertEquals(expected.map((result) => result.backend), ["wasm", "js"]);
        assertSameHashes(expected[1], expected[0], "Deno");
      },
    );

    for (const [name, program] of Object.entries(runtimes)) {
      await t.step(
        `gives the same bytes under ${name}, WASM and plain JS`,
        async () => {
          const results: SmokeResult[] = JSON.parse(
            await succeed(program, ["run.js"], options),
          );
          assertEquals(results.map((result) => result.backend), ["wasm", "js"]);
          for (const result of results) {
            assertSameHashes(result, expected[0], name);
          }
        },
      );

      await t.step(
        `falls back to plain JS under ${name} without WebAssembly`,
        async () => {
          const [result]: SmokeResult[] = JSON.parse(
            await succeed(program, ["run_without_wasm.js"], options),
          );
          assertEquals(result.backend, "js");
          assertSameHashes(result, expected[0], name);
        },
      );

      await t.step(
        `writes the same files from the command line under ${name}`,
        async () => {
          await assertSameFiles(folder, name, {
            program: [program, cliOf(folder)],
            env,
          });
        },
      );
    }

    await t.step("starts where there is no Deno, by npx and bunx", async () => {
      await assertNoDeno(env);
      const version = `nibblewise ${(await manifestOf(folder)).version}\n`;
      for (
        const starter of [
          [programOn(env.PATH, "npx"), "--no-install"],
          [bunIn(project), "x", "--no-install"],
        ]
      ) {
        const [program, ...args] = [...starter, "nibblewise", "--version"];
        assertEquals(await succeed(program, args, options), version);
      }
    });

    await t.step("runs the README's example as it is pasted", async () => {
      const file = join(folder, "try.mjs");
      await Deno.writeTextFile(file, await readmeExample("Sixty seconds"));
      const starters = [
        [runtimes.node],
        [runtimes.bun],
        [Deno.execPath(), "run", "--no-prompt"],
      ];
      for (const [program, ...args] of starters) {
        const printed = await succeed(program, [...args, file], options);
        assertMatch(printed, /^[\d.]+ dB, at most [\d.]+ off, .*\n294912\n$/);
      }
    });

    await t.step("says what npm shows, and depends on nothing", async () => {
      const manifest = await manifestOf(folder);
      for (
        const field of [
          "description",
          "keywords",
          "author",
          "license",
          "repository",
          "homepage",
          "bugs",
          "engines",
          "sideEffects",
          "types",
        ]
      ) assert(manifest[field], `package.json has no ${field}`);
      for (const kind of ["", "peer", "optional", "bundled"]) {
        const field = kind ? `${kind}Dependencies` : "dependencies";
        assertEquals(manifest[field], undefined, field);
      }
      const installed = await Array.fromAsync(
        Deno.readDir(join(folder, "node_modules")),
        ({ name }) => name,
      );
      assert(!installed.includes("deno-std"), installed.join(" "));
    });

    await t.step(
      "tells bundlers which modules do something when they are loaded",
      async () => {
        const { sideEffects } = await manifestOf(folder);
        const packed = /^\.\/(mod\.ts|cli\.ts|src\/)/;
        const sources = await sideEffectsOf(root, ".ts");
        assert(sources.includes("./src/entries/core.ts"));
        assertEquals(
          sideEffects,
          sources.filter((path) => packed.test(path))
            .map((path) => path.replace(/ts$/, "js")).sort(),
        );
      },
    );

    await t.step("has every entry point of deno.json", async () => {
      const { exports } = await manifestOf(folder);
      assertEquals(Object.keys(exports), entries);
      for (const { types, default: code } of Object.values(exports)) {
        for (const path of [types, code]) {
          assert((await Deno.stat(join(packageOf(folder), path))).isFile);
        }
      }
    });

    await t.step(
      "imports nothing but its own files, and Node's own in the command line",
      async () => {
        const core = await importsFrom(join(packageOf(folder), "mod.js"));
        assertEquals(core.outside, []);
        assert(core.files > 5, `only ${core.files} modules were found`);
        const program = await importsFrom(join(packageOf(folder), "cli.js"));
        assertEquals(
          program.outside.filter((name) => !name.startsWith("node:")),
          [],
        );
        assert(program.outside.length > 0, "the pattern finds no import");
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function packageOf(folder: string): string {
  return join(folder, "node_modules", "nibblewise");
}

function cliOf(folder: string): string {
  return join(packageOf(folder), "cli.js");
}

/** What of package.json is looked at by name; the rest only has to be there, or not. */
interface Manifest {
  readonly version: string;
  readonly exports: Record<string, { types: string; default: string }>;
  readonly [field: string]: unknown;
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(
    await Deno.readTextFile(join(packageOf(folder), "package.json")),
  );
}

/** Follows the imports of a packed module: how many files it takes, and what else it names. */
async function importsFrom(
  entry: string,
): Promise<{ files: number; outside: string[] }> {
  const seen = new Set<string>(), outside = new Set<string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const text = await Deno.readTextFile(path);
    for (
      const [, from, alone] of text.matchAll(
        /^(?:import|export)\b[^;]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"/gm,
      )
    ) {
      const specifier = from ?? alone;
      if (specifier.startsWith(".")) queue.push(join(path, "..", specifier));
      else outside.add(specifier);
    }
  }
  return { files: seen.size, outside: [...outside] };
}
