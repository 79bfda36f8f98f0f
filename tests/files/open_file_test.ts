import { assertEquals, assertRejects } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { openToWrite } from "../../src/files/open_file.ts";
import { withFolder } from "./temporary_folder.ts";

Deno.test("openToWrite: reads and writes that are asked for at once each have their place", async () => {
  await withFolder(async (path) => {
    await writeFile(path("file"), new Uint8Array(64));
    const file = await openToWrite(path("file")), read = new Uint8Array(4);
    const [first, second, third] = await Promise.all([
      file.write(Uint8Array.of(9, 1, 2, 9), 1, 2, 40),
      file.write(Uint8Array.of(3, 4), 0, 2, 8),
      file.read(read, 1, 2, 40),
    ]);
    assertEquals([first.bytesWritten, second.bytesWritten], [2, 2]);
    assertEquals(third.bytesRead, 2);
    assertEquals(read, Uint8Array.of(0, 1, 2, 0));
    assertEquals((await file.read(read, 0, 4, 64)).bytesRead, 0);
    await file.sync();
    await file.close();
    const expected = new Uint8Array(64);
    expected.set([1, 2], 40);
    expected.set([3, 4], 8);
    assertEquals(new Uint8Array(await readFile(path("file"))), expected);
  });
});

Deno.test("openToWrite: what fails is told where it was asked for, and what comes after goes on", async () => {
  await withFolder(async (path) => {
    await assertRejects(() => openToWrite(path("none")));
    await writeFile(path("file"), "");
    const file = await openToWrite(path("file")), bytes = new Uint8Array(2);
    await assertRejects(() => file.write(bytes, 0, 2, -1));
    assertEquals((await file.write(bytes, 0, 2, 1)).bytesWritten, 2);
    await file.close();
    await assertRejects(() => file.write(bytes, 0, 2, 0));
  });
});
