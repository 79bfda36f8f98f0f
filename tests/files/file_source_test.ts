import { assertEquals, assertRejects } from "@std/assert";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { memorySource, openFile } from "../../src/files/file_source.ts";
import { withFolder } from "./temporary_folder.ts";

const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);

Deno.test("openFile: reads any range of a regular file", async () => {
  await withFolder(async (path) => {
    await writeFile(path("a"), bytes);
    const source = await openFile(path("a"));
    assertEquals(source.size, 100);
    const into = new Uint8Array(12).subarray(2);
    await source.read(90, into);
    assertEquals([...into], [...bytes.subarray(90)]);
    await source.read(100, new Uint8Array(0));
    await source.close();
  });
});

Deno.test("openFile: says what is wrong with a path", async () => {
  await withFolder(async (path) => {
    await assertRejects(
      () => openFile(path("gone")),
      Error,
      `Cannot read ${path("gone")}: no such file`,
    );
    await mkdir(path("folder"));
    await assertRejects(
      () => openFile(path("folder")),
      Error,
      "it is a directory",
    );
  });
});

Deno.test("openFile: a file that shrank while it was open", async () => {
  await withFolder(async (path) => {
    await writeFile(path("a"), bytes);
    const source = await openFile(path("a"));
    await truncate(path("a"), 95);
    await assertRejects(
      () => source.read(90, new Uint8Array(10)),
      RangeError,
      "at byte 90: expected 10 bytes, got 5",
    );
    await source.read(85, new Uint8Array(10));
    await source.close();
  });
});

Deno.test("memorySource: the same ranges as a file", async () => {
  const source = memorySource(bytes, "probe");
  const into = new Uint8Array(10);
  await source.read(90, into);
  assertEquals([...into], [...bytes.subarray(90)]);
  const expected = "Cannot read probe at byte 91: expected 10 bytes, got 9";
  await assertRejects(() => source.read(91, into), RangeError, expected);
  await assertRejects(() => source.read(-1, into), RangeError, "at byte -1");
  await assertRejects(() => source.read(0.5, into), RangeError, "at byte 0.5");
  await assertRejects(() => source.read(2 ** 53, into), RangeError);
});
