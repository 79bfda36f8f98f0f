// A folder of shards and its index are read as one file; index and shards have
// to agree, and no name leads out of the folder.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { openTensorFile } from "../../src/files/open.ts";
import { safetensorsBytes } from "../cli/support.ts";
import { casePath } from "./support.ts";
import { withFolder } from "./temporary_folder.ts";

const INDEX = "model.safetensors.index.json";
const FIRST = "model-00001-of-00002.safetensors";
const SECOND = "model-00002-of-00002.safetensors";

type Path = (name: string) => string;

/** A copy of a real folder of two shards. */
async function withCheckpoint(test: (path: Path) => Promise<void>) {
  await withFolder(async (path) => {
    await cp(casePath("c05_hf"), path("hf"), { recursive: true });
    await test((name) => path(`hf/${name}`));
  });
}

/** Rewrites the index by a change of its map. */
async function changeIndex(
  path: Path,
  change: (map: Record<string, unknown>) => void,
): Promise<void> {
  const index = JSON.parse(await readFile(path(INDEX), "utf8"));
  change(index.weight_map);
  await writeFile(path(INDEX), JSON.stringify(index));
}

async function opened<T>(
  path: string,
  look: (file: Awaited<ReturnType<typeof openTensorFile>>) => T | Promise<T>,
): Promise<T> {
  const file = await openTensorFile(path);
  try {
    return await look(file);
  } finally {
    await file.source.close();
  }
}

Deno.test("folder and index open all shards, every tensor with its own bytes", async () => {
  await withCheckpoint(async (path) => {
    for (const input of [path("."), path(""), path(INDEX)]) {
      await opened(input, async (file) => {
        assertEquals(file.tensors.map(({ name }) => name).sort(), [
          "lm_head.weight",
          "model.embed_tokens.weight",
          "model.layers.0.self_attn.q_proj.weight",
          "model.layers.1.self_attn.q_proj.weight",
        ]);
        assertEquals(file.checkpoint!.shards.map(({ name }) => name), [
          FIRST,
          SECOND,
        ]);
        for (const name of [FIRST, SECOND]) {
          await opened(path(name), async (alone) => {
            for (const entry of alone.tensors) {
              const there = file.tensors.find((e) => e.name === entry.name)!;
              const [a, b] = [alone, file].map(() =>
                new Uint8Array(entry.byteLength)
              );
              await alone.source.read(entry.offset, a);
              await file.source.read(there.offset, b);
              assertEquals(a, b);
            }
          });
        }
      });
    }
  });
});

const faults: [
  what: string,
  change: (map: Record<string, unknown>) => void,
  message: string,
][] = [
  [
    "a tensor that is in no shard",
    (map) => map["more.weight"] = FIRST,
    `by the index tensor "more.weight" is in "${FIRST}", but it is not there`,
  ],
  [
    "a tensor that is in another shard",
    (map) => map["lm_head.weight"] = FIRST,
    `by the index tensor "lm_head.weight" is in "${FIRST}", but it is in "${SECOND}"`,
  ],
  [
    "a tensor that the index does not name",
    (map) => delete map["lm_head.weight"],
    `tensor "lm_head.weight" of "${SECOND}" is not in the index`,
  ],
  ...[
    "../model.safetensors",
    "/etc/model.safetensors",
    "sub/model.safetensors",
    "..\\model.safetensors",
    "C:model.safetensors",
    "model\0.safetensors",
    "config.json",
  ].map((name): (typeof faults)[number] => [
    `the name ${JSON.stringify(name)}`,
    (map) => map["lm_head.weight"] = name,
    "which is no name of a .safetensors file in the folder",
  ]),
  [
    "a number for a name",
    (map) => map["lm_head.weight"] = 7,
    'tensor "lm_head.weight" is in what is no text',
  ],
  [
    "no names",
    (map) => Object.keys(map).forEach((key) => delete map[key]),
    "its weight_map is empty",
  ],
];

for (const [what, change, message] of faults) {
  Deno.test(`an index with ${what} is refused, its twin opened`, async () => {
    await withCheckpoint(async (path) => {
      assertEquals(await opened(path("."), (file) => file.tensors.length), 4);
      await changeIndex(path, change);
      const error = await assertRejects(
        () => openTensorFile(path(".")),
        SyntaxError,
      );
      assertStringIncludes(error.message, message);
    });
  });
}

Deno.test("a tensor in two shards is refused, its twin opened", async () => {
  await withFolder(async (path) => {
    const shard = (...names: string[]) =>
      safetensorsBytes(
        names.map((name) => ({
          ...{ name, dtype: "F32", shape: [1], data: new Float32Array(1) },
        })),
      );
    const weight_map = { a: "a.safetensors", b: "b.safetensors" };
    await writeFile(path(INDEX), JSON.stringify({ weight_map }));
    await writeFile(path("a.safetensors"), shard("a"));
    await writeFile(path("b.safetensors"), shard("b"));
    assertEquals(await opened(path("."), (file) => file.tensors.length), 2);
    await writeFile(path("b.safetensors"), shard("b", "a"));
    await assertRejects(
      () => openTensorFile(path(".")),
      SyntaxError,
      'tensor "a" is in "a.safetensors" and "b.safetensors"',
    );
  });
});

Deno.test("a missing shard is told by name, its twin opened", async () => {
  await withCheckpoint(async (path) => {
    assertEquals(await opened(path("."), (file) => file.tensors.length), 4);
    await rm(path(SECOND));
    await assertRejects(() => openTensorFile(path(".")), Error, SECOND);
  });
});

Deno.test("a folder without a model is refused; one file in it is enough", async () => {
  await withFolder(async (path) => {
    await assertRejects(
      () => openTensorFile(path(".")),
      RangeError,
      "it is a folder without model.safetensors or model.safetensors.index.json",
    );
    const bytes = safetensorsBytes([
      { name: "a", dtype: "F32", shape: [1], data: new Float32Array(1) },
    ]);
    await writeFile(path("one.safetensors"), bytes);
    assertEquals(await opened(path("."), (file) => file.tensors.length), 1);
    await writeFile(path("two.safetensors"), bytes);
    await assertRejects(
      () => openTensorFile(path(".")),
      RangeError,
      'it has "one.safetensors" and "two.safetensors", but no model.safetensors and no index',
    );
    await writeFile(path("model.safetensors"), bytes);
    assertEquals(
      await opened(path("."), (file) => file.checkpoint!.shards[0].name),
      "model.safetensors",
    );
  });
});
