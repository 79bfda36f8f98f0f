import { assertEquals, assertRejects } from "@std/assert";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ByteSink } from "../../src/files/bytes.ts";
import { createFolder } from "../../src/files/folder_sink.ts";
import { JoinedSink } from "../../src/files/joined_sink.ts";
import { abortAll } from "../../src/files/temporary.ts";
import { withFolder } from "./temporary_folder.ts";

/** Three files of eight, eight and four bytes. */
function options(inputs: string[] = []) {
  return {
    files: ["a", "b", "c"].map((name, i) => ({ name, start: 8 * i })),
    fill: (folder: string) => writeFile(join(folder, "more"), "x"),
    inputs,
  };
}

Deno.test("createFolder: bytes of the whole go to their files, all at once", async () => {
  await withFolder(async (path) => {
    const sink = await createFolder(path("out/"), options());
    for (let at = 0; at < 20; at += 4) {
      await sink.write(at, Uint8Array.of(at, at + 1, at + 2, at + 3));
    }
    assertEquals((await readdir(path("."))).filter((n) => n === "out"), []);
    await sink.commit();
    assertEquals(await readdir(path(".")), ["out"]);
    assertEquals(
      await Promise.all(
        ["a", "b", "c", "more"].map(async (name) => [
          ...await readFile(path(`out/${name}`)),
        ]),
      ),
      [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9, 10, 11, 12, 13, 14, 15],
        [16, 17, 18, 19],
        [0x78],
      ],
    );
    await sink.abort();
    assertEquals(await readdir(path(".")), ["out"]);
  });
});

Deno.test("createFolder: nothing is left where it is aborted, or the process told to end", async () => {
  await withFolder(async (path) => {
    for (const end of [undefined, abortAll]) {
      const sink = await createFolder(path("out"), options());
      await sink.write(0, new Uint8Array(8));
      assertEquals((await readdir(path("."))).length, 1);
      end?.();
      if (end) assertEquals(await readdir(path(".")), []);
      await sink.abort();
      assertEquals(await readdir(path(".")), []);
    }
  });
});

Deno.test("createFolder: what fails in the end leaves nothing, nor what came meanwhile away", async () => {
  await withFolder(async (path) => {
    const failing = await createFolder(path("out"), {
      ...options(),
      fill: () => Promise.reject(new Error("no more room")),
    });
    await assertRejects(() => failing.commit(), Error, "no more room");
    await failing.abort();
    assertEquals(await readdir(path(".")), []);

    const sink = await createFolder(path("out"), options());
    await mkdir(path("out"));
    await writeFile(path("out/mine"), "");
    await assertRejects(() => sink.commit(), Error, "Cannot write");
    await sink.abort();
    assertEquals(await readdir(path(".")), ["out"]);
    assertEquals(await readdir(path("out")), ["mine"]);
  });
});

Deno.test("createFolder: no way leads into an input, its twin is beside it", async () => {
  await withFolder(async (path) => {
    await mkdir(path("in"));
    await symlink(path("in"), path("link"));
    for (const target of ["in", "in/q", "link/q"]) {
      await assertRejects(
        () => createFolder(path(target), options([path("in")])),
        Error,
        "it is in the input",
      );
    }
    const sink = await createFolder(path("in2"), options([path("in")]));
    await sink.abort();
    assertEquals(await readdir(path("in")), []);
  });
});

Deno.test("JoinedSink: each output is told when the next one is written", async () => {
  const told: number[] = [];
  const sinkOf = (number: number): ByteSink => ({
    name: `${number}`,
    write: () => undefined,
    settle: () => void told.push(number),
    commit: () => Promise.resolve(),
    abort: () => Promise.resolve(),
  });
  const sinks = [0, 1, 2].map(sinkOf);
  const sink = new JoinedSink("all", sinks, [0, 10, 20]);
  for (const offset of [0, 9, 10, 25, 20, 3]) {
    await sink.write(offset, new Uint8Array(1));
  }
  assertEquals(told, [0, 1, 2]);
  await sink.commit();
  assertEquals(told, [0, 1, 2]);
});
