/**
 * The packed module, installed from its tarball into Node and Bun: the same
 * bytes, the command line, and the types.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { assertSameFiles } from "./command_line.ts";
import type { SmokeResult } from "./smoke.ts";
import {
  assertSameHashes,
  available,
  bundle,
  execute,
  expectedResults,
  noteSkip,
  root,
  succeed,
} from "./workshop.ts";

/** Pinned, so that a release of either cannot turn this suite red overnight. */
const developmentPackages = ["bun@1.4.5", "typescript@5.9.3"];

const withoutNpm = noteSkip(
  !(await available("npm", ["--version"])),
  "npm is not installed",
);

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

/** Strict, without the types of any runtime: the declarations have to stand on their own. */
const tsconfig = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom"],
    types: [],
  },
  files: ["consumer.ts"],
};

/** What a TypeScript user writes; it has to check against the packed declarations. */
const consumer = `
import { backend, compare, dequantize, formats, quantize, quantizeToInt4 } from "nibblewise";
const values = Float32Array.of(1, -2, 3);
const quantized = quantize(values, { format: "int4", groupSize: 32, scaleMethod: "absmax" });
const restored: Float32Array = dequantize(quantized);
const basic: { quantized: Int8Array; scale: number; zeroPoint: number } = quantizeToInt4(values);
const error: number = compare(values, restored).rmse;
const name: "wasm" | "js" = backend();
const count: number = formats.size;
console.log(basic, error, name, count);
`;

/** The installed package and how to start the runtimes in it. */
interface Installation {
  readonly folder: string;
  readonly bun: string;
}

async function install(): Promise<Installation> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-packed-" });
  await succeed(Deno.execPath(), [
    "run",
    "-A",
    ".ci/pack.ts",
    "-o",
    join(folder, "nibblewise.tgz"),
  ], { cwd: root });
  await bundle("tests/runtimes/smoke.ts", join(folder, "smoke.js"));
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module" }),
  );
  await Deno.writeTextFile(join(folder, "run.js"), runner);
  await Deno.writeTextFile(
    join(folder, "tsconfig.json"),
    JSON.stringify(tsconfig),
  );
  await Deno.writeTextFile(
    join(folder, "run_without_wasm.js"),
    runnerWithoutWasm,
  );
  await Deno.writeTextFile(join(folder, "consumer.ts"), consumer);
  await succeed("npm", [
    "install",
    "--no-audit",
    "--no-fund",
    "./nibblewise.tgz",
    ...developmentPackages,
  ], {
    cwd: folder,
  });
  // bun's package names its program the same on every system.
  return { folder, bun: join(folder, "node_modules", "bun", "bin", "bun.exe") };
}

Deno.test({ name: "the packed module", ignore: withoutNpm }, async (t) => {
  const { folder, bun } = await install();
  const expected = expectedResults();
  const options = { cwd: folder };
  const runtimes = { node: "node", bun };
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
          await assertSameFiles(folder, name, [program, cliOf(folder)]);
        },
      );
    }

    await t.step("installs a command", async () => {
      const { code } = await execute("npx", [
        "--no-install",
        "nibblewise",
        "--help",
      ], options);
      assertEquals(code, 0);
    });

    await t.step("carries declarations that TypeScript accepts", async () => {
      const tsc = join(folder, "node_modules", "typescript", "bin", "tsc");
      await succeed("node", [tsc], options);
    });

    await t.step("has a core without dependencies", async () => {
      await assertCoreStandsAlone(join(folder, "node_modules", "nibblewise"));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function cliOf(folder: string): string {
  return join(folder, "node_modules", "nibblewise", "cli.js");
}

/** Follows the imports of the packed mod.js: relative ones only. */
async function assertCoreStandsAlone(packageFolder: string): Promise<void> {
  const seen = new Set<string>();
  const queue = [join(packageFolder, "mod.js")];
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
      assert(specifier.startsWith("."), `${path} imports ${specifier}`);
      queue.push(join(path, "..", specifier));
    }
  }
  assert(seen.size > 5, `only ${seen.size} modules were found`);
}
