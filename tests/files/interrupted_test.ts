import { assertEquals } from "@std/assert";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { withFolder } from "./temporary_folder.ts";

/** Starts the writer, kills it halfway, and returns how it ended. */
async function killHalfway(
  output: string,
  signal: Deno.Signal,
): Promise<Deno.CommandStatus> {
  const writer = new URL("interrupted_writer.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", writer, output],
    stdout: "piped",
  }).spawn();
  for await (const _halfway of child.stdout) {
    child.kill(signal);
    break;
  }
  return await child.status;
}

const windows = Deno.build.os === "windows";

Deno.test(
  "an output whose writer is killed does not appear, and what was there stays",
  { ignore: windows },
  async () => {
    await withFolder(async (path) => {
      await killHalfway(path("new"), "SIGKILL");
      await writeFile(path("old"), "old");
      await killHalfway(path("old"), "SIGKILL");
      const names = await readdir(dirname(path("old")));
      assertEquals(names.filter((name) => !name.endsWith(".tmp")), ["old"]);
      assertEquals(await readFile(path("old"), "utf8"), "old");
    });
  },
);

Deno.test("an output whose writer is told to stop leaves nothing at all", {
  ignore: windows,
}, async () => {
  await withFolder(async (path) => {
    const status = await killHalfway(path("new"), "SIGTERM");
    assertEquals(status.code, 143);
    assertEquals(await readdir(dirname(path("new"))), []);
  });
});
