import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { openGguf } from "../../src/files/gguf_read.ts";
import { joinShards } from "../../src/files/gguf_shards.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf } from "../../src/files/gguf_write.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { SHARDS } from "../../src/files/limits.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { run } from "../cli/support.ts";
import { withFolder } from "./temporary_folder.ts";

/** What a shard says. */
interface Shard {
  no: number;
  count: number;
  /** Names of its tensors, of 64 values each: their place in the alphabet. */
  names: string[];
  /** Of all shards. */
  total?: number;
}

/** The bytes of a shard; the first one has the metadata of the model. */
function shardBytes({ no, count, names, total }: Shard): Uint8Array {
  const values = new Map<string, GgufValue>([
    ...(no === 0
      ? [["general.name", GgufValue.of("string", "split")] as const]
      : []),
    ["split.no", GgufValue.of("u16", no)],
    ["split.count", GgufValue.of("u16", count)],
    ...(total === undefined
      ? []
      : [["split.tensors.count", GgufValue.of("i32", total)] as const]),
  ]);
  const plan = planGguf(
    values,
    names.map((name) => ({ name, dtype: "F32", shape: [2, 32] })),
  );
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  plan.tensors.forEach(({ name, offset }) => {
    const letter = name.charCodeAt(0);
    new Float32Array(bytes.buffer, offset, 64).fill(letter);
  });
  return bytes;
}

const good: readonly Shard[] = [
  { no: 0, count: 3, names: ["a", "b"], total: 4 },
  { no: 1, count: 3, names: [], total: 4 },
  { no: 2, count: 3, names: ["c", "d"], total: 4 },
];

/** Writes shards; `path(n)` is where the n-th is, counted from 1. */
async function withShards(
  shards: readonly Shard[],
  test: (
    path: (n: number) => string,
    inFolder: (name: string) => string,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (inFolder) => {
    const path = (n: number) =>
      inFolder(`m-0000${n}-of-0000${shards.length}.gguf`);
    for (const [i, shard] of shards.entries()) {
      await writeFile(path(i + 1), shardBytes(shard));
    }
    await test(path, inFolder);
  });
}

Deno.test("every shard opens the whole", async () => {
  await withShards(good, async (path) => {
    for (const n of [1, 2, 3]) {
      const file = await openTensorFile(path(n));
      assertEquals(file.tensors.map(({ name }) => name), ["a", "b", "c", "d"]);
      assertEquals(file.paths, [path(1), path(2), path(3)]);
      assertEquals(file.source.name, path(n));
      assertEquals(
        [...(file as unknown as { values: Map<string, GgufValue> }).values]
          .map(([key, { value }]) => [key, value]),
        [["general.name", "split"]],
      );
      for (const { name, offset, byteLength } of file.tensors) {
        const values = new Float32Array(byteLength / 4);
        await file.source.read(offset, new Uint8Array(values.buffer));
        assertEquals(new Set(values), new Set([name.charCodeAt(0)]));
      }
      await file.source.close();
    }
  });
});

Deno.test("bytes are read across the ends of shards, and none beyond the last", async () => {
  await withShards(good, async (path) => {
    const file = await openTensorFile(path(2));
    const parts = await Promise.all([1, 2, 3].map((n) => readFile(path(n))));
    const all = new Uint8Array(file.source.size);
    await file.source.read(0, all);
    assertEquals(all.toHex(), parts.map((part) => part.toHex()).join(""));
    await assertRejects(
      () => file.source.read(1, all),
      RangeError,
      "at byte 1",
    );
    await file.source.close();
  });
});

const refused: readonly (readonly [
  title: string,
  shards: readonly Shard[],
  says: string,
])[] = [
  [
    "a shard of another split",
    [good[0], { ...good[1], count: 4 }, good[2]],
    "by its name it is shard 2 of 3, but its split.no is 1 and its split.count 4",
  ],
  [
    "shards that changed places",
    [good[0], good[2], good[1]],
    "by its name it is shard 2 of 3, but its split.no is 2 and its split.count 3",
  ],
  [
    "a tensor in two shards",
    [good[0], good[1], { ...good[2], names: ["a", "d"] }],
    'tensor "a" is in another shard too',
  ],
  [
    "a missing tensor",
    [good[0], good[1], { ...good[2], names: ["c"] }],
    "its split.tensors.count is 4, but its 3 shards have 3 tensors",
  ],
];

for (const [title, shards, says] of refused) {
  Deno.test(`refuses ${title}`, async () => {
    await withShards(shards, async (path) => {
      await assertRejects(() => openTensorFile(path(1)), SyntaxError, says);
    });
  });
}

Deno.test("a missing shard is named", async () => {
  await withShards(good, async (path) => {
    await rm(path(3));
    await assertRejects(
      () => openTensorFile(path(1)),
      Error,
      `Cannot read ${path(3)}`,
    );
  });
});

Deno.test("a shard whose name tells nothing of the others is refused, one of one is not", async () => {
  await withShards(good, async (path, inFolder) => {
    await copyFile(path(2), inFolder("second.gguf"));
    await assertRejects(
      () => openTensorFile(inFolder("second.gguf")),
      RangeError,
      "it is shard 2 of 3, but its name does not end in -00002-of-00003.gguf",
    );
    const only = shardBytes({ no: 0, count: 1, names: ["a"], total: 1 });
    await writeFile(inFolder("only.gguf"), only);
    const file = await openTensorFile(inFolder("only.gguf"));
    assertEquals(file.paths, undefined);
    await file.source.close();
  });
});

Deno.test("standard input has no siblings", async () => {
  const file = await openGguf(memorySource(shardBytes(good[0])));
  await assertRejects(
    () => joinShards(file, undefined),
    RangeError,
    "standard input has no siblings",
  );
});

Deno.test("a count beyond the limit is refused before anything is opened", async () => {
  const bytes = shardBytes({ no: 0, count: SHARDS + 1, names: ["a"] });
  const file = await openGguf(memorySource(bytes));
  await assertRejects(
    () => joinShards(file, "m-00001-of-01001.gguf"),
    RangeError,
    `at most ${SHARDS} are read`,
  );
});

Deno.test("shards joined by cat are refused with the reason", async () => {
  await withShards(good, async (path, inFolder) => {
    const parts = await Promise.all([1, 2, 3].map((n) => readFile(path(n))));
    const all = parts.flatMap((part) => [...part]);
    await writeFile(inFolder("cat.gguf"), Uint8Array.from(all));
    await assertRejects(
      () => openTensorFile(inFolder("cat.gguf")),
      SyntaxError,
      "it holds the shards of a split GGUF one after another",
    );
  });
});

Deno.test("no shard of the input is written over, with --force neither", async () => {
  const names = ["a", "b"];
  await withShards(
    [
      { no: 0, count: 2, names: ["a"], total: 2 },
      { no: 1, count: 2, names: ["b"], total: 2 },
    ],
    async (path, inFolder) => {
      const before = await readFile(path(2));
      const call = [
        ...["quantize", path(1), "--format", "q4_0", "--all", "--force", "-o"],
      ];
      for (
        const [to, ...flags] of [
          [path(2)],
          [inFolder("m.gguf"), "--split-max-tensors", "1"],
        ]
      ) {
        const refused = await run(...call, to, ...flags);
        assertEquals(refused.code, 1);
        assertStringIncludes(refused.err, "it is the input");
      }
      const out = inFolder("out.gguf");
      const done = await run(...call, out);
      assertEquals(done.code, 0, done.err);
      assertEquals(await readFile(path(2)), before);
      const { tensors } = JSON.parse((await run("inspect", out, "--json")).out);
      assertEquals(tensors.map(({ name }: { name: string }) => name), names);
    },
  );
});

Deno.test("inspect tells in how many files a model lies", async () => {
  await withShards(good, async (path) => {
    const { code, out } = await run("inspect", path(3));
    assertEquals(code, 0);
    assertStringIncludes(out, "in 3 files");
  });
});
