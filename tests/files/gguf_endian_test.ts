import { assertEquals, assertRejects } from "@std/assert";
import { memorySource } from "../../src/files/file_source.ts";
import { type GgufFile, openGguf } from "../../src/files/gguf_read.ts";
import type { GgufScalar, GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf } from "../../src/files/gguf_write.ts";
import { hasBigEndian, swapBlocks } from "../../src/ggml/big_endian.ts";
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { random } from "../adversarial.ts";

const vectors = new URL("../vectors/", import.meta.url);

async function dataOf(file: GgufFile, index = 0): Promise<Uint8Array> {
  const { offset, byteLength } = file.tensors[index];
  const bytes = new Uint8Array(byteLength);
  await file.source.read(offset, bytes);
  return bytes;
}

Deno.test("reads the reference package's big-endian file", async () => {
  const bytes = await Deno.readFile(new URL("gguf_big_endian.gguf", vectors));
  const file = await openGguf(memorySource(bytes));
  assertEquals([file.bigEndian, file.version, file.alignment], [true, 3, 32]);
  assertEquals(file.values.get("general.architecture")?.value, "test");
  assertEquals(
    file.tensors.map(({ name, dtype, shape }) => [
      name,
      dtype,
      shape,
    ]),
    [["a", "F32", [4]]],
  );
  const floats = new Float32Array((await dataOf(file)).buffer);
  const raw = new DataView(bytes.buffer, file.tensors[0].offset);
  assertEquals([...floats], [0, 4, 8, 12].map((at) => raw.getFloat32(at)));
  assertEquals(floats.every((x) => Math.abs(x) < 1000), true);
});

Deno.test("a little-endian file says so", async () => {
  const bytes = await Deno.readFile(new URL("gguf_types.gguf", vectors));
  assertEquals((await openGguf(memorySource(bytes))).bigEndian, false);
});

/** Turns a whole file round: its records are laid out anew with the other byte order. */
class BigEndianWriter {
  readonly #bytes: number[] = [];

  number(value: bigint | number, width: number): void {
    for (let k = width - 1; k >= 0; k--) {
      this.#bytes.push(Number(BigInt(value) >> BigInt(8 * k) & 255n));
    }
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.number(bytes.length, 8);
    this.#bytes.push(...bytes);
  }

  pad(): void {
    while (this.#bytes.length % 32 !== 0) this.#bytes.push(0);
  }

  raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

/** Two blocks of a type, as a big-endian machine has them, in a file. */
function fileOf(dtype: string, big: Uint8Array): Uint8Array<ArrayBuffer> {
  const { id, blockSize } = ggmlLayouts.get(dtype)!;
  const out = new BigEndianWriter();
  out.raw(new TextEncoder().encode("GGUF"));
  out.number(3, 4);
  out.number(1, 8);
  out.number(0, 8);
  out.text("t");
  out.number(1, 4);
  out.number(2 * blockSize, 8);
  out.number(id, 4);
  out.number(0, 8);
  out.pad();
  out.raw(big);
  return out.bytes;
}

for (const { name, blockBytes } of ggmlLayouts.values()) {
  if (!hasBigEndian(name)) continue;
  Deno.test(`${name} reads the same from a big-endian file, in any stretch`, async () => {
    const next = random(7);
    const little = Uint8Array.from(
      { length: 2 * blockBytes },
      () => next() * 256,
    );
    const big = little.slice();
    swapBlocks(name, blockBytes, big);
    const file = await openGguf(memorySource(fileOf(name, big)));
    assertEquals(await dataOf(file), little);
    const { offset } = file.tensors[0];
    for (let k = 0; k < 20; k++) {
      const from = Math.floor(next() * little.length);
      const part = new Uint8Array(
        Math.floor(next() * (little.length - from + 1)),
      );
      await file.source.read(offset + from, part);
      assertEquals(part, little.subarray(from, from + part.length));
    }
  });
}

Deno.test("the fields of big-endian blocks are where the blocks are drawn", () => {
  const swapped = (name: string) => {
    const { blockBytes } = ggmlLayouts.get(name)!;
    const block = Uint8Array.from({ length: blockBytes }, (_, i) => i);
    swapBlocks(name, blockBytes, block);
    return [...block].flatMap((byte, i) => byte === i ? [] : [i]);
  };
  assertEquals(swapped("Q4_0"), [0, 1]);
  assertEquals(swapped("Q5_1"), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(swapped("Q6_K"), [208, 209]);
  assertEquals(swapped("Q4_K"), [0, 1, 2, 3]);
  assertEquals(swapped("MXFP4"), []);
});

Deno.test("a type without a big-endian layout is refused by name, its little-endian twin is not", async () => {
  const { blockBytes, blockSize } = ggmlLayouts.get("IQ2_XXS")!;
  await assertRejects(
    () =>
      openGguf(memorySource(fileOf("IQ2_XXS", new Uint8Array(2 * blockBytes)))),
    RangeError,
    'it is big-endian, and tensor "t" is of type IQ2_XXS',
  );
  const plan = planGguf(new Map(), [
    { name: "t", dtype: "IQ2_XXS", shape: [2 * blockSize] },
  ]);
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  assertEquals((await openGguf(memorySource(bytes))).tensors, plan.tensors);
});

Deno.test("metadata of every kind reads the same from a big-endian file", async () => {
  const out = new BigEndianWriter();
  out.raw(new TextEncoder().encode("GGUF"));
  out.number(3, 4);
  out.number(0, 8);
  out.number(5, 8);
  out.text("u16");
  out.number(2, 4);
  out.number(0x1234, 2);
  out.text("f32");
  out.number(6, 4);
  out.number(0x3fc00000, 4);
  out.text("text");
  out.number(8, 4);
  out.text("grüße");
  out.text("texts");
  out.number(9, 4);
  out.number(8, 4);
  out.number(2, 8);
  out.text("a");
  out.text("");
  out.text("i64s");
  out.number(9, 4);
  out.number(11, 4);
  out.number(2, 8);
  out.number(1, 8);
  out.number(0xffffffffffffffffn, 8);
  out.pad();
  const { values } = await openGguf(memorySource(out.bytes));
  const first = (value: GgufValue): GgufScalar[] => value.first(9);
  assertEquals(
    Array.from(values, ([key, value]) => [key, first(value)]),
    [
      ["u16", [0x1234]],
      ["f32", [1.5]],
      ["text", ["grüße"]],
      ["texts", ["a", ""]],
      ["i64s", [1n, -1n]],
    ],
  );
});
