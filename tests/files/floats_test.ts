import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import type { ByteSource } from "../../src/files/bytes.ts";
import { memorySource } from "../../src/files/file_source.ts";
import {
  encodeFloats,
  type FloatDtype,
  readFloats,
} from "../../src/files/floats.ts";
import type { TensorEntry } from "../../src/files/tensors.ts";
import { f32ToBf16 } from "../../src/numeric/bf16.ts";
import { f32ToF16 } from "../../src/numeric/f16.ts";

/** Those that the tests can write; floats of eight bits have tests of their own. */
type Written = Exclude<FloatDtype, `F8_${string}`>;
const WIDTH: Record<Written, number> = { F16: 2, BF16: 2, F32: 4, F64: 8 };

interface Case {
  dtype: Written;
  shape: number[];
  bigEndian: boolean;
  fortranOrder: boolean;
  start: number;
}

/** Where a logical index lies in a column-major array. */
function fortranIndex(shape: readonly number[], index: number): number {
  let position = 0;
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    const coordinate = rest % shape[axis];
    rest = (rest - coordinate) / shape[axis];
    position += coordinate * shape.slice(0, axis).reduce((a, b) => a * b, 1);
  }
  return position;
}

/** A file with this tensor, one value at a time, as the definition has it. */
function fileOf(
  values: ArrayLike<number>,
  { dtype, shape, bigEndian, fortranOrder, start }: Case,
) {
  const width = WIDTH[dtype];
  const bytes = new Uint8Array(start + values.length * width + 3);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const at = start + width * (fortranOrder ? fortranIndex(shape, i) : i);
    if (dtype === "F64") view.setFloat64(at, values[i], !bigEndian);
    else if (dtype === "F32") view.setFloat32(at, values[i], !bigEndian);
    else {view.setUint16(
        at,
        (dtype === "F16" ? f32ToF16 : f32ToBf16)(values[i]),
        !bigEndian,
      );}
  }
  const byteLength = values.length * width;
  const entry: TensorEntry = {
    name: "W",
    dtype,
    shape,
    offset: start,
    byteLength,
    bigEndian,
    fortranOrder,
  };
  return { source: memorySource(bytes), entry };
}

/** Values that every dtype holds exactly. */
const exact = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => (i % 255 - 127) / 8);

const cases = fc.record({
  dtype: fc.constantFrom<Written>("F16", "BF16", "F32", "F64"),
  shape: fc.array(fc.integer({ min: 1, max: 6 }), {
    minLength: 1,
    maxLength: 5,
  }),
  bigEndian: fc.boolean(),
  fortranOrder: fc.boolean(),
  start: fc.nat(9),
});

Deno.test("readFloats: any range of any dtype, byte order, memory order and shape", async () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      cases,
      share,
      share,
      fc.nat(3),
      async (which, a, b, offset) => {
        const values = exact(which.shape.reduce((x, y) => x * y, 1));
        const file = fileOf(values, which);
        const ends = [a, b].map((x) => Math.floor(x * (values.length + 1))).map(
          (x) => Math.min(x, values.length),
        );
        const [first, end] = [Math.min(...ends), Math.max(...ends)];
        const memory = new Float32Array(offset + end - first + 1).fill(99);
        await readFloats(
          file,
          file.entry,
          first,
          memory.subarray(offset, offset + end - first),
        );
        const expected = [
          ...Array(offset).fill(99),
          ...values.subarray(first, end),
          99,
        ];
        assertEquals([...memory], expected);
      },
    ),
    { numRuns: 400 },
  );
});

const large: [string, Case][] = [
  ["many runs of many values", {
    dtype: "F32",
    shape: [700, 301],
    bigEndian: false,
    fortranOrder: true,
    start: 5,
  }],
  ["columns longer than a step", {
    dtype: "F16",
    shape: [70_000, 3],
    bigEndian: false,
    fortranOrder: true,
    start: 0,
  }],
  ["columns far apart", {
    dtype: "F64",
    shape: [40_000, 2, 3],
    bigEndian: true,
    fortranOrder: true,
    start: 1,
  }],
  ["float64 of several steps", {
    dtype: "F64",
    shape: [150_000],
    bigEndian: true,
    fortranOrder: false,
    start: 3,
  }],
];

for (const [what, which] of large) {
  Deno.test(`readFloats: ${what}`, async () => {
    const values = exact(which.shape.reduce((x, y) => x * y, 1));
    const file = fileOf(values, which);
    const row = values.length / which.shape[0];
    for (
      const [first, end] of [[0, values.length], [row * 7, row * 19], [
        row * 3 + 1,
        values.length - 1,
      ]]
    ) {
      const out = new Float32Array(end - first);
      await readFloats(file, file.entry, first, out);
      assertEquals(out, values.subarray(first, end));
    }
  });
}

Deno.test("readFloats: row-major float32 goes straight into the caller's memory in one read", async () => {
  const file = fileOf(exact(64), {
    dtype: "F32",
    shape: [64],
    bigEndian: false,
    fortranOrder: false,
    start: 0,
  });
  const reads: Uint8Array[] = [];
  const source: ByteSource = {
    ...file.source,
    read: (offset, into) => (reads.push(into), file.source.read(offset, into)),
  };
  const out = new Float32Array(32);
  await readFloats({ source }, file.entry, 16, out);
  assertEquals(reads.length, 1);
  assertStrictEquals(reads[0].buffer, out.buffer);
});

Deno.test("readFloats: rows of a column-major matrix are read in bounded pieces", async () => {
  const which: Case = {
    dtype: "F32",
    shape: [40_000, 40],
    bigEndian: false,
    fortranOrder: true,
    start: 0,
  };
  const file = fileOf(exact(1_600_000), which);
  let bytes = 0;
  let largest = 0;
  const source: ByteSource = {
    ...file.source,
    read(offset, into) {
      bytes += into.length;
      largest = Math.max(largest, into.length);
      return file.source.read(offset, into);
    },
  };
  const out = new Float32Array(8000);
  await readFloats({ source }, file.entry, 0, out);
  assert(largest <= 1 << 18, `${largest} bytes at once`);
  assertEquals(bytes, out.byteLength);
});

Deno.test("readFloats: float64 is rounded once, beyond float32 to infinity", async () => {
  const doubles = [1 + 2 ** -24 + 2 ** -50, 1e-46, 3.5e38, -0, NaN];
  const which: Case = {
    dtype: "F64",
    shape: [5],
    bigEndian: false,
    fortranOrder: false,
    start: 0,
  };
  const file = fileOf(doubles, which);
  const out = new Float32Array(5);
  await readFloats(file, file.entry, 0, out);
  assertEquals([...out], [1 + 2 ** -23, 0, Infinity, -0, NaN]);
});

Deno.test("readFloats: refuses ranges outside the tensor and dtypes that are no floats", async () => {
  const file = fileOf(exact(10), {
    dtype: "F32",
    shape: [10],
    bigEndian: false,
    fortranOrder: false,
    start: 0,
  });
  for (const first of [-1, 8, 0.5, NaN]) {
    const reading = () =>
      readFloats(file, file.entry, first, new Float32Array(3));
    await assertRejects(reading, RangeError, `Cannot read values ${first} to`);
  }
  await readFloats(file, file.entry, 7, new Float32Array(3));
  for (const dtype of ["I32", "Q4_0", "toString"]) {
    const reading = () =>
      readFloats(file, { ...file.entry, dtype }, 0, new Float32Array(3));
    await assertRejects(
      reading,
      RangeError,
      `Cannot read tensor "W" as floats: its dtype is "${dtype}"`,
    );
  }
});

Deno.test("encodeFloats: comes back through readFloats; float32 is a view", async () => {
  const values = exact(50);
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    const bytes = encodeFloats(values, dtype);
    assertEquals(bytes.length, 50 * WIDTH[dtype]);
    assertEquals(bytes.buffer === values.buffer, dtype === "F32");
    const entry = {
      name: "W",
      dtype,
      shape: [50],
      offset: 0,
      byteLength: bytes.length,
    };
    const out = new Float32Array(50);
    await readFloats({ source: memorySource(bytes) }, entry, 0, out);
    assertEquals(out, values);
  }
});

Deno.test("encodeFloats: writes into the caller's memory", () => {
  const into = new Uint16Array(60);
  const bytes = encodeFloats(exact(50), "F16", into);
  assertStrictEquals(bytes.buffer, into.buffer);
  assertEquals(bytes.length, 100);
  const short = new Uint16Array(49);
  assertThrows(
    () => encodeFloats(exact(50), "F16", short),
    RangeError,
    "room for 49",
  );
});
