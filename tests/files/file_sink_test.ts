import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  chmod,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname } from "node:path";
import { createFile, FileSink } from "../../src/files/file_sink.ts";
import type { OpenFile } from "../../src/files/open_file.ts";
import { abortAll, createTemporary } from "../../src/files/temporary.ts";
import { withFolder } from "./temporary_folder.ts";

const windows = Deno.build.os === "windows";
const names = (path: (name: string) => string) => readdir(dirname(path("x")));

Deno.test("createFile: nothing is seen before commit, everything after", async () => {
  await withFolder(async (path) => {
    const sink = await createFile(path("out"));
    await Promise.all([
      sink.write(3, Uint8Array.of(4, 5)),
      sink.write(0, Uint8Array.of(1, 2, 3)),
    ]);
    const before = await names(path);
    assertEquals(before.length, 1);
    assert(/^\.out\.[0-9a-f]{8}\.tmp$/.test(before[0]), before[0]);
    await sink.commit();
    assertEquals(await names(path), ["out"]);
    assertEquals([...await readFile(path("out"))], [1, 2, 3, 4, 5]);
    await sink.abort();
    assertEquals(await names(path), ["out"]);
    await assertRejects(
      async () => await sink.write(0, new Uint8Array(1)),
      Error,
      "it is closed",
    );
  });
});

Deno.test("createFile: abort leaves nothing, not even after a failed commit", async () => {
  await withFolder(async (path) => {
    const sink = await createFile(path("out"));
    await sink.write(0, Uint8Array.of(1));
    await sink.abort();
    assertEquals(await names(path), []);
    await assertRejects(() => sink.commit(), Error, "it is closed");
  });
});

Deno.test("createFile: an existing file needs force", async () => {
  await withFolder(async (path) => {
    await writeFile(path("out"), "old");
    await assertRejects(
      () => createFile(path("out")),
      Error,
      "it exists already; pass --force",
    );
    const sink = await createFile(path("out"), { force: true });
    await sink.write(0, new TextEncoder().encode("new"));
    assertEquals(await readFile(path("out"), "utf8"), "old");
    await sink.commit();
    assertEquals(await readFile(path("out"), "utf8"), "new");
    assertEquals(await names(path), ["out"]);
  });
});

Deno.test("createFile: a file that appears meanwhile is not replaced", async () => {
  await withFolder(async (path) => {
    const sink = await createFile(path("out"));
    await writeFile(path("out"), "theirs");
    await assertRejects(() => sink.commit(), Error, "it appeared meanwhile");
    assertEquals(await readFile(path("out"), "utf8"), "theirs");
    assertEquals(await names(path), ["out"]);
    const forced = await createFile(path("out"), { force: true });
    await forced.commit();
    assertEquals(await readFile(path("out"), "utf8"), "");
  });
});

Deno.test("createFile: an input is never the output", async () => {
  await withFolder(async (path) => {
    await writeFile(path("in"), "input");
    await writeFile(path("other"), "");
    await link(path("in"), path("hard"));
    if (!windows) await symlink(path("in"), path("soft"));
    for (const name of windows ? ["in", "hard"] : ["in", "hard", "soft"]) {
      const options = { force: true, inputs: ["-", path("other"), path("in")] };
      await assertRejects(
        () => createFile(path(name), options),
        Error,
        "it is the input",
      );
    }
    const sink = await createFile(path("other"), {
      force: true,
      inputs: [path("in")],
    });
    await sink.commit();
    assertEquals(await readFile(path("in"), "utf8"), "input");
  });
});

Deno.test("createFile: a symbolic link stays, its file is replaced", {
  ignore: windows,
}, async () => {
  await withFolder(async (path) => {
    await mkdir(path("folder"));
    await writeFile(path("folder/real"), "old");
    await chmod(path("folder/real"), 0o600);
    await symlink(path("folder/real"), path("soft"));
    const sink = await createFile(path("soft"), { force: true });
    await sink.commit();
    assertEquals(await readlink(path("soft")), path("folder/real"));
    assertEquals(await readFile(path("folder/real"), "utf8"), "");
    assertEquals((await stat(path("folder/real"))).mode & 0o777, 0o600);
    assertEquals(await readdir(path("folder")), ["real"]);
  });
});

Deno.test("createFile: says why a place cannot be written", async () => {
  await withFolder(async (path) => {
    await assertRejects(
      () => createFile(path("gone/out")),
      Error,
      `Cannot write ${path("gone/out")}: no such file or directory`,
    );
    await mkdir(path("folder"));
    const force = { force: true };
    await assertRejects(
      () => createFile(path("folder"), force),
      Error,
      "it is a directory",
    );
    await assertRejects(
      () => createFile(path("folder/"), force),
      Error,
      "it names a directory",
    );
    if (!windows) {
      await assertRejects(
        () => createFile("/dev/null", force),
        Error,
        "it is no regular file",
      );
    }
    await writeFile(path("file"), "");
    await assertRejects(
      () => createFile(path("file/out")),
      Error,
      "not a directory",
    );
    const sink = await createFile(path("folder/out"), force);
    await sink.commit();
  });
});

Deno.test("createFile: the longest name that the file system takes", async () => {
  await withFolder(async (path) => {
    const name = "é".repeat(120);
    const sink = await createFile(path(name));
    await sink.commit();
    assertEquals(await names(path), [name]);
  });
});

Deno.test("createFile: tells what killed runs left beside the output, and nothing else", async () => {
  await withFolder(async (path) => {
    await writeFile(path(".out.0123abcd.tmp"), "12345");
    const others = [".out.0123abcd.tmp.tmp", ".out2.0123abcd.tmp"];
    for (const other of [...others, ".out.0123ABCD.tmp", "out.0123abcd.tmp"]) {
      await writeFile(path(other), "");
    }
    await mkdir(path(".out.00000000.tmp"));
    const sink = await createFile(path("out"));
    const expected = [{ path: path(".out.0123abcd.tmp"), size: 5 }];
    assertEquals(sink.leftovers, expected);
    await sink.abort();
    const other = await createFile(path("new"));
    assertEquals(other.leftovers, []);
    await other.abort();
  });
});

Deno.test("abortAll: finds a file as soon as it is there", async () => {
  await withFolder(async (path) => {
    const creating = createTemporary(path("a"));
    abortAll();
    // It may be open already, nameless.
    await creating.then(({ handle }) => handle.close(), () => {});
    assertEquals(await names(path), []);
    const { handle } = await createTemporary(path("b"));
    assertEquals(await names(path), ["b"]);
    await handle.close();
    abortAll();
  });
});

Deno.test("abortAll: removes what is under construction, at once", async () => {
  await withFolder(async (path) => {
    const done = await createFile(path("done"));
    await done.commit();
    const sinks = [await createFile(path("a")), await createFile(path("b"))];
    await sinks[0].write(0, new Uint8Array(10));
    abortAll();
    assertEquals(await names(path), ["done"]);
    for (const sink of sinks) await sink.abort();
  });
});

/** A disk with room for `room` bytes, which takes `step` of them at a time. */
function fullDisk(
  room: number,
  step: number,
): OpenFile & { closed: boolean } {
  const disk = {
    closed: false,
    write(_bytes: Uint8Array, _at: number, length: number, position: number) {
      if (position >= room) {
        const error = Object.assign(new Error("ENOSPC: no space"), {
          code: "ENOSPC",
        });
        return Promise.reject(error);
      }
      return Promise.resolve({
        bytesWritten: Math.min(length, step, room - position),
      });
    },
    read: () => Promise.resolve({ bytesRead: 0 }),
    sync: () => Promise.resolve(),
    close: () => {
      disk.closed = true;
      return Promise.resolve();
    },
  };
  return disk as unknown as OpenFile & { closed: boolean };
}

Deno.test("FileSink: a full disk is told at the write, at every later one, and at commit", async () => {
  await withFolder(async (path) => {
    const handle = fullDisk(100_000, 7_000);
    const sink = new FileSink("out", path("out"), {
      path: path("temporary"),
      handle,
    }, false);
    await sink.write(0, new Uint8Array(100_000));
    const expected = "Cannot write out: no space left on the device";
    const first = await assertRejects(
      async () => await sink.write(90_000, new Uint8Array(20_000)),
      Error,
      expected,
    );
    assertStrictEquals(
      await assertRejects(async () => await sink.write(0, new Uint8Array(1))),
      first,
    );
    assertStrictEquals(await assertRejects(() => sink.commit()), first);
    assert(handle.closed);
    assertEquals(await names(path), []);
  });
});

Deno.test("FileSink: what is much is synced while more is written, and a sync that fails is told", async () => {
  for (const fails of [false, true]) {
    await withFolder(async (path) => {
      await writeFile(path("temporary"), "");
      let syncs = 0;
      const handle = fullDisk(Infinity, Infinity);
      handle.sync = () => {
        syncs++;
        return fails ? Promise.reject(new Error("no")) : Promise.resolve();
      };
      const temporary = { path: path("temporary"), handle };
      const sink = new FileSink("out", path("out"), temporary, false);
      const much = new Uint8Array(16 * 1024 * 1024);
      await sink.write(0, much.subarray(1));
      sink.settle();
      assertEquals(syncs, 0, "a byte less is not worth it");
      await sink.write(0, much.subarray(0, 1));
      sink.settle();
      sink.settle();
      if (!fails) {
        await sink.write(0, Uint8Array.of(1));
        await sink.commit();
        assertEquals(syncs, 2, "once on the way, and at the end");
        return;
      }
      await assertRejects(() => sink.commit(), Error, "Cannot write out: no");
      assertEquals(syncs, 1);
      assertEquals(await names(path), []);
    });
  }
});

Deno.test("FileSink: a full disk that only small writes meet is told at commit, at the latest", async () => {
  for (const [room, fits] of [[99, false], [100, true]] as const) {
    await withFolder(async (path) => {
      await writeFile(path("temporary"), "");
      const sink = new FileSink("out", path("out"), {
        path: path("temporary"),
        handle: fullDisk(room, 7),
      }, false);
      for (let i = 0; i < 100; i++) await sink.write(i, Uint8Array.of(i));
      if (fits) return await sink.commit();
      const expected = "Cannot write out: no space left on the device";
      await assertRejects(() => sink.commit(), Error, expected);
      assertEquals(await names(path), []);
    });
  }
});
