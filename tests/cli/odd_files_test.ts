// Files as people have them, through the commands.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { casePath } from "../files/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { run } from "./support.ts";

async function json(...args: string[]) {
  const { code, out, err } = await run(...args, "--json");
  assertEquals([code, err], [0, ""]);
  return JSON.parse(out);
}

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
