// `.npz` on the command line: a file of several tensors.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openTensorFile } from "../../src/files/open.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { json, run, vectorPath } from "./support.ts";

for (const kind of ["stored", "deflated"]) {
  Deno.test(`the arrays of ${kind}.npz are quantized, cast and dropped like tensors`, async () => {
    await withFolder(async (path) => {
      const input = vectorPath(`${kind}.npz`);
      const call = ["quantize", input, "-o", path("o.safetensors"), "--force"];
      const refused = await run(...call, "--dtype", "bf16");
      assertEquals(refused.code, 1);
      assertStringIncludes(refused.err, "no type for <U1; pass --drop labels");
      const opaque = await run(
        ...call,
        "--drop",
        "labels",
        "--drop",
        "objects",
      );
      assertEquals(opaque.code, 1);
      assertStringIncludes(opaque.err, "pass --dtype bf16 where they are that");
      const drops = ["--drop", "labels", "--drop", "objects"];
      const { tensors, copied } = await json(
        ...[...call, ...drops, "--dtype", "bf16", "--cast", "big=F16"],
        ...["--skip", "columns"],
      );
      assertEquals(
        tensors.map(({ name }: { name: string }) => name),
        ["layer/weight", "half"],
      );
      assertEquals(
        copied.map((t: Record<string, string>) => [t.name, t.dtype]),
        [["big", "F32"], ["columns", "F32"], ["codes", "I8"]],
      );
      // Big-endian, and column by column: written as safetensors has them.
      const file = await openTensorFile(path("o.safetensors"));
      const read = async (name: string) => {
        const entry = file.tensors.find((tensor) => tensor.name === name)!;
        const bytes = new Uint8Array(entry.byteLength);
        await file.source.read(entry.offset, bytes);
        return bytes.buffer;
      };
      assertEquals(
        [...new Float32Array(await read("columns"))],
        Array.from({ length: 15 }, (_, i) => (i - 48) / 4),
      );
      assertEquals(
        [...new Float16Array(await read("big"))],
        Array.from({ length: 6 }, (_, i) => (i - 48) / 4),
      );
      await file.source.close();

      const values = await json(
        ...[...call, ...drops, "--dtype", "i8", "--tensors", "codes"],
        ...["--drop", "half"],
      );
      assertEquals(
        values.tensors.map(({ name, dtype }: Record<string, string>) => [
          name,
          dtype,
        ]),
        [["codes", "I8"]],
      );
    });
  });
}

Deno.test("bytes of embeddings are values where the call says so", async () => {
  await withFolder(async (path) => {
    const header =
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 64), }".padEnd(
        117,
      ) +
      "\n";
    const bytes = new Uint8Array(128 + 128);
    bytes.set(new TextEncoder().encode("\x00NUMPY\x01\x00\x76\x00" + header));
    bytes[0] = 0x93;
    for (let i = 0; i < 128; i++) bytes[128 + i] = 2 * i;
    await Deno.writeFile(path("e.npy"), bytes);
    const call = ["quantize", path("e.npy"), "-o", path("q.safetensors")];
    const refused = await run(...call);
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.err,
      "its U8 values are no floats; --dtype u8 takes them",
    );
    const wrong = await run(...call, "--dtype", "i8");
    assertEquals(wrong.code, 1);
    assertStringIncludes(wrong.err, "not I8");
    const { tensors } = await json(...call, "--dtype", "u8");
    assertEquals(tensors[0].shape, [2, 64]);
    const compared = await json(
      ...["compare", path("e.npy"), path("q.safetensors"), "--dtype", "u8"],
    );
    assert(compared.tensors[0].sqnr > 15, String(compared.tensors[0].sqnr));
    await json(
      ...["dequantize", path("q.safetensors"), "-o", path("back.npy")],
    );
    const back = (await Deno.readFile(path("back.npy"))).slice(128);
    const floats = new Float32Array(back.buffer);
    assert(Math.abs(floats[127] - 254) < 20, String(floats[127]));
  });
});
