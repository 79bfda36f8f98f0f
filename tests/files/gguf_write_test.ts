import { assert, assertEquals, assertThrows } from "@std/assert";
import { gguf } from "@huggingface/gguf";
import type { ByteSource } from "../../src/files/bytes.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { createFile } from "../../src/files/file_sink.ts";
import { type GgufFile, isGguf, openGguf } from "../../src/files/gguf_read.ts";
import {
  type GgufTensor,
  planGguf,
  writeGgufFrame,
} from "../../src/files/gguf_write.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { padTo } from "../../src/files/gguf_types.ts";
import { ggmlLayouts } from "../../src/ggml/table.ts";
import * as limits from "../../src/files/limits.ts";
import { withFolder } from "./temporary_folder.ts";
import { kv, raw, record, SparseSource, str } from "./gguf_support.ts";

const vectors = new URL("../vectors/", import.meta.url);

/** A file written by a plan, the data of its tensors copied from `file`. */
async function rewrite(file: GgufFile): Promise<Uint8Array> {
  const plan = planGguf(file.values, file.tensors);
  const bytes = new Uint8Array(plan.size).fill(0xee);
  await writeGgufFrame({
    write: (offset, part) => Promise.resolve(bytes.set(part, offset)),
  }, plan);
  for (const [i, { offset, byteLength }] of plan.tensors.entries()) {
    await file.source.read(
      file.tensors[i].offset,
      bytes.subarray(offset, offset + byteLength),
    );
  }
  return bytes;
}

for (const name of ["types", "alignment", "empty"]) {
  Deno.test(`a copy of the reference package's gguf_${name} has the same bytes`, async () => {
    const bytes = await Deno.readFile(new URL(`gguf_${name}.gguf`, vectors));
    assertEquals(
      await rewrite(await openGguf(new SparseSource(bytes))),
      bytes,
    );
  });
}

Deno.test("a copy keeps what decoding would change: NaN payloads, odd booleans, bytes that are no UTF-8", async () => {
  const bytes = raw({
    values: [
      kv("nan", 6, new Uint8Array([1, 0, 0xa0, 0xff])),
      kv("true", 7, new Uint8Array([0x80])),
      kv("text", 8, str(new Uint8Array([0xff, 0, 0xed, 0xa0, 0x80]))),
    ],
  });
  const file = await openGguf(new SparseSource(bytes));
  assertEquals(await rewrite(file), bytes);
  assertEquals(file.values.get("true")?.value, true);
});

Deno.test("a missing padding of the last tensor is written", async () => {
  const bytes = raw({ tensors: [record("a", [5])], data: 20 });
  const file = await openGguf(new SparseSource(bytes));
  assertEquals((await rewrite(file)).length, bytes.length + 12);
});

Deno.test("a file on disk reads back here and in @huggingface/gguf", async () => {
  await withFolder(async (inFolder) => {
    const path = inFolder("tiny.gguf");
    const values = new Map([
      ["general.architecture", GgufValue.of("string", "llama")],
      ["general.alignment", GgufValue.of("u32", 64)],
      ["llama.block_count", GgufValue.of("u32", 2)],
      ["big", GgufValue.of("u64", 2n ** 64n - 1n)],
      ["small", GgufValue.of("i8", -128)],
      ["pi", GgufValue.of("f32", Math.PI)],
      ["yes", GgufValue.of("bool", true)],
      ["tokens", GgufValue.array("string", ["a", "", "▁ü"])],
      ["scores", GgufValue.array("f32", [0.5, -1])],
      ["none", GgufValue.array("i32", [])],
    ]);
    const tensors = [
      { name: "a", dtype: "F32", shape: [2, 3] },
      { name: "b", dtype: "Q4_K", shape: [2, 256] },
      { name: "c", dtype: "F16", shape: [7] },
    ];
    const plan = planGguf(values, tensors);
    const sink = await createFile(path);
    await writeGgufFrame(sink, plan);
    for (const [i, { offset, byteLength }] of plan.tensors.entries()) {
      await sink.write(offset, new Uint8Array(byteLength).fill(i + 1));
    }
    await sink.commit();

    const file = await openTensorFile(path);
    const { source } = file;
    assert(isGguf(file));
    assertEquals(source.size, plan.size);
    assertEquals(file.tensors, plan.tensors);
    assertEquals(file.alignment, 64);
    assertEquals([...file.values], [...values]);
    for (const [i, tensor] of file.tensors.entries()) {
      const data = await bytesOf(source, tensor.offset, tensor.byteLength);
      assert(data.every((byte) => byte === i + 1), tensor.name);
    }
    await source.close();

    const parsed = await gguf(path, { allowLocalFile: true });
    const { version, tensor_count, kv_count, ...theirs } = parsed.metadata;
    assertEquals([version, tensor_count, kv_count], [3, 3n, 10n]);
    assertEquals<unknown>(
      theirs,
      Object.fromEntries([...values].map(([key, value]) => [key, value.value])),
    );
    assertEquals(
      parsed.tensorInfos.map((info) => [
        info.name,
        info.dtype as number,
        info.shape.map(Number).reverse(),
        Number(parsed.tensorDataOffset + info.offset),
      ]),
      plan.tensors.map(({ name, dtype, shape, offset }) => [
        name,
        ggmlLayouts.get(dtype)!.id,
        shape,
        offset,
      ]),
    );
  });
});

async function bytesOf(source: ByteSource, offset: number, length: number) {
  const bytes = new Uint8Array(length);
  await source.read(offset, bytes);
  return bytes;
}

const text = GgufValue.of("string", "x");
const tensor = (change: Partial<GgufTensor> = {}): GgufTensor => ({
  name: "a",
  dtype: "F32",
  shape: [4],
  ...change,
});
const refused: readonly {
  title: string;
  bad: () => unknown;
  says: string;
  good: () => unknown;
}[] = [
  {
    title: "an empty key",
    bad: () => planGguf(new Map([["", text]]), []),
    says: "key is empty",
    good: () => planGguf(new Map([["k", text]]), []),
  },
  {
    title: "a key of 65536 bytes",
    bad: () => planGguf(new Map([["ü".repeat(32_768), text]]), []),
    says: "has 65536 bytes; at most 65535",
    good: () => planGguf(new Map([["ü".repeat(32_767), text]]), []),
  },
  {
    title: "a NUL in a key",
    bad: () => planGguf(new Map([["a\0", text]]), []),
    says: 'metadata key "a\\u{0}" holds a NUL',
    good: () => planGguf(new Map([["a", GgufValue.of("string", "\0")]]), []),
  },
  {
    title: "half a surrogate pair in a name",
    bad: () => planGguf(new Map(), [tensor({ name: "\ud83e" })]),
    says: "half a surrogate pair",
    good: () => planGguf(new Map(), [tensor({ name: "🦙" })]),
  },
  {
    title: "too many values",
    bad: () => planGguf(manyValues(limits.GGUF_VALUE_COUNT + 1), []),
    says: "65537 metadata values",
    good: () => planGguf(manyValues(limits.GGUF_VALUE_COUNT), []),
  },
  {
    title: "too many tensors",
    bad: () =>
      planGguf(new Map(), { length: limits.TENSOR_COUNT + 1 } as GgufTensor[]),
    says: "1000001 tensors",
    good: () => planGguf(new Map(), [tensor()]),
  },
  {
    title: "a header beyond the limit",
    bad: () => planGguf(manyValues(3, limits.GGUF_HEADER_BYTES / 3), []),
    says: `above the limit of ${limits.GGUF_HEADER_BYTES}`,
    good: () => planGguf(manyValues(3, 1024), []),
  },
  {
    title: "an alignment that is no u32",
    bad: () =>
      planGguf(new Map([["general.alignment", GgufValue.of("i32", 32)]]), []),
    says: "of type i32; it must be u32",
    good: () =>
      planGguf(new Map([["general.alignment", GgufValue.of("u32", 8)]]), []),
  },
  {
    title: "a name of 64 bytes",
    bad: () => planGguf(new Map(), [tensor({ name: "n".repeat(64) })]),
    says: "has 64 bytes; at most 63",
    good: () => planGguf(new Map(), [tensor({ name: "n".repeat(63) })]),
  },
  {
    title: "a duplicate name",
    bad: () => planGguf(new Map(), [tensor(), tensor()]),
    says: 'tensor "a" occurs twice',
    good: () => planGguf(new Map(), [tensor(), tensor({ name: "b" })]),
  },
  {
    title: "a dtype that GGUF lacks",
    bad: () => planGguf(new Map(), [tensor({ dtype: "F8_E4M3" })]),
    says: 'tensor "a" has dtype F8_E4M3',
    good: () => planGguf(new Map(), [tensor({ dtype: "BF16" })]),
  },
  {
    title: "five dimensions",
    bad: () => planGguf(new Map(), [tensor({ shape: [1, 1, 1, 1, 1] })]),
    says: "has 5 dimensions; GGUF has at most 4",
    good: () => planGguf(new Map(), [tensor({ shape: [1, 1, 1, 1] })]),
  },
  {
    title: "a dimension of 0",
    bad: () => planGguf(new Map(), [tensor({ shape: [0, 4] })]),
    says: "shape [0,4]",
    good: () => planGguf(new Map(), [tensor({ shape: [1, 4] })]),
  },
  {
    title: "a fractional dimension",
    bad: () => planGguf(new Map(), [tensor({ shape: [1.5] })]),
    says: "shape [1.5]",
    good: () => planGguf(new Map(), [tensor({ shape: [] })]),
  },
  {
    title: "a row that is no whole number of blocks",
    bad: () =>
      planGguf(new Map(), [tensor({ dtype: "Q4_K", shape: [256, 128] })]),
    says: "rows of 128 values; Q4_K needs a multiple of 256",
    good: () =>
      planGguf(new Map(), [tensor({ dtype: "Q4_K", shape: [128, 256] })]),
  },
  {
    title: "tensors beyond 2^53 bytes",
    bad: () =>
      planGguf(new Map(), [
        tensor({ shape: [2 ** 50] }),
        tensor({ name: "b", shape: [2 ** 50] }),
      ]),
    says: 'tensor "b" ends beyond 2^53',
    good: () => planGguf(new Map(), [tensor({ shape: [2 ** 50] })]),
  },
];

function manyValues(count: number, size = 1): Map<string, GgufValue> {
  const value = new GgufValue("u8", "u8", 1, new Uint8Array(size));
  return new Map(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
}

for (const { title, bad, says, good } of refused) {
  Deno.test(`does not lay out ${title}, but its twin`, () => {
    const { message } = assertThrows(bad, RangeError, says);
    assert(!message.endsWith("."), message);
    good();
  });
}

Deno.test("lays out a model larger than any disk exactly", () => {
  const shape = [2 ** 20, 2 ** 20, 32];
  const plan = planGguf(new Map(), [
    { name: "a", dtype: "Q4_0", shape },
    { name: "b", dtype: "F32", shape: [1] },
  ]);
  assertEquals(plan.tensors[0].byteLength, 18 * 2 ** 40);
  assertEquals(plan.tensors[1].offset, plan.header.length + 18 * 2 ** 40);
  assertEquals(plan.size, plan.tensors[1].offset + 32);
  assertEquals(plan.header.length, padTo(24 + 8 + 1 + 40 + 8 + 1 + 24, 32));
});
