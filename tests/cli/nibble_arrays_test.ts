// numpy's arrays of ml_dtypes' types of four bits: --dtype says which.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile } from "node:fs/promises";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { json, run } from "./support.ts";

const vector = (name: string) =>
  new URL(`../vectors/ml_dtypes/${name}.npy`, import.meta.url).pathname;

for (const kind of ["int4", "uint4", "float4_e2m1fn"]) {
  Deno.test(`${kind}: an array of numpy is what ml_dtypes makes of it`, async () => {
    await withFolder(async (path) => {
      const dtype = ["--dtype", kind];
      const { tensors: [{ format, options }] } = await json(
        ...["inspect", vector(kind), ...dtype],
      );
      assertEquals([format, options], ["ml_dtypes", { kind }]);
      const to = ["-o", path("w.npy")];
      await json("dequantize", vector(kind), ...to, ...dtype);
      const values = (await goldenTensors(`ml_dtypes/${kind}.safetensors`))
        .get("values")!;
      const bytes = new Uint8Array(await readFile(path("w.npy")));
      const found = bytes.subarray(bytes.length - 4 * values.data.length);
      assertSameBytes(found, floatsOf(values), kind);
      const { tensors: [{ repacked }] } = await json(
        ...["convert", vector(kind), "-o", path("w.safetensors"), ...dtype],
        ...["--format", "int4", "--scale-method", "affine", "--requantize"],
      );
      assertEquals(repacked, kind !== "float4_e2m1fn");
      const without = await run(
        "dequantize",
        vector(kind),
        "-o",
        path("x.npy"),
      );
      assertEquals(without.code, 1);
      assertStringIncludes(without.err, "--dtype says what opaque bytes are");
    });
  });
}

Deno.test("types of four bits that lie column by column are refused, wider ones read", async () => {
  const { code, err } = await run(
    ...["inspect", vector("int4_fortran"), "--dtype", "int4"],
  );
  assertEquals(code, 1);
  assertStringIncludes(err, "its int4 lies column by column");
  await json("inspect", vector("int4_fortran"), "--dtype", "f8_e4m3");
});
