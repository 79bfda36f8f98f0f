import { assert, assertEquals, assertRejects } from "@std/assert";
import { type GgufFile, openGguf } from "../../src/files/gguf_read.ts";
import * as limits from "../../src/files/limits.ts";
import {
  array,
  int,
  join,
  kv,
  raw,
  record,
  roomy,
  SparseSource,
  str,
  u32,
} from "./gguf_support.ts";

const vectors = new URL("../vectors/", import.meta.url);

function read(bytes: Uint8Array, size?: number): Promise<GgufFile> {
  return openGguf(new SparseSource(bytes, size));
}

Deno.test("reads every value type that the reference package writes", async () => {
  const { version, alignment, values } = await read(
    await Deno.readFile(new URL("gguf_types.gguf", vectors)),
  );
  assertEquals([version, alignment], [3, 32]);
  const decoded = Object.fromEntries(
    [...values].map(([key, value]) => [`${key}|${value.type}`, value.value]),
  );
  assertEquals(Object.keys(decoded).length, values.size);
  assertEquals(decoded, {
    "general.architecture|string": "test",
    "v.u8|u8": 255,
    "v.i8|i8": -128,
    "v.u16|u16": 65535,
    "v.i16|i16": -32768,
    "v.u32|u32": 4294967295,
    "v.i32|i32": -2147483648,
    "v.f32|f32": Math.fround(0.1),
    "v.true|bool": true,
    "v.false|bool": false,
    "v.string|string": "größer 4 ≥ 3 🦙",
    "v.bom|string": "\ufeffmark",
    "v.nul|string": "a\0b",
    "v.latin1|string": "caf\ufffd",
    "v.u64|u64": 18446744073709551615n,
    "v.i64|i64": -9223372036854775808n,
    "v.f64|f64": 0.1,
    "__proto__|u32": 7,
    "a.u8|array": [0, 255],
    "a.i8|array": [-128, 127],
    "a.u16|array": [0, 65535],
    "a.i16|array": [-32768, 32767],
    "a.u32|array": [0, 4294967295],
    "a.i32|array": [-2147483648, 2147483647],
    "a.f32|array": [Math.fround(0.1), -2.5, Infinity],
    "a.bool|array": [true, false, true],
    "a.string|array": ["<unk>", "", "▁the", "\0"],
    "a.u64|array": [0n, 18446744073709551615n],
    "a.i64|array": [-9223372036854775808n, 9223372036854775807n],
    "a.f64|array": [0.1, 1e300],
  });
  assertEquals(values.get("a.u16")?.elementType, "u16");
  assertEquals(values.get("a.string")?.first(2), ["<unk>", ""]);
  assertEquals(values.get("a.string")?.length, 4);
});

Deno.test("reads the tensors that the reference package writes, slowest dimension first", async () => {
  const bytes = await Deno.readFile(new URL("gguf_types.gguf", vectors));
  const { tensors, container, metadata } = await read(bytes);
  assertEquals([container, metadata.size], ["gguf", 0]);
  assertEquals(
    tensors.map((
      { name, dtype, shape, byteLength },
    ) => [name, dtype, shape, byteLength]),
    [
      ["scalar", "F32", [], 4],
      ["f32", "F32", [2, 3, 4], 96],
      ["f16", "F16", [5], 10],
      ["f64", "F64", [3], 24],
      ["bf16", "BF16", [2, 3], 12],
      ["i8", "I8", [5], 5],
      ["i16", "I16", [5], 10],
      ["i32", "I32", [5], 20],
      ["i64", "I64", [5], 40],
      ["q4_0", "Q4_0", [3, 64], 108],
      ["q4_1", "Q4_1", [1, 64], 40],
      ["q4_k", "Q4_K", [2, 512], 576],
      ["iq4_nl", "IQ4_NL", [2, 64], 72],
      ["iq4_xs", "IQ4_XS", [1, 512], 272],
      ["mxfp4", "MXFP4", [3, 64], 102],
      ["nvfp4", "NVFP4", [1, 128], 72],
      ["q8_0", "Q8_0", [1, 64], 68],
      ["four.dimensions", "F32", [2, 1, 3, 2], 48],
    ],
  );
  assert(tensors.every(({ offset }) => offset % 32 === 0));
  const view = new DataView(bytes.buffer);
  assertEquals(view.getFloat32(tensors[0].offset, true), 1.5);
  assertEquals(view.getFloat32(tensors[17].offset + 44, true), 11 / 8 - 3);
  assertEquals(
    [...bytes.subarray(tensors[16].offset, tensors[16].offset + 3)],
    [0, 7, 14],
  );
});

Deno.test("reads a custom alignment, and a file without tensors", async () => {
  const aligned = await read(
    await Deno.readFile(new URL("gguf_alignment.gguf", vectors)),
  );
  assertEquals(aligned.alignment, 256);
  assertEquals(aligned.tensors.map(({ offset }) => offset), [256, 512, 1024]);
  const empty = await read(
    await Deno.readFile(new URL("gguf_empty.gguf", vectors)),
  );
  assertEquals([empty.tensors.length, empty.values.size], [0, 1]);
});

Deno.test("reads version 2", async () => {
  const { version, tensors } = await read(
    raw({ version: 2, tensors: [record("a", [4])], data: 16 }),
  );
  assertEquals([version, tensors[0].shape], [2, [4]]);
});

Deno.test("refuses every cut of a file, wherever it is", async () => {
  const bytes = await Deno.readFile(new URL("gguf_types.gguf", vectors));
  const { tensors } = await read(bytes);
  const end = tensors.at(-1)!.offset + tensors.at(-1)!.byteLength;
  for (let length = 0; length < end; length += 1) {
    await assertRejects(
      () => read(bytes.subarray(0, length)),
      SyntaxError,
      "Cannot read test.gguf as GGUF: ",
    );
  }
  assertEquals((await read(bytes.subarray(0, end))).tensors, tensors);
});

Deno.test("a refused count costs no memory", async () => {
  const source = new SparseSource(
    raw({ values: [array(10, limits.GGUF_HEADER_BYTES / 8)] }),
    roomy,
  );
  await assertRejects(() => openGguf(source), RangeError);
  assert(source.largestRead <= 64 * 1024, `${source.largestRead}`);
});

Deno.test("reads a vocabulary larger than its window, and keeps its bytes", async () => {
  const tokens = Array.from(
    { length: 50_000 },
    (_, i) => str(`▁token ${i} `.repeat(i % 7)),
  );
  const long = str("x".repeat(200_000));
  const bytes = raw({
    values: [
      array(8, tokens.length, ...tokens),
      kv("long", 8, long),
      u32("after", 9),
    ],
    tensors: [record("a", [4])],
    data: 16,
  });
  const source = new SparseSource(bytes);
  const { values } = await openGguf(source);
  assertEquals(
    values.get("a")?.bytes,
    join([int(4, 8), int(8, tokens.length), ...tokens]),
  );
  assertEquals(values.get("a")?.first(3), [
    "",
    "▁token 1 ",
    "▁token 2 ▁token 2 ",
  ]);
  assertEquals(
    (values.get("a")?.value as string[]).at(-1),
    `▁token 49999 `.repeat(49_999 % 7),
  );
  assertEquals(values.get("long")?.value, "x".repeat(200_000));
  assertEquals(values.get("after")?.value, 9);
  // Once to find its end, once to fetch it.
  assert(source.bytesRead < 3 * bytes.length, `${source.bytesRead}`);
});

Deno.test("offsets beyond 4 GiB are exact, and only the header is read", async () => {
  const gib = 2 ** 30;
  // 12 GiB, then 16 GiB + 4, then a small one.
  const bytes = raw({
    tensors: [
      record("a", [1024, 3 * 2 ** 20]),
      record("b", [2 ** 32 + 1], 0, 12 * gib),
      record("c", [8], 0, 28 * gib + 32),
    ],
  });
  const source = new SparseSource(bytes, bytes.length + 28 * gib + 64);
  const { tensors } = await openGguf(source);
  assertEquals(tensors.map(({ offset }) => offset - bytes.length), [
    0,
    12 * gib,
    28 * gib + 32,
  ]);
  assertEquals(tensors.map(({ byteLength }) => byteLength), [
    12 * gib,
    16 * gib + 4,
    32,
  ]);
  assert(source.bytesRead <= 64 * 1024);
});
