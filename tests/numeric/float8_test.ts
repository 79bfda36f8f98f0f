import { assert, assertEquals } from "@std/assert";
import { memorySource } from "../../src/files/file_source.ts";
import { readFloats } from "../../src/files/floats.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import {
  decodeFloat8,
  float8ToF32,
  isFloat8,
} from "../../src/numeric/float8.ts";
import { vector } from "../files/support.ts";

const golden = await openSafetensors(
  memorySource(await vector("float8.safetensors")),
);

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const { offset, byteLength } = golden.tensors.find((entry) =>
    entry.name === name
  )!;
  const bytes = new Uint8Array(byteLength);
  await golden.source.read(offset, bytes);
  return bytes;
}

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer);

for (const dtype of ["F8_E4M3", "F8_E5M2", "F8_E8M0"] as const) {
  Deno.test(`${dtype}: all 256 bytes are what ml_dtypes makes of them, NaN bits too`, async () => {
    const bytes = await bytesOf(dtype);
    const expected = new Uint32Array(
      (await bytesOf(`${dtype} as F32`)).buffer,
    );
    const decoded = new Float32Array(256);
    decodeFloat8(bytes, dtype, decoded);
    assertEquals(bitsOf(decoded), expected);
    for (let byte = 0; byte < 256; byte++) {
      assert(
        Object.is(float8ToF32(byte, dtype), decoded[byte]),
        `byte ${byte}`,
      );
    }
    const entry = golden.tensors.find(({ name }) => name === dtype)!;
    const read = new Float32Array(256);
    await readFloats(golden, entry, 0, read);
    assertEquals(bitsOf(read), expected);
    const middle = new Float32Array(3);
    await readFloats(golden, entry, 125, middle);
    assertEquals(bitsOf(middle), expected.slice(125, 128));
  });
}

Deno.test("float8: the largest, the smallest and what is no number", () => {
  assertEquals(float8ToF32(0x7e, "F8_E4M3"), 448);
  assertEquals(float8ToF32(0x01, "F8_E4M3"), 2 ** -9);
  assertEquals(float8ToF32(0xff, "F8_E4M3"), NaN);
  assertEquals(float8ToF32(0x7b, "F8_E5M2"), 57344);
  assertEquals(float8ToF32(0xfc, "F8_E5M2"), -Infinity);
  assertEquals(float8ToF32(0, "F8_E8M0"), 2 ** -127);
  assertEquals(float8ToF32(255, "F8_E8M0"), NaN);
});

Deno.test("float8: variants with other rules for NaN are none of these", () => {
  assert(isFloat8("F8_E4M3"));
  assert(!isFloat8("F8_E4M3FNUZ"));
  assert(!isFloat8("toString"));
});
