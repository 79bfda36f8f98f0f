// Files as people have them, through the commands.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { casePath } from "../files/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { json, run } from "./support.ts";

Deno.test("eight-bit floats are quantized, widened and compared as the floats they are", async () => {
  await withFolder(async (path) => {
    const input = casePath("c04_fp8_plain.safetensors");
    const quantized = await json(
      ...["quantize", input, "-o", path("q.safetensors")],
    );
    assertEquals(quantized.copied, []);
    assertEquals(
      quantized.tensors.map(({ dtype }: { dtype: string }) => dtype),
      ["F8_E4M3", "F8_E5M2"],
    );
    for (const to of ["f32", "bf16"]) {
      const wide = path(`${to}.safetensors`);
      await json("dequantize", input, "-o", wide, "--to", to);
      const { tensors } = await json("compare", input, wide);
      // No error at all: sqnr is infinite, which JSON writes as null.
      assertEquals(
        tensors.map(({ sqnr }: { sqnr: unknown }) => sqnr),
        [null, null],
      );
    }
  });
});

Deno.test("integers and booleans are copied; a file of nothing else is refused", async () => {
  await withFolder(async (path) => {
    const input = casePath("c15_dtypes.safetensors");
    const { copied, tensors } = await json(
      ...["quantize", input, "-o", path("q.safetensors")],
    );
    assertEquals([copied.length, tensors.length], [4, 2]);
    const { code, err } = await run(
      ...["quantize", input, "-o", path("r.safetensors"), "--tensors", "u8"],
    );
    assertEquals(code, 1);
    assertStringIncludes(err, "its U8 values are no floats");
  });
});

Deno.test("tensors without dimensions and without values go through", async () => {
  await withFolder(async (path) => {
    const input = casePath("c16_scalar.safetensors");
    await json("quantize", input, "-o", path("q.safetensors"));
    await json(
      "dequantize",
      path("q.safetensors"),
      "-o",
      path("d.safetensors"),
    );
    const { tensors } = await json("compare", input, path("d.safetensors"));
    assertEquals(tensors.length, 3);
  });
});

Deno.test("a target beside which a killed run left its temporary file: a warning names it and its size", async () => {
  await withFolder(async (path) => {
    const quantize = [
      ...["quantize", casePath("c04_fp8_plain.safetensors"), "-o"],
      path("q.safetensors"),
    ];
    const clean = await run(...quantize);
    assertEquals([clean.code, clean.err], [0, ""]);
    const left = path(".q.safetensors.0123abcd.tmp");
    await writeFile(left, new Uint8Array(2048));
    const { code, err } = await run(...quantize, "--force");
    assertEquals(code, 0);
    assertStringIncludes(err, `${left} (2 kiB) is the unfinished output`);
    const { warnings } = await json(...quantize, "--force");
    assertEquals(warnings.length, 1);
    const dequantized = path(".d.npy.0123abcd.tmp");
    await writeFile(dequantized, "");
    const back = await run(
      ...["dequantize", path("q.safetensors"), "--tensors", "a.weight"],
      ...["-o", path("d.npy")],
    );
    assertEquals(back.code, 0);
    assertStringIncludes(back.err, dequantized);
  });
});

Deno.test("an empty file is no multiple of anything, smaller or larger", async () => {
  await withFolder(async (path) => {
    await writeFile(path("empty.f32"), "");
    const { code, out } = await run(
      ...["quantize", path("empty.f32"), "-o", path("q.safetensors")],
    );
    assertEquals(code, 0);
    assertMatch(out, /1 tensor quantized; 0 B → \d+ B, in /);
    await writeFile(path("one.f32"), new Uint8Array(4));
    const one = await run(
      ...["quantize", path("one.f32"), "-o", path("r.safetensors")],
    );
    assertMatch(one.out, /4 B → \d+ B, \d+\.\d\d times larger, in /);
  });
});

/** The bytes of a file of so many tensors of one value. */
function manyTensors(count: number): Uint8Array {
  const entries = Array.from(
    { length: count },
    (_, i) =>
      `"t${i}":{"dtype":"F32","shape":[1,1],"data_offsets":[${4 * i},${
        4 * i + 4
      }]}`,
  );
  const header = new TextEncoder().encode(`{${entries}}`);
  const bytes = new Uint8Array(8 + header.length + 4 * count);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
}

Deno.test("more tensors than a call takes arguments are listed and quantized", async () => {
  await withFolder(async (path) => {
    const count = 130_000;
    await writeFile(path("m.safetensors"), manyTensors(count));
    const { code, out, err } = await run("inspect", path("m.safetensors"));
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, `${count} of ${count} values`);
    const quantized = await run(
      ...["quantize", path("m.safetensors"), "-o", path("q.safetensors")],
    );
    assertEquals(quantized.code, 0, quantized.err);
    assertStringIncludes(quantized.out, `${count} tensors quantized`);
  });
});
