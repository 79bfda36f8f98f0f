/** Importance files: read, matched with a model, refused where they are none. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { memorySource } from "../../src/files/file_source.ts";
import { isGguf } from "../../src/files/gguf_read.ts";
import {
  type Importance,
  importanceEntries,
  isImportance,
  openImportance,
  readImportance,
} from "../../src/files/imatrix.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { planRecipeFiles } from "../../src/files/recipe_plan.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { ggufImportance, legacyImportance } from "./imatrix_files.ts";
import { judge, openModel } from "./judge.ts";
import { matrix, type Model, writeModel } from "./models.ts";

const llama = await openLlama();
const ignore = llama === undefined;

const cases = new URL("../vectors/cases/", import.meta.url);
const pathOf = (name: string) => new URL(name, cases).pathname;

for (const name of ["c07_imatrix.gguf", "c07_imatrix.dat"]) {
  Deno.test(`${name} is read as llama.cpp's tool reads it`, async () => {
    const importance = await openImportance(pathOf(name));
    assertEquals(importance.datasets, ["calib.txt"]);
    assertEquals(importance.chunks, 10);
    assertEquals(
      importance.container,
      name.endsWith("gguf") ? "gguf" : "legacy",
    );
    const [{ name: tensor, weights, range: [least, mean, most] }] =
      importanceEntries(importance);
    assertEquals([tensor, weights], ["blk.0.attn_q.weight", 256]);
    assert(
      least > 0 && least < mean && mean < most,
      `${least} ${mean} ${most}`,
    );
  });

  Deno.test(`a model weighed by ${name} is what llama.cpp makes of it`, {
    ignore,
  }, async () => {
    const importance = await openImportance(pathOf(name));
    await withFolder(async (inFolder) => {
      const path = inFolder("model.gguf");
      // The case is one matrix without the metadata of a model.
      await writeModel(path, {
        architecture: "llama",
        layers: 1,
        heads: 8,
        keyHeads: 2,
        tensors: [matrix("blk.0.attn_q", [8, 256])],
      });
      const plain = await judge(llama!, path, "Q4_K_M");
      const without = await Deno.readFile(`${path}.ours`);
      assertEquals(await judge(llama!, path, "Q4_K_M", { importance }), plain);
      const tail = (bytes: Uint8Array) => bytes.slice(-8 * 144);
      assert(
        tail(await Deno.readFile(`${path}.ours`)).some((byte, i) =>
          byte !== tail(without)[i]
        ),
      );
    });
  });
}

const read = (bytes: Uint8Array) =>
  readImportance(memorySource(bytes, "x.dat"));

Deno.test("legacy sums are divided by their calls, where there are any", async () => {
  const { entries, chunks, datasets } = await read(legacyImportance([
    ["a.weight", 3, [1, 2, 9]],
    ["b.weight", 0, [5]],
  ]));
  assertEquals([...entries.get("a.weight")!], [
    Math.fround(1 / 3),
    Math.fround(2 / 3),
    3,
  ]);
  assertEquals([...entries.get("b.weight")!], [5]);
  assertEquals([chunks, datasets], [0, []]);
  assertEquals(
    (await read(legacyImportance([["a.weight", 3, [1]]], [12]))).chunks,
    12,
  );
});

Deno.test("a legacy file that is cut off or lies about its lengths is refused, wherever", async () => {
  const whole = legacyImportance([["a.weight", 3, [1, 2]], ["b.weight", 1, [
    3,
  ]]], [4, 0]);
  await read(whole);
  for (let length = 0; length < whole.length - 8; length++) {
    await assertRejects(() => read(whole.slice(0, length)), SyntaxError);
  }
  for (const at of [0, 4, 20]) {
    const bytes = whole.slice();
    new DataView(bytes.buffer).setInt32(at, 0x7fffffff, true);
    await assertRejects(() => read(bytes), Error, "importance file");
  }
});

Deno.test("weights that are no weights are refused by name", async () => {
  for (const bad of [NaN, Infinity, -1]) {
    await assertRejects(
      () => read(legacyImportance([["a.weight", 1, [1, bad]]])),
      RangeError,
      `"a.weight" have ${bad} at index 1`,
    );
  }
  await read(legacyImportance([["a.weight", 1, [1, 0]]]));
});

Deno.test("each expert has its own count, and weighs 1 where it was never called", async () => {
  const { entries, datasets, chunkSize } = await read(
    ggufImportance([["a.weight", [[2, 4], [9, 9], [3, 0]], [2, 0, 3]]]),
  );
  assertEquals([...entries.get("a.weight")!], [1, 2, 1, 1, 1, 0]);
  assertEquals([datasets, chunkSize], [["one", "two"], 64]);
});

Deno.test("a GGUF without counts or without its metadata is refused", async () => {
  const good = ["datasets", "chunk_count", "chunk_size"];
  for (const missing of good) {
    const keys = good.filter((key) => key !== missing);
    await assertRejects(
      () => read(ggufImportance([["a.weight", [[1]], [1]]], keys)),
      SyntaxError,
      `imatrix.${missing}`,
    );
  }
  await assertRejects(
    () => read(ggufImportance([["a.weight", [[1, 2, 3]], [1, 1]]])),
    SyntaxError,
    "3 sums for 2 counts",
  );
  await read(ggufImportance([["a.weight", [[1, 2, 3]], [1]]], good));
});

Deno.test("a model is no importance file, and the other way round", async () => {
  await assertRejects(
    () => openImportance(pathOf("c07_model.gguf")),
    SyntaxError,
    "is it a model",
  );
  const file = await openTensorFile(pathOf("c07_imatrix.gguf"));
  assert(isGguf(file) && isImportance(file));
  try {
    planRecipeFiles(file, "Q4_0");
    assert(false, "it was planned");
  } catch (error) {
    assert(error instanceof RangeError);
    assertStringIncludes(error.message, "--imatrix");
  }
  await file.source.close();
  await assertRejects(
    () => openTensorFile(pathOf("c07_imatrix.dat")),
    SyntaxError,
    "--imatrix",
  );
});

const experts: Model = {
  architecture: "llama",
  layers: 1,
  heads: 8,
  keyHeads: 2,
  experts: 4,
  tensors: [
    matrix("token_embd", [8, 256]),
    matrix("output", [8, 256]),
    matrix("blk.0.attn_q", [4, 256]),
    matrix("blk.0.ffn_up_exps", [4, 2, 256]),
  ],
};

const made = (lengths: Readonly<Record<string, number>>): Importance => ({
  name: "made.dat",
  container: "legacy",
  entries: new Map(
    Object.entries(lengths).map((
      [name, length],
    ) => [`${name}.weight`, new Float32Array(length).fill(1)]),
  ),
  datasets: [],
  chunks: 0,
  chunkSize: 0,
});

Deno.test("what is missing or of the wrong length is listed, or a warning", async () => {
  await withFolder(async (inFolder) => {
    await writeModel(inFolder("m.gguf"), experts);
    const file = await openModel(inFolder("m.gguf"));
    await file.source.close();
    const plan = (
      lengths: Readonly<Record<string, number>>,
      partialImportance = false,
    ) =>
      planRecipeFiles(file, "Q4_K_M", {
        importance: made(lengths),
        partialImportance,
      });
    // Embeddings and the output do without.
    assertEquals(
      plan({ "blk.0.attn_q": 256, "blk.0.ffn_up_exps": 1024 }).warnings,
      [],
    );
    const wrong = { "blk.0.ffn_up_exps": 256, "token_embd": 1 };
    try {
      plan(wrong);
      assert(false, "it was planned");
    } catch (error) {
      assert(error instanceof RangeError);
      assertStringIncludes(error.message, `"blk.0.attn_q.weight" has none`);
      assertStringIncludes(
        error.message,
        `"blk.0.ffn_up_exps.weight" has 256 weights for 1024`,
      );
      assertStringIncludes(error.message, "--imatrix-partial");
    }
    const { warnings, files: [{ tasks }] } = plan(wrong, true);
    assertEquals(warnings.length, 1);
    assert(tasks.every(({ importance }) => importance === undefined));
  });
});
