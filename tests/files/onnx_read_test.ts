/**
 * ONNX models: those that onnxruntime's tools wrote, files beside them, and bytes
 * that lie.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { symlink } from "node:fs/promises";
import { openValues, tensorsOf } from "../../src/cli/tensors.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { ONNX_BYTES } from "../../src/files/limits.ts";
import { openOnnx } from "../../src/files/onnx_read.ts";
import { openTensorFile } from "../../src/files/open.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { allocateSlots } from "../../src/stream/memory.ts";
import { whole } from "../../src/words/window.ts";
import { matrixOf } from "../../src/numeric/shape.ts";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { run } from "../cli/support.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  branch,
  constant,
  external,
  message,
  model,
  node,
  number,
  raw,
  tensor,
  varint,
} from "./onnx_support.ts";
import { concat } from "./support.ts";
import { withFolder } from "./temporary_folder.ts";

const vectors = new URL("../vectors/onnx/", import.meta.url).pathname;

/** Golden models, the format of each, and whether its values are told transposed. */
const CASES = [
  ["INT4_tensor_float16", "onnx_int4", false],
  ["INT4_axis0_float32", "onnx_int4", false],
  ["INT4_block16_axis1_float16", "onnx_int4", false],
  ["INT4_int32_data", "onnx_int4", false],
  ["UINT4_axis1_float32", "onnx_uint4", false],
  ["UINT4_block32_axis0_float32", "onnx_uint4", false],
  ["QDQ_K61_N7_b16_sym_float32", "onnx_int4", false],
  ["QDQ_K97_N7_b32_asym_float32", "onnx_uint4", false],
  ["QOperator_K61_N7_b16_sym_float32", "matmul_nbits", true],
  ["QOperator_K61_N7_b16_asym_float32", "matmul_nbits", true],
  ["QOperator_K97_N7_b32_asym_float16", "matmul_nbits", true],
  ["gather_sym_b32", "gather_blocks", false],
  ["gather_asym_b32", "gather_blocks", false],
  ["nf4_K33_N21_b32", "matmul_bnb4", true],
  ["fp4_K48_N20_b16", "matmul_bnb4", true],
] as const;

for (const [name, format, isTransposed] of CASES) {
  Deno.test(`${name}.onnx is read as onnxruntime does`, async () => {
    const golden = await goldenTensors(`onnx/${name}.safetensors`);
    const { shape: [rows, columns] } = golden.get("dequant")!;
    const expected = floatsOf(golden.get("dequant")!);
    const file = await openTensorFile(`${vectors}${name}.onnx`);
    try {
      const tensors = await tensorsOf(file);
      assertEquals(tensors.map(({ dtype }) => dtype), [format]);
      const [{ name: called, shape }] = tensors;
      assertEquals(called, name.includes("INT4") ? "weight" : "W");
      assertEquals(shape, isTransposed ? [columns, rows] : [rows, columns]);
      const values = await valuesOf(file);
      const told = isTransposed ? transposed(values, columns, rows) : values;
      // Products with the identity matrix have no −0.
      const isProduct = isTransposed || name.startsWith("QDQ");
      assertSameBytes(isProduct ? told.map(plus0) : told, expected, name);
    } finally {
      await file.source.close();
    }
  });
}

function plus0(x: number): number {
  return x + 0;
}

async function valuesOf(file: TensorFile): Promise<Float32Array> {
  const [first] = await tensorsOf(file);
  const values = openValues(file, first);
  const { matrix } = values;
  const [slot] = allocateSlots(1, matrix.rows * matrix.columns);
  return (await values.read(whole(matrix), matrix, slot))().slice();
}

function transposed(values: Float32Array, rows: number, columns: number) {
  return values.map((_, i) =>
    values[i % rows * columns + Math.floor(i / rows)]
  );
}

function open(bytes: Uint8Array, path?: string) {
  return openOnnx(memorySource(bytes, "test.onnx"), path);
}

// ---- models by hand ----

const codes = tensor("w_Q4", 22, [1, 4], raw(0x21, 0x43));
const scale = tensor("s", 1, [], raw(0, 0, 128, 63));
const reads = node("DequantizeLinear", ["w_Q4", "s"]);
const valid = model(reads, codes, scale);

Deno.test("a weight has the name that it had before it was quantized, if that is free", async () => {
  const [one] = await tensorsOf(await open(valid));
  assertEquals([one.name, one.dtype, one.shape], ["w", "onnx_int4", [1, 4]]);
  assertEquals(
    await valuesOf(await open(valid)),
    new Float32Array([1, 2, 3, 4]),
  );
  const taken = tensor("w", 1, [1], raw(0, 0, 0, 0));
  const both = await tensorsOf(await open(model(reads, codes, scale, taken)));
  assertEquals(both.map(({ name }) => name), ["w_Q4", "w"]);
});

Deno.test("numbers of every field are read, those as varints too", async () => {
  const f16 = tensor("h", 10, [2], message(5, varint(0x3c00), varint(0xc000)));
  const i64 = tensor("l", 7, [2], message(7, varint(-1), varint(2 ** 40)));
  const f32 = tensor("f", 1, [1], message(4, Uint8Array.of(0, 0, 128, 63)));
  const f64 = tensor("d", 11, [1], message(10, new Uint8Array(8)));
  const file = await open(model(f16, i64, f32, f64));
  assertEquals(
    file.tensors.map((
      { name, dtype, byteLength },
    ) => [name, dtype, byteLength]),
    [["h", "F16", 4], ["l", "I64", 16], ["f", "F32", 4], ["d", "F64", 8]],
  );
  const bytes = new Uint8Array(4);
  await file.source.read(file.tensors[0].offset, bytes);
  assertEquals(bytes, Uint8Array.of(0, 0x3c, 0, 0xc0));
  const longs = new BigInt64Array(2);
  await file.source.read(
    file.tensors[1].offset,
    new Uint8Array(longs.buffer),
  );
  assertEquals(longs, BigInt64Array.of(-1n, 2n ** 40n));
});

Deno.test("weights of operators that are in no format are bound, and left alone with their scales", async () => {
  const eight = tensor("b", 2, [16, 1, 16], raw(...new Uint8Array(256)));
  const scales = tensor("b_scales", 1, [16, 1], raw(...new Uint8Array(64)));
  const attributes = { K: 16, N: 16, bits: 8, block_size: 16 };
  const matmul = node(
    "MatMulNBits",
    ["A", "b", "b_scales"],
    attributes,
    "com.microsoft",
  );
  const bytes = model(matmul, eight, scales);
  assertEquals([...(await open(bytes)).bound!.keys()], ["b", "b_scales"]);
  await withFolder(async (path) => {
    await Deno.writeFile(path("m.onnx"), bytes);
    const args = ["quantize", path("m.onnx"), "-o", path("m.safetensors")];
    const { code, err } = await run(...args, "--format", "int4");
    assertEquals(code, 1);
    assert(err.includes("its codes have 8 bits"), err);
  });
  // The twin: without the operator the same numbers are anybody's.
  assertEquals((await open(model(eight, scales))).bound!.size, 0);
});

// ---- data beside the file ----

Deno.test("data in files beside the model is read, and nowhere else", async () => {
  await withFolder(async (path) => {
    await Deno.writeFile(path("m.data"), Uint8Array.of(9, 9, 0x21, 0x43));
    await Deno.mkdir(path("in"));
    await Deno.writeFile(path("in/m.data"), Uint8Array.of(0x21, 0x43));
    const at = (told: Record<string, string>, folder = "") => {
      const outside = tensor("w_Q4", 22, [1, 4], ...external(told));
      return open(model(reads, outside, scale), path(`${folder}m.onnx`));
    };
    for (
      const [told, folder] of [
        [{ location: "m.data", offset: "2", length: "2" }],
        [{ location: "in/m.data" }],
        [{ location: "m.data" }, "in/"],
      ] as const
    ) {
      const file = await at(told, folder);
      assertEquals(await valuesOf(file), new Float32Array([1, 2, 3, 4]));
      assertEquals(file.paths?.length, 2);
      await file.source.close();
    }
    await symlink(path("m.data"), path("in/link"));
    await symlink(path("m.data"), path("here"));
    const linked = await at({ location: "here", offset: "2" });
    assertEquals(await valuesOf(linked), new Float32Array([1, 2, 3, 4]));
    await linked.source.close();
    for (
      const [told, reason, folder] of [
        [{ location: "../m.data" }, "no plain path", "in/"],
        [{ location: path("m.data") }, "no plain path"],
        [{ location: "in\\m.data" }, "no plain path"],
        [{ location: "C:m.data" }, "no plain path"],
        [{ location: "" }, "no plain path"],
        [{ location: "link" }, "leaves the folder", "in/"],
        [{ location: "m.data", offset: "3" }, "go beyond the 4"],
        [{ location: "m.data", offset: "-1" }, "no number"],
        [{ location: "m.data", length: "3" }, "takes 2 bytes"],
        [{ location: "none" }, "no such file"],
      ] as const
    ) {
      await assertRejects(() => at(told, folder), Error, reason);
    }
    const lost = tensor("x", 1, [1], ...external({ location: "m.data" }));
    await assertRejects(() => open(model(lost)), SyntaxError, "no folder");
  });
});

// ---- bytes that lie ----

/** The attribute of a constant. */
const ones = message(
  5,
  message(1, "value"),
  message(5, number(1, 1), number(2, 1), raw(0, 0, 128, 63)),
);

const REFUSED: readonly [reason: string, bytes: Uint8Array][] = [
  ["it has no graph", number(1, 10)],
  ["has field 7 twice", concat(valid, message(7))],
  ["two tensors have the name", model(codes, codes)],
  [
    "two tensors have the name",
    model(constant("w", ones), constant("w", ones)),
  ],
  ["has no output", model(constant("", ones))],
  ['has "value" twice', model(constant("w", ones, ones))],
  [
    "is a segment of a tensor",
    model(
      constant("w", message(5, message(1, "value"), message(5, message(3)))),
    ),
  ],
  ["initializer 0 has no name", model(message(5, number(2, 1)))],
  ["of kind 3", concat(valid, Uint8Array.of(0x0b))],
  ["a field of number 0", concat(valid, Uint8Array.of(0x00))],
  ["takes 100 bytes", concat(number(1, 1), varint(58), varint(100))],
  ["without an end", concat(valid, new Uint8Array(11).fill(0x88))],
  ["is not UTF-8", model(message(5, message(8, Uint8Array.of(0xff))))],
  ["data_type 99", model(tensor("x", 99, [1], raw(0)))],
  ["takes 8 bytes, but it has 4", model(tensor("x", 1, [2], raw(0, 0, 0, 0)))],
  ["takes 4 bytes, but it has 0", model(tensor("x", 1, [1]))],
  [
    "in the fields 9, 4 at once",
    model(
      tensor("x", 1, [1], raw(0, 0, 0, 0), message(4, new Uint8Array(4))),
    ),
  ],
  ["field 10, where", model(tensor("x", 1, [1], message(10)))],
  [
    "takes 3 numbers, but they have 2",
    model(
      tensor("x", 2, [3], message(5, varint(1), varint(2))),
    ),
  ],
  ["it has more", model(tensor("x", 2, [1], message(5, varint(1), varint(2))))],
  [
    "number 0 is 256, which 8 bits",
    model(
      tensor("x", 2, [1], message(5, varint(256))),
    ),
  ],
  ["dimension 0 is -1", model(tensor("x", 1, [-1], raw()))],
  ["more than 64 dimensions", model(tensor("x", 1, Array(65).fill(1), raw()))],
  [
    "no attribute N",
    model(
      node("MatMulNBits", ["A", "w_Q4", "s"], { K: 4 }, "com.microsoft"),
      codes,
      scale,
    ),
  ],
  [
    "not F32 in 8 as its operator says",
    model(
      node("DequantizeLinear", ["w_Q4", "s"], { axis: 1, block_size: 2 }),
      codes,
      scale,
    ),
  ],
  [
    "in two ways",
    model(
      reads,
      node("DequantizeLinear", ["w_Q4", "s"], { axis: 1, block_size: 4 }),
      codes,
      scale,
    ),
  ],
];

for (const [reason, bytes] of REFUSED) {
  Deno.test(`a model is refused by name: ${reason}`, async () => {
    const error = await assertRejects(() => open(bytes), Error, reason);
    assert(error.message.startsWith("Cannot read test.onnx as ONNX: "));
    // The twin of all of them.
    assertEquals((await open(valid)).quantized.length, 1);
  });
}

Deno.test("a file beyond protobuf's limit is refused unread", async () => {
  const source = {
    ...memorySource(valid, "test.onnx"),
    size: ONNX_BYTES + 1,
    read: () => Promise.reject(new Error("it is read")),
  };
  await assertRejects(() => openOnnx(source), RangeError, "limit of protobuf");
});

Deno.test("a mutated model is read within bounds or refused with a named error", async () => {
  const seeds = await Promise.all(
    ["INT4_int32_data", "gather_asym_b32", "QOperator_K61_N7_b16_asym_float32"]
      .map((name) => Deno.readFile(`${vectors}${name}.onnx`)),
  );
  const mutation = fc.record({
    at: fc.nat(),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
      fc.constantFrom(0, 127, 128, 2 ** 31, 2n ** 63n, -1).map(varint),
    ),
  });
  let read = 0, refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat()),
      async (seed, mutations, cut) => {
        const bytes = seed.slice(
          0,
          cut === null ? undefined : cut % seed.length,
        );
        for (const { at, bytes: piece } of mutations) {
          // Lengths and names are at the start and the end: raw data takes anything.
          const place = at % Math.max(1, bytes.length);
          bytes.set(piece.subarray(0, bytes.length - place), place);
        }
        try {
          const file = await open(bytes);
          for (const { offset, byteLength } of file.tensors) {
            assert(offset + byteLength <= file.source.size);
          }
          assert(file.source.size <= 9 * bytes.length);
          await tensorsOf(file);
          read++;
        } catch (error) {
          if (!(error instanceof SyntaxError || error instanceof RangeError)) {
            throw error;
          }
          assert(error.message.startsWith("Cannot read test.onnx as ONNX: "));
          assert(error.message.length < 600, error.message);
          refused++;
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert(read > 50 && refused > 50, `${read} read, ${refused} refused`);
});

Deno.test("initializers in bodies of operators are named, and left as they are", async () => {
  const inner = tensor("w_Q4", 22, [2, 2], raw(1, 2));
  const graph = [inner, tensor("s", 1, [1], raw(0, 0, 128, 63))];
  const reads = node("DequantizeLinear", ["w_Q4", "s"], {});
  const whole = model(
    branch("if", reads, ...graph),
    branch("if", ...graph),
    branch("", branch("deep", inner)),
    ...graph,
    reads,
  );
  const { tensors, quantized, bound } = await open(whole);
  const names = tensors.map(({ name }) => name);
  assertEquals(
    names.map((name) => name.replace(/at byte \d+/, "at byte N")),
    [
      "w_Q4",
      "s",
      "if/then_branch/w_Q4",
      "if/then_branch/s",
      "if/then_branch/w_Q4 (at byte N)",
      "if/then_branch/s (at byte N)",
      "If/then_branch/deep/then_branch/w_Q4",
    ],
  );
  assertEquals(quantized.map(({ name }) => name), ["w"]);
  assertEquals([...bound!.keys()], names.slice(2));
  assert(
    bound!.get("if/then_branch/s")!.includes("in the body of an operator"),
  );
});

Deno.test("weights that are constants are read like initializers", async () => {
  const file = await openTensorFile(`${vectors}constants.onnx`);
  const tensors = await tensorsOf(file);
  assertEquals(
    tensors.map(({ name, shape }) => [name, shape]),
    [["w", [32, 4]], ["q_codes", [4, 32]], ["if/else_branch/inner", [2, 3]], [
      "if/then_branch/inner",
      [2, 3],
    ]],
  );
  const quantized = Array.from({ length: 128 }, (_, i) =>
    // The scale of row r is r.
    (i % 16 - 8) * Math.floor(i / 32) + 0);
  const expected = [Array.from({ length: 128 }, (_, i) => i), quantized];
  for (const [i, values] of expected.entries()) {
    const found = openValues(file, tensors[i]);
    const [slot] = allocateSlots(1, 128);
    const decode = await found.read(
      whole(matrixOf(tensors[i].shape)),
      matrixOf(tensors[i].shape),
      slot,
    );
    assertEquals(Array.from(decode(), (x) => x + 0), values);
  }
  await file.source.close();
});

Deno.test("bodies within bodies are read to a limit", async () => {
  const nested = (depth: number): Uint8Array =>
    depth === 0
      ? tensor("w", 1, [1], raw(0, 0, 0, 0))
      : branch("b", nested(depth - 1));
  assertEquals((await open(model(nested(16)))).tensors.length, 1);
  await assertRejects(
    () => open(model(nested(17))),
    RangeError,
    "nested deeper than 16",
  );
});

Deno.test("external data is read beyond 4 GiB", async () => {
  await withFolder(async (path) => {
    const data = await Deno.open(path("m.data"), { write: true, create: true });
    const offset = 2 ** 32 + 8;
    // A hole, which takes no room.
    await data.truncate(offset);
    await data.seek(offset, Deno.SeekMode.Start);
    await data.write(new Uint8Array(Float32Array.of(1.5, -2).buffer));
    data.close();
    const told = { location: "m.data", offset: `${offset}`, length: "8" };
    const bytes = model(tensor("x", 1, [2], ...external(told)));
    await Deno.writeFile(path("m.onnx"), bytes);
    const file = await openTensorFile(path("m.onnx"));
    const values = new Float32Array(2), [entry] = file.tensors;
    await file.source.read(entry.offset, new Uint8Array(values.buffer));
    await file.source.close();
    assertEquals([...values], [1.5, -2]);
    // The twin: a byte more than there is.
    const beyond = { ...told, offset: `${offset + 1}` };
    const cut = model(tensor("x", 1, [2], ...external(beyond)));
    await Deno.writeFile(path("m.onnx"), cut);
    await assertRejects(
      () => openTensorFile(path("m.onnx")),
      SyntaxError,
      "go beyond",
    );
  });
});
