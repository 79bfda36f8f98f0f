import { assert, assertEquals, assertThrows } from "@std/assert";
import { formats } from "../../src/formats.ts";
import { type GgmlType, ggmlTypes } from "../../src/ggml/mod.ts";
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { writableTypes } from "../../src/ggml/writable.ts";
import { bits, random } from "../adversarial.ts";
import { readIndex, sha256 } from "../formats/ggml_vectors.ts";
import { randomBlocks, valueCount } from "./ggml_cases.ts";

const index = await readIndex();
const byName: ReadonlyMap<string, unknown> = formats;

function typeNamed(name: string): GgmlType {
  return ggmlTypes.get(name)!;
}

for (const [name, hash] of Object.entries(index.random)) {
  Deno.test(`${name} reads random blocks to the golden values`, async () => {
    const type = typeNamed(name);
    const values = new Float32Array(valueCount(type));
    type.dequantize(randomBlocks(type), values);
    assertEquals(await sha256(bits(values)), hash);
  });
}

/** What a block consists of, in bytes: scales and offsets, then codes, signs and the like. */
const fields: Readonly<Record<string, readonly number[]>> = {
  Q4_0: [2, 16],
  Q4_1: [2, 2, 16],
  Q5_0: [2, 4, 16],
  Q5_1: [2, 2, 4, 16],
  Q8_0: [2, 32],
  Q8_1: [2, 2, 32],
  Q2_K: [16, 64, 2, 2],
  Q3_K: [32, 64, 12, 2],
  Q4_K: [2, 2, 12, 128],
  Q5_K: [2, 2, 12, 32, 128],
  Q6_K: [128, 64, 16, 2],
  Q8_K: [4, 256, 32],
  IQ1_S: [2, 32, 16],
  IQ1_M: [32, 16, 8],
  IQ2_XXS: [2, 64],
  IQ2_XS: [2, 64, 8],
  IQ2_S: [2, 64, 8, 8],
  IQ3_XXS: [2, 96],
  IQ3_S: [2, 64, 8, 32, 4],
  IQ4_NL: [2, 16],
  IQ4_XS: [2, 2, 4, 128],
  TQ1_0: [48, 4, 2],
  TQ2_0: [64, 2],
  Q1_0: [2, 16],
  Q2_0: [2, 16],
  MXFP4: [1, 16],
  NVFP4: [4, 32],
};

Deno.test("the fields of every block add up to its bytes", () => {
  const blocks = [...ggmlLayouts.values()].filter(({ kind }) =>
    kind === "blocks"
  );
  assertEquals(
    blocks.map(({ name }) => name).sort(),
    Object.keys(fields).sort(),
  );
  for (const { name, blockBytes } of blocks) {
    const sum = fields[name].reduce((a, b) => a + b, 0);
    assertEquals(sum, blockBytes, name);
  }
});

Deno.test("types and the formats that write them agree on names and sizes", () => {
  for (const [name, format] of writableTypes) {
    const { blockSize, blockBytes } = typeNamed(name);
    assertEquals(format.bitsPerValue, blockBytes * 8 / blockSize, name);
    const { unit } = format.layout([blockSize], {}).parts.blocks;
    assertEquals([unit.columns, unit.bytes], [blockSize, blockBytes], name);
  }
  for (const name of formats.keys()) {
    assertEquals(
      ggmlTypes.has(name.toUpperCase()),
      name !== "int4" && writableTypes.has(name.toUpperCase()),
      name,
    );
  }
});

Deno.test("formats of four bits are the core's own", () => {
  for (const [name, format] of writableTypes) {
    const core = byName.get(name.toLowerCase());
    if (core) assert(core === format, name);
  }
  assert(writableTypes.get("Q4_K") === formats.get("q4_k"));
});

Deno.test("only types that can be written have quantize", () => {
  const writable = [...ggmlTypes.values()].filter(({ quantize }) => quantize);
  assertEquals(
    writable.map(({ name }) => name).sort(),
    [...writableTypes.keys(), "F32", "F16", "BF16"].sort(),
  );
});

/** The bytes of numbers, at an odd address. */
function bytesAtOddAddress(array: ArrayBufferView): Uint8Array {
  const bytes = new Uint8Array(array.byteLength + 1).subarray(1);
  bytes.set(
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  );
  return bytes;
}

const singles: readonly (readonly [
  string,
  ArrayBufferView,
  readonly number[],
])[] = [
  ["I8", new Int8Array([-128, 0, 127]), [-128, 0, 127]],
  ["I16", new Int16Array([-32768, 5]), [-32768, 5]],
  ["I32", new Int32Array([-(2 ** 31), 16777217]), [-(2 ** 31), 16777216]],
  ["F64", new Float64Array([0.1, -0, 1e300]), [
    Math.fround(0.1),
    -0,
    Infinity,
  ]],
  ["F32", new Float32Array([1.5, -0]), [1.5, -0]],
  ["F16", new Uint16Array([0x3c00, 0x8001]), [1, -(2 ** -24)]],
  ["BF16", new Uint16Array([0x3f80, 0xff80]), [1, -Infinity]],
];

for (const [name, stored, expected] of singles) {
  Deno.test(`${name} reads its values wherever they lie`, () => {
    const out = new Float32Array(expected.length);
    typeNamed(name).dequantize(bytesAtOddAddress(stored), out);
    assertEquals(bits(out), bits(Float32Array.from(expected)));
  });
}

Deno.test("I64 is rounded to float32 once, ties to even", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const next = random(seed);
  const values = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];
  for (let i = 0; i < 2000; i++) {
    // A tie of float32 that bits far below a float64's last one decide.
    const odd = BigInt(Math.floor(next() * 2 ** 24)) | (1n << 23n);
    const tie = (odd << 39n) + (1n << 38n) + BigInt(Math.floor(next() * 3)) -
      1n;
    values.push(next() < 0.5 ? tie : -tie);
  }
  const out = new Float32Array(values.length);
  typeNamed("I64").dequantize(
    bytesAtOddAddress(BigInt64Array.from(values)),
    out,
  );
  values.forEach((value, i) => {
    const stored = BigInt(out[i]);
    const half = distanceToNeighbour(out[i]);
    const off = value > stored ? value - stored : stored - value;
    assert(2n * off <= half, `seed ${seed}: ${value} became ${stored}`);
    if (2n * off === half) {
      const word = new Uint32Array(Float32Array.of(out[i]).buffer)[0];
      assertEquals(word & 1, 0, `seed ${seed}: ${value} became ${stored}`);
    }
  });
});

/** How far apart the floats above `x` are, as an integer; 1 where they are closer. */
function distanceToNeighbour(x: number): bigint {
  const exponent = Math.floor(Math.log2(Math.max(1, Math.abs(x))));
  return exponent > 23 ? 1n << BigInt(exponent - 23) : 1n;
}

Deno.test("Q8_1 is its codes times its scale", () => {
  const block = new Uint8Array(36);
  block.set([0x00, 0x38, 0xff, 0xff], 0); // d is 0.5, the sum is of no interest
  block.set([1, 255, 128, 127], 4);
  const out = new Float32Array(32);
  typeNamed("Q8_1").dequantize(block, out);
  assertEquals([...out.subarray(0, 5)], [0.5, -0.5, -64, 63.5, 0]);
});

Deno.test("floats are written as they are, or rounded half to even", () => {
  const values = Float32Array.of(1, 1 + 2 ** -11, NaN, 1e9);
  const f16 = new Uint8Array(8);
  typeNamed("F16").quantize!(values, f16, 4);
  assertEquals([...new Uint16Array(f16.buffer)], [
    0x3c00,
    0x3c00,
    0x7e00,
    0x7c00,
  ]);
  const f32 = new Uint8Array(16);
  typeNamed("F32").quantize!(values, f32, 2);
  assertEquals(new Uint32Array(f32.buffer), new Uint32Array(values.buffer));
});

for (const name of ["Q6_K", "IQ2_XXS", "F16"]) {
  const { blockBytes, blockSize, dequantize } = typeNamed(name);
  Deno.test(`${name} wants as many bytes as values take`, () => {
    dequantize(new Uint8Array(2 * blockBytes), new Float32Array(2 * blockSize));
    assertThrows(
      () =>
        dequantize(
          new Uint8Array(2 * blockBytes),
          new Float32Array(3 * blockSize),
        ),
      RangeError,
      `Cannot match ${2 * blockBytes} bytes of ${name} with ${3 * blockSize}`,
    );
  });
}

Deno.test("values that are no whole number of blocks are refused", () => {
  const { dequantize } = typeNamed("Q8_0");
  dequantize(new Uint8Array(34), new Float32Array(32));
  assertThrows(
    () => dequantize(new Uint8Array(17), new Float32Array(16)),
    RangeError,
    "every 34 bytes are 32 values",
  );
});

Deno.test("quantize wants whole rows of whole blocks", () => {
  const { quantize } = typeNamed("Q8_0");
  const values = new Float32Array(64), blocks = new Uint8Array(68);
  quantize!(values, blocks, 32);
  for (
    const [columns, says] of [
      [0, "columns is 0"],
      [1.5, "columns is 1.5"],
      [16, "rows have 16 values"],
      [96, "64 values are no whole rows of 96"],
    ] as const
  ) {
    assertThrows(() => quantize!(values, blocks, columns), RangeError, says);
  }
  assertThrows(
    () => quantize!(values, new Uint8Array(67), 32),
    RangeError,
    "Cannot match 67 bytes",
  );
});

Deno.test("importance has a weight for each column, where it counts", () => {
  const values = new Float32Array(64).fill(1), blocks = new Uint8Array(44);
  const q5_0 = typeNamed("Q5_0").quantize!;
  q5_0(values, blocks, 32, new Float32Array(32).fill(1));
  assertThrows(
    () => q5_0(values, blocks, 32, new Float32Array(31)),
    RangeError,
    "it has 31 weights, the last axis has 32 columns",
  );
  const q8_0 = typeNamed("Q8_0").quantize!;
  const plain = new Uint8Array(68), weighed = new Uint8Array(68);
  q8_0(values, plain, 32);
  q8_0(values, weighed, 32, new Float32Array(32).fill(3));
  assertEquals(weighed, plain);
});

Deno.test("a value that is not finite is refused by its index", () => {
  const values = new Float32Array(256), blocks = new Uint8Array(210);
  typeNamed("Q6_K").quantize!(values, blocks, 256);
  values[77] = Infinity;
  assertThrows(
    () => typeNamed("Q6_K").quantize!(values, blocks, 256),
    RangeError,
    "77",
  );
});

Deno.test("rows can be quantized in pieces", () => {
  const next = random(8);
  const values = Float32Array.from({ length: 4 * 512 }, () => next() - 0.5);
  const importance = Float32Array.from({ length: 512 }, () => next());
  for (const [name, { bitsPerValue }] of writableTypes) {
    const { quantize } = typeNamed(name);
    const rowBytes = 512 * bitsPerValue / 8;
    const whole = new Uint8Array(4 * rowBytes), pieces = whole.slice();
    quantize!(values, whole, 512, importance);
    for (const [from, to] of [[0, 1], [1, 4]]) {
      quantize!(
        values.subarray(512 * from, 512 * to),
        pieces.subarray(rowBytes * from, rowBytes * to),
        512,
        importance,
      );
    }
    assertEquals(pieces, whole, name);
  }
});
