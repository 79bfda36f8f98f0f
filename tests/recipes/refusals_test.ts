/** Values that no type can hold, and files that llama.cpp's own tool spoils. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createFile } from "../../src/files/file_sink.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { writeRecipeFile } from "../../src/files/quantize_gguf.ts";
import { planRecipeFiles } from "../../src/files/recipe_plan.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { judge, openModel, quantizeHere } from "./judge.ts";
import { matrix, type Model, writeModel } from "./models.ts";

const llama = await openLlama();

const small: Model = {
  architecture: "llama",
  layers: 1,
  heads: 8,
  keyHeads: 2,
  tensors: [matrix("output", [8, 256]), matrix("blk.0.attn_q", [8, 256])],
};

/** Writes the model with one value of the last tensor changed. */
async function withValue(
  path: string,
  index: number,
  value: number,
): Promise<void> {
  await writeModel(path, small);
  const file = await openModel(path);
  await file.source.close();
  const bytes = await Deno.readFile(path);
  const { offset } = file.tensors.at(-1)!;
  new DataView(bytes.buffer).setFloat32(offset + 4 * index, value, true);
  await Deno.writeFile(path, bytes);
}

for (
  const [value, options, text] of [
    [NaN, {}, "holds NaN"],
    [-Infinity, {}, "holds -Infinity"],
    [3e38, {}, "overflows float16"],
    [1e5, { overrides: [{ pattern: /attn_q/, type: "F16" }] }, "no finite F16"],
  ] as const
) {
  Deno.test(`${value} is refused with tensor and row, as llama.cpp refuses it: ${text}`, async () => {
    await withFolder(async (inFolder) => {
      const [path, to] = [inFolder("m.gguf"), inFolder("o.gguf")];
      await withValue(path, 3 * 256 + 5, value);
      const error = await assertRejects(
        () => quantizeHere(path, to, "Q4_0", options),
        RangeError,
        text,
      );
      assertStringIncludes(error.message, `"blk.0.attn_q.weight"`);
      assertStringIncludes(error.message, "row 3");
      await assertRejects(() => Deno.stat(to), Deno.errors.NotFound);
      const theirs = {
        overrides: "overrides" in options
          ? [{ pattern: "attn_q", type: "F16" }]
          : [],
      };
      if (llama) {
        assertThrows(
          () => llama.quantize(path, to, 2, theirs),
          Error,
          "returns 1",
        );
      }
      await withValue(path, 3 * 256 + 5, 1);
      await quantizeHere(path, to, "Q4_0", options);
      if (llama) await judge(llama, path, "Q4_0", theirs);
    });
  });
}

Deno.test("another alignment is kept, with a warning, and the result opens", async () => {
  await withFolder(async (inFolder) => {
    const [path, to] = [inFolder("m.gguf"), inFolder("o.gguf")];
    for (const [alignment, warned] of [[32, 0], [128, 1]]) {
      await writeModel(path, {
        ...small,
        values: [["general.alignment", GgufValue.of("u32", alignment)]],
      });
      assertEquals((await quantizeHere(path, to, "Q4_0")).length, warned);
      const file = await openModel(to);
      await file.source.close();
      assertEquals(file.alignment, alignment);
      assert(file.tensors.every(({ offset }) => offset % alignment === 0));
    }
  });
});

Deno.test("a model has to say its architecture and its layers", async () => {
  await withFolder(async (inFolder) => {
    await writeModel(inFolder("m.gguf"), small);
    const file = await openModel(inFolder("m.gguf"));
    await file.source.close();
    planRecipeFiles(file, "Q4_0");
    for (const key of ["general.architecture", "llama.block_count"]) {
      const values = new Map(file.values);
      values.delete(key);
      assertThrows(
        () => planRecipeFiles({ ...file, values }, "Q4_0"),
        RangeError,
        key,
      );
    }
  });
});

Deno.test("a sink that fails stops the work", async () => {
  await withFolder(async (inFolder) => {
    await writeModel(inFolder("m.gguf"), small);
    const file = await openModel(inFolder("m.gguf"));
    const { files: [whole] } = planRecipeFiles(file, "Q4_0");
    const sink = await createFile(inFolder("o.gguf"));
    let writes = 0;
    const failing = {
      name: sink.name,
      commit: () => sink.commit(),
      abort: () => sink.abort(),
      write(offset: number, bytes: Uint8Array) {
        return writes++ < 3
          ? sink.write(offset, bytes)
          : Promise.reject(new Error("full"));
      },
    };
    await assertRejects(
      () => writeRecipeFile(file.source, whole, failing),
      Error,
      "full",
    );
    await sink.abort();
    const again = await createFile(inFolder("o.gguf"));
    await writeRecipeFile(file.source, whole, again);
    await again.commit();
    await file.source.close();
  });
});
