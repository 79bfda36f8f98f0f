// GGUF in several files: `--split-max-size` and `--split-max-tensors`.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { readdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { ByteSink } from "../../src/files/bytes.ts";
import { createFile } from "../../src/files/file_sink.ts";
import { splitGroups } from "../../src/files/gguf_split.ts";
import { openGguf } from "../../src/files/gguf_read.ts";
import { openFile } from "../../src/files/file_source.ts";
import { commitAll } from "../../src/files/joined_sink.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { tinyMetadata, writeTinyLlama } from "../peers/tiny_llama.ts";
import { json, run, tensorContents } from "./support.ts";

const llama = await openLlama();
const ignore = llama === undefined;

/** Path of a shard, counted from 1. */
const shard = (stem: string, no: number, count: number) =>
  `${stem}-0000${no}-of-0000${count}.gguf`;

/** Metadata and names of one file of several. */
async function alone(path: string) {
  const source = await openFile(path);
  const { values, tensors } = await openGguf(source);
  await source.close();
  return {
    values,
    names: tensors.map(({ name }) => name),
    sizes: tensors.map(({ byteLength }) => byteLength),
  };
}

Deno.test("tensors are dealt out as gguf-split does", () => {
  const sizes = [10, 64, 33, 1000, 1, 32, 32];
  assertEquals(splitGroups(sizes, { tensors: 3 }), [[0, 1, 2], [3, 4, 5], [6]]);
  assertEquals(splitGroups(sizes, { tensors: 7 }), [[0, 1, 2, 3, 4, 5, 6]]);
  // Padded to 32: 32, 64, 64, 1024, 32, 32, 32.
  assertEquals(
    splitGroups(sizes, { bytes: 96 }),
    [[0, 1], [2], [3], [4, 5, 6]],
  );
  assertEquals(splitGroups(sizes, { bytes: 1 }).length, 7);
  assertEquals(splitGroups([], { tensors: 1 }), [[]]);
  assertEquals(
    splitGroups(new Array(1000).fill(1), { tensors: 1 }).length,
    1000,
  );
  try {
    splitGroups(new Array(1001).fill(1), { tensors: 1 });
    throw new Error("it was split");
  } catch (error) {
    assertStringIncludes((error as Error).message, "it would be 1001 files");
  }
});

for (
  const [how, flags] of [
    ["--split-max-tensors", ["--split-max-tensors", "8"]],
    ["--split-max-size", ["--split-max-size", "1M"]],
  ] as const
) {
  Deno.test(`${how} writes files that open as one, also in llama.cpp`, {
    ignore,
  }, async () => {
    await withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      for (
        const [stem, what] of [
          ["format", ["quantize", "--format", "q4_0"]],
          ["recipe", ["quantize", "--recipe", "Q4_K_M"]],
          ["floats", ["dequantize", "--to", "f16", "--cast", "*=F32"]],
        ] as const
      ) {
        const [command, ...rest] = what;
        const call = [command, path("f32.gguf"), "-o", path(`${stem}.gguf`)];
        await json(...call, ...rest);
        const { output } = await json(...call, ...rest, ...flags);
        const files: string[] = [output].flat();
        const count = files.length;
        assertEquals(
          files,
          files.map((_, i) => shard(path(stem), i + 1, count)),
        );
        if (stem === "floats") assert(count > 2, `${count} files`);
        for (const file of files) {
          const { sizes } = await alone(file);
          const bytes = sizes.reduce((a, b) => a + b, 0);
          assert(
            how === "--split-max-size"
              ? bytes <= 1e6 || sizes.length === 1
              : sizes.length <= 8,
            `${sizes.length} tensors of ${bytes} bytes`,
          );
        }
        const whole = await tensorContents(path(`${stem}.gguf`));
        const parts = await tensorContents(files.at(-1)!);
        assertEquals(parts, whole);
        const first = await alone(files[0]);
        assertEquals(
          [...first.values.keys()].slice(-3),
          ["split.no", "split.count", "split.tensors.count"],
        );
        assertEquals(
          first.values.get("general.name"),
          tinyMetadata.get("general.name"),
        );
        const tokens = llama!.tokenize(path("f32.gguf"), "the zebra\n");
        assertEquals(
          llama!.logits(files[0], tokens),
          llama!.logits(path(`${stem}.gguf`), tokens),
        );
      }
    });
  });
}

Deno.test("later files have no metadata but split.*, as gguf-split writes them", async () => {
  await withFolder(async (path) => {
    await writeTinyLlama(path("f32.gguf"));
    await json(
      ...["quantize", path("f32.gguf"), "-o", path("q.gguf")],
      ...["--format", "q4_0", "--split-max-tensors", "9"],
    );
    const files = [1, 2, 3].map((no) => shard(path("q"), no, 3));
    const all = await Promise.all(files.map(alone));
    for (const [no, { values, names }] of all.entries()) {
      const split = [...values].filter(([key]) => key.startsWith("split."));
      assertEquals(
        split.map(([key, { type, value }]) => [key, type, value]),
        [
          ["split.no", "u16", no],
          ["split.count", "u16", 3],
          ["split.tensors.count", "i32", 21],
        ],
      );
      assertEquals(no === 0, values.size > 3);
      assertEquals(names.length, no < 2 ? 9 : 3);
    }
    // Split again, or joined: nothing is left of the old files' numbers.
    await json(
      ...["dequantize", files[1], "-o", path("one.gguf"), "--to", "f32"],
    );
    const { values } = await alone(path("one.gguf"));
    assertEquals(
      [...values.keys()].some((key) => key.startsWith("split.")),
      false,
    );
  });
});

Deno.test("flags that make no sense are wrong calls", async () => {
  await withFolder(async (path) => {
    await writeTinyLlama(path("m.gguf"));
    const to = ["quantize", path("m.gguf"), "-o"];
    const gguf = [...to, path("q.gguf"), "--format", "q4_0"];
    for (
      const [args, message] of [
        [[...gguf, "--split-max-size", "10"], "it is N(M|G), such as 500M"],
        [[...gguf, "--split-max-size", "0M"], "it is N(M|G)"],
        [[...gguf, "--split-max-tensors", "2M"], "it is N, such as 128"],
        [
          [...gguf, "--split-max-tensors", "2", "--split-max-size", "1G"],
          "drop the other",
        ],
        [
          [...to, path("q.safetensors"), "--split-max-tensors", "2"],
          "is for .gguf outputs",
        ],
        [
          [
            ...[...to, path("q.gguf"), "--recipe", "Q4_0", "--keep-split"],
            ...["--split-max-tensors", "2"],
          ],
          "one of them says how many files",
        ],
      ] as const
    ) {
      const { code, out, err } = await run(...args);
      assertEquals([code, out], [2, ""], args.join(" "));
      assertStringIncludes(err, message);
    }
    assertEquals((await run(...gguf, "--split-max-size", "1G")).code, 0);
    assertEquals(
      (await readdir(dirname(path("m.gguf")))).sort(),
      ["m.gguf", basename(shard(path("q"), 1, 1))],
    );
  });
});

Deno.test("all files appear, or none does", async () => {
  await withFolder(async (path) => {
    await writeTinyLlama(path("m.gguf"));
    const call = [
      ...["quantize", path("m.gguf"), "-o", path("q.gguf")],
      ...["--format", "q4_0", "--split-max-tensors", "9"],
    ];
    const taken = shard(path("q"), 2, 3);
    await writeFile(taken, "mine");
    const before = (await readdir(dirname(taken))).sort();
    const refused = await run(...call);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "pass --force");
    assertEquals((await readdir(dirname(taken))).sort(), before);
    assertEquals((await run(...call, "--force")).code, 0);

    // A name that is taken between the check and the end.
    const sinks: ByteSink[] = [];
    for (const name of ["a", "b", "c"]) {
      const sink = await createFile(path(name));
      await sink.write(0, Uint8Array.of(1));
      sinks.push(sink);
    }
    await writeFile(path("b"), "mine");
    await assertRejects(() => commitAll(sinks), Error, "appeared meanwhile");
    for (const sink of sinks) await sink.abort();
    const names = await readdir(dirname(taken));
    assertEquals(names.filter((name) => /^\.?[abc]/.test(name)), ["b"]);
    assertEquals(await Deno.readTextFile(path("b")), "mine");
  });
});
