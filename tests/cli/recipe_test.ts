// `quantize --recipe` and importance files on the command line.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { typesOf } from "../recipes/judge.ts";
import { matrix, weights, writeModel } from "../recipes/models.ts";
import { run } from "./support.ts";

const llama = await openLlama();
const ignore = llama === undefined;

const imatrix = (name: string) =>
  new URL(`../vectors/cases/c07_imatrix.${name}`, import.meta.url).pathname;

const small = {
  architecture: "llama",
  layers: 1,
  heads: 8,
  keyHeads: 2,
  tensors: [matrix("token_embd", [8, 256]), matrix("blk.0.attn_q", [8, 256])],
};

Deno.test(
  "a recipe makes the file that llama.cpp makes, and says what it did",
  { ignore },
  async () => {
    await withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      const { code, out, err } = await run(
        ...[
          "quantize",
          path("f32.gguf"),
          "-o",
          path("ours.gguf"),
          "--recipe",
          "q4_k_m",
          "--json",
        ],
      );
      assertEquals([code, err], [0, ""]);
      llama!.quantize(path("f32.gguf"), path("theirs.gguf"), 15);
      const theirs = await Deno.readFile(path("theirs.gguf"));
      assertEquals(await Deno.readFile(path("ours.gguf")), theirs);
      const { recipe, bytesAfter, tensors, warnings } = JSON.parse(out);
      assertEquals([recipe, bytesAfter, warnings], [
        "Q4_K_M",
        theirs.length,
        [],
      ]);
      const types = await typesOf(path("theirs.gguf"));
      for (const { name, to } of tensors) {
        assertEquals(to, types.get(name), name);
      }
    });
  },
);

Deno.test("its flags depart from it", async () => {
  await withFolder(async (path) => {
    await writeTinyLlama(path("f32.gguf"));
    const typesBy = async (...flags: string[]) => {
      const { code, err } = await run(
        ...["quantize", path("f32.gguf"), "-o", path("o.gguf"), "--force"],
        ...["--recipe", "Q4_0", ...flags],
      );
      assertEquals([code, err], [0, ""]);
      return await typesOf(path("o.gguf"));
    };
    assertEquals((await typesBy()).get("output.weight"), "Q6_K");
    assertEquals((await typesBy("--pure")).get("output.weight"), "Q4_0");
    assertEquals(
      (await typesBy("--leave-output-tensor")).get("output.weight"),
      "F32",
    );
    assertEquals(
      (await typesBy("--output-tensor-type", "q8_0")).get("output.weight"),
      "Q8_0",
    );
    assertEquals(
      (await typesBy("--token-embedding-type", "F16")).get("token_embd.weight"),
      "F16",
    );
    const types = await typesBy(
      "--tensor-type",
      "BLK\\.0\\.attn_v=q6_k",
      "--tensor-type",
      "attn_v=q5_0",
    );
    assertEquals(types.get("blk.0.attn_v.weight"), "Q6_K");
    assertEquals(types.get("blk.1.attn_v.weight"), "Q5_0");
  });
});

Deno.test("an importance file is used, noted in the metadata, and explained by inspect", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), small);
    for (const kind of ["gguf", "dat"]) {
      const out = path(`${kind}.gguf`);
      const call = await run(
        ...["quantize", path("m.gguf"), "-o", out, "--recipe", "Q4_K_S"],
        ...["--imatrix", imatrix(kind)],
      );
      assertEquals([call.code, call.err], [0, ""]);
      const { metadata } = JSON.parse(
        (await run("inspect", out, "--json")).out,
      );
      assertEquals(
        metadata["quantize.imatrix.file"].value.slice(0, 127),
        imatrix(kind).slice(0, 127),
      );
      assertEquals(metadata["quantize.imatrix.dataset"].value, "calib.txt");
      assertEquals(metadata["quantize.imatrix.chunks_count"].value, 10);
      const told = JSON.parse(
        (await run("inspect", imatrix(kind), "--json")).out,
      );
      assertEquals(told.entries[0].name, "blk.0.attn_q.weight");
      assertEquals([told.entries[0].weights, told.chunks], [256, 10]);
      assertStringIncludes(
        (await run("inspect", imatrix(kind))).out,
        "10 chunks",
      );
    }
  });
});

Deno.test("importance that does not fit is an error that lists it, or a warning", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), {
      ...small,
      tensors: [...small.tensors, matrix("blk.0.attn_k", [8, 256])],
    });
    const args = [
      ...["quantize", path("m.gguf"), "-o", path("o.gguf")],
      ...["--recipe", "Q4_K_S", "--imatrix", imatrix("gguf")],
    ];
    const refused = await run(...args);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, `"blk.0.attn_k.weight" has none`);
    const partial = await run(...args, "--imatrix-partial");
    assertEquals(partial.code, 0, partial.err);
    assertStringIncludes(partial.err, `"blk.0.attn_k.weight" has none`);
  });
});

Deno.test("an importance file is no model, whichever kind it is", async () => {
  await withFolder(async (path) => {
    for (const kind of ["gguf", "dat"]) {
      const { code, err } = await run(
        ...[
          "quantize",
          imatrix(kind),
          "-o",
          path("o.gguf"),
          "--recipe",
          "Q4_0",
        ],
      );
      assertEquals(code, 1);
      assertStringIncludes(err, "pass it with --imatrix");
    }
  });
});

Deno.test("calls that contradict themselves are told so", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), small);
    await Deno.writeFile(
      path("m.f32"),
      new Uint8Array(weights(0, 256, 16).buffer),
    );
    const to = ["-o", path("o.gguf")];
    const wrong: [string[], string][] = [
      [["m.gguf", ...to, "--pure"], "goes with --recipe"],
      [
        ["m.gguf", ...to, "--recipe", "Q4_0", "--format", "q4_0"],
        "--format does not go",
      ],
      [["m.gguf", ...to, "--recipe", "Q4_K_X"], "Unknown recipe"],
      [["m.gguf", ...to, "--recipe", "Q4_0", "--tensor-type", "attn=Q9"], "Q9"],
      [
        ["m.gguf", ...to, "--recipe", "Q4_0", "--tensor-type", "attn"],
        "PATTERN=TYPE",
      ],
      [
        ["m.gguf", ...to, "--recipe", "Q4_0", "--tensor-type", "(=q4_0"],
        "(=q4_0",
      ],
      [["m.gguf", "-o", path("o.safetensors"), "--recipe", "Q4_0"], ".gguf"],
      [["m.f32", ...to, "--recipe", "Q4_0"], "recipes are for GGUF"],
      [
        ["m.gguf", "-o", "-", "--recipe", "Q4_0", "--keep-split"],
        "--keep-split",
      ],
    ];
    for (const [[input, ...rest], text] of wrong) {
      const { code, err } = await run("quantize", path(input), ...rest);
      assertEquals(code, 2, err);
      assertStringIncludes(err, text);
    }
    const { code } = await run(
      "quantize",
      path("m.gguf"),
      ...to,
      "--recipe",
      "Q4_0",
    );
    assertEquals(code, 0);
    assert((await Deno.stat(path("o.gguf"))).size > 0);
  });
});
