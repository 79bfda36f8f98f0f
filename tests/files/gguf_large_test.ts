import { assert, assertEquals } from "@std/assert";
import { open, stat } from "node:fs/promises";
import { openFile } from "../../src/files/file_source.ts";
import { openGguf } from "../../src/files/gguf_read.ts";
import { planGguf } from "../../src/files/gguf_write.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { withFolder } from "./temporary_folder.ts";

Deno.test("tensors beyond 4 GiB are read from where they are", async (t) => {
  await withFolder(async (inFolder) => {
    const path = inFolder("large.gguf");
    const plan = planGguf(
      new Map([["general.architecture", GgufValue.of("string", "test")]]),
      [
        { name: "first", dtype: "Q4_0", shape: [2 ** 18, 2 ** 15] },
        { name: "between", dtype: "F32", shape: [3] },
        { name: "second", dtype: "F32", shape: [2 ** 30] },
        { name: "last", dtype: "F32", shape: [2] },
      ],
    );
    assert(plan.size > 8.5 * 2 ** 30);
    const file = await open(path, "w");
    try {
      await file.truncate(plan.size);
      await file.write(plan.header, 0, plan.header.length, 0);
      for (const i of [1, 3]) {
        const bytes = new Uint8Array(new Float32Array([i, -i]).buffer);
        await file.write(bytes, 0, 8, plan.tensors[i].offset);
      }
    } finally {
      await file.close();
    }
    // A file system without holes would have to write 8.5 GiB; this one need not.
    const { blocks } = await stat(path);
    if (blocks * 512 > 2 ** 30) {
      return console.error(`${t.name}: skipped, no sparse files here`);
    }

    const source = await openFile(path);
    const { tensors } = await openGguf(source);
    assertEquals(tensors, plan.tensors);
    for (const i of [1, 3]) {
      const bytes = new Uint8Array(8);
      await source.read(tensors[i].offset, bytes);
      assertEquals([...new Float32Array(bytes.buffer)], [i, -i]);
    }
    await source.close();
  });
});
