// The program as a process of its own: permissions, streams, signals, full disks.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { open, readdir, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { withFolder } from "../files/temporary_folder.ts";
import { cli, npyBytes, runProgram, weightLike, writeNpy } from "./support.ts";

const weights = weightLike(64, 96);
const windows = Deno.build.os === "windows";

Deno.test("the program quantizes with no more than -RW, through pipes too", async () => {
  const input = npyBytes(weights, [64, 96]);
  const quantized = await runProgram(["quantize", "-", "-o", "-", "-q"], input);
  assertEquals([quantized.code, quantized.err], [0, ""]);
  const restored = await runProgram(
    ["dequantize", "-", "-o", "-"],
    quantized.bytes,
  );
  assertEquals(restored.code, 0);
  assertMatch(restored.err, /1 tensor dequantized/);
  const { code, out } = await runProgram(["inspect", "-"], restored.bytes);
  assertEquals(code, 0);
  assertMatch(out, /tensor +F32 +\[64, 96\]/);
});

Deno.test("exit codes reach the shell, and no error is a stack trace", async () => {
  const wrong = await runProgram(["quantize", "--frob"]);
  const failed = await runProgram(["inspect", "no-such-file.npy"]);
  assertEquals([wrong.code, failed.code], [2, 1]);
  for (const { err } of [wrong, failed]) {
    assertMatch(err, /^nibblewise: [^\n]+\n$/);
  }
});

Deno.test(
  "a folder for temporary files that is not there is an error with a subject",
  {
    ignore: windows,
  },
  async () => {
    await withFolder(async (path) => {
      await writeNpy(path("w.npy"), weights);
      const quantize = async (folder: string) => {
        const { code, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "--no-prompt", "-RW", cli, "quantize", path("w.npy")],
            ...["-o", "-", "-q"],
          ],
          env: { TMPDIR: folder },
          stdout: "null",
          stderr: "piped",
        }).output();
        return { code, err: new TextDecoder().decode(stderr) };
      };
      const gone = await quantize(path("gone"));
      assertEquals(gone.code, 1);
      assertMatch(
        gone.err,
        /^nibblewise: Cannot create a temporary file for standard output: [^\n]+\n$/,
      );
      assertEquals(await quantize(dirname(path("w.npy"))), {
        code: 0,
        err: "",
      });
    });
  },
);

Deno.test("the demo runs with no more than -RW", async () => {
  const { code, err } = await runProgram(["demo", "-q"]);
  assertEquals([code, err], [0, ""]);
});

Deno.test("a standard output that is full is a failure of one line", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights);
    const call = ["run", "--no-prompt", "-RW", cli, "quantize", path("w.npy")];
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        '"$0" "$@" > /dev/full',
        Deno.execPath(),
        ...call,
        "-o",
        "-",
      ],
    }).output();
    const err = new TextDecoder().decode(stderr);
    assertEquals(code, 1);
    assertMatch(err, /^nibblewise: Cannot write standard output: [^\n]+\n$/);
  });
});

Deno.test(
  "a report that cannot be printed does not undo an output that is written",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await withFolder(async (path) => {
      await writeNpy(path("w.npy"), weights);
      const call = async (redirect: string, ...args: string[]) => {
        const { code, stderr } = await new Deno.Command("sh", {
          args: [
            ...["-c", `"$0" "$@" ${redirect}`, Deno.execPath()],
            ...["run", "--no-prompt", "-RW", cli, ...args],
          ],
        }).output();
        return { code, err: new TextDecoder().decode(stderr) };
      };
      const output = path("q.safetensors");
      const quantize = ["quantize", path("w.npy"), "-o", output, "--force"];
      const full = await call("> /dev/full", ...quantize);
      assertEquals(full.code, 0);
      assertMatch(
        full.err,
        /the output is written, but not its report: [^\n]+\n$/,
      );
      assertEquals((await call("2> /dev/full", ...quantize)).code, 0);
      // Without an output the report is the work.
      const inspected = await call("> /dev/full", "inspect", output);
      assertEquals(inspected.code, 1);
      assertMatch(
        inspected.err,
        /^nibblewise: Cannot write standard output: [^\n]+\n$/,
      );
      assertEquals(await call("> /dev/null", "inspect", output), {
        code: 0,
        err: "",
      });
    });
  },
);

Deno.test(
  "a file that may not grow leaves no output",
  { ignore: windows },
  async () => {
    await withFolder(async (path) => {
      const many = weightLike(1024, 256);
      await writeNpy(path("w.npy"), many);
      const limited = async (blocks: string) => {
        const { code, stderr } = await new Deno.Command("sh", {
          args: [
            "-c",
            // Ignored, the signal for it becomes an error, as a full disk is one.
            `trap '' XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`,
            ...[Deno.execPath(), "run", "--no-prompt", "-RW", cli, "quantize"],
            ...[path("w.npy"), "-o", path("q.safetensors"), "-q"],
          ],
        }).output();
        return { code, err: new TextDecoder().decode(stderr) };
      };
      const small = await limited("8");
      assertEquals(small.code, 1, small.err);
      assertMatch(small.err, /^nibblewise: Cannot write [^\n]+\n$/);
      assertEquals(await readdir(dirname(path("w.npy"))), ["w.npy"]);
      assertEquals(await limited("unlimited"), { code: 0, err: "" });
    });
  },
);

type Path = (name: string) => string;

/** Work that takes seconds. */
function longCall(path: Path): string[] {
  return [
    ...[Deno.execPath(), "run", "--no-prompt", "-RW", cli, "quantize"],
    ...[path("w.f32"), "-o", path("q.safetensors"), "--group-size", "32"],
  ];
}

/** Starts work, waits until it has begun to write, and sends signals. */
async function interrupt(
  path: Path,
  signals: readonly Deno.Signal[],
  [program, ...args]: readonly string[] = longCall(path),
): Promise<Deno.CommandStatus> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const begun = async () => {
    const names = await readdir(dirname(path("w.f32")));
    const [temporary] = names.filter((name) => name.endsWith(".tmp"));
    return temporary !== undefined && (await stat(path(temporary))).size > 1e6;
  };
  await until(begun);
  for (const signal of signals) {
    child.kill(signal);
    // Time to die of the one before the next one comes.
    await new Promise((done) => setTimeout(done, 50));
  }
  return await child.status;
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !await done(); tries++) {
    assert(tries < 5000, "it does not come to pass");
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** Zeros that take no room on the disk. */
async function writeZeros(path: string): Promise<void> {
  await writeFile(path, "");
  const handle = await open(path, "r+");
  await handle.truncate(8 * 2 ** 30);
  await handle.close();
}

Deno.test(
  "a process that is stopped halfway leaves no output and the input as it was",
  {
    ignore: windows,
  },
  async () => {
    await withFolder(async (path) => {
      await writeZeros(path("w.f32"));
      const before = await stat(path("w.f32"));
      const status = await interrupt(path, ["SIGTERM"]);
      assertEquals(status.code, 143);
      assertEquals(await readdir(dirname(path("w.f32"))), ["w.f32"]);
      assertEquals((await interrupt(path, ["SIGINT"])).code, 130);
      assertEquals(await readdir(dirname(path("w.f32"))), ["w.f32"]);
      await interrupt(path, ["SIGKILL"]);
      const names = await readdir(dirname(path("w.f32")));
      assert(!names.includes("q.safetensors"), names.join());
      const after = await stat(path("w.f32"));
      assertEquals([after.size, after.mtimeMs], [before.size, before.mtimeMs]);
    });
  },
);

Deno.test("a hang-up stops what is on a terminal only, so that nohup works", {
  ignore: windows,
}, async () => {
  await withFolder(async (path) => {
    await writeZeros(path("w.f32"));
    const call = longCall(path);
    const both = ["SIGHUP", "SIGTERM"] as const;
    for (const away of [call, ["nohup", ...call]]) {
      assertEquals((await interrupt(path, both, away)).code, 143);
      assertEquals(await readdir(dirname(path("w.f32"))), ["w.f32"]);
    }
    const quoted = call.map((word) => `'${word}'`).join(" ");
    const terminal = ["script", "-qec", quoted, "/dev/null"];
    try {
      // The terminal goes away with the program that keeps it.
      await interrupt(path, ["SIGKILL"], terminal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return console.warn("script is not there: no terminal is hung up");
    }
    await until(async () =>
      (await readdir(dirname(path("w.f32")))).length === 1
    );
  });
});
