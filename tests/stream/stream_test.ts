/**
 * Whatever the size of the windows, tensors come out as if they were done
 * whole, in memory that the size of the windows bounds.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { formats, quantize } from "../../mod.ts";
import { compare, NoiseMeter } from "../../src/compare.ts";
import { dequantizeWith, quantizeWith } from "../../src/core.ts";
import { sizeOf } from "../../src/numeric/shape.ts";
import type { Format, QuantizedTensor } from "../../src/words/format.ts";
import { rangeOf } from "../../src/words/layout.ts";
import type { Matrix, Window } from "../../src/words/window.ts";
import { ByteMemory, bytesOf, type Slot } from "../../src/stream/memory.ts";
import { TensorQuantizer } from "../../src/stream/quantizer.ts";
import { scatter } from "../../src/layouts/runs.ts";
import { StreamTensor } from "../../src/stream/tensor.ts";
import {
  type Place,
  PlainValues,
  StoredValues,
  type Values,
} from "../../src/stream/values.ts";
import { bits, random } from "../adversarial.ts";
import { type Case, casesOf } from "../format_cases.ts";

function valuesFor(count: number, seed = 1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => next() * 2 - 0.7);
}

/** Values that lie in memory. */
function plain(shape: readonly number[], values: Float32Array): Values {
  return new PlainValues(shape, {
    read(first, out): Promise<void> {
      out.set(values.subarray(first, first + out.length));
      return Promise.resolve();
    },
  });
}

/** The parts of a quantized tensor as one file. */
function stored(format: Format, { shape, options, parts }: QuantizedTensor) {
  const tensor = new StreamTensor({
    format,
    shape,
    options: format.resolve(options, shape),
  });
  const places: Record<string, Place> = {};
  const all: number[] = [];
  for (const [name, { data }] of Object.entries(parts)) {
    places[name] = { offset: all.length, byteLength: bytesOf(data).length };
    for (const byte of bytesOf(data)) all.push(byte);
  }
  const file = Uint8Array.from(all);
  const source = {
    size: file.length,
    read(offset: number, into: Uint8Array): Promise<void> {
      assert(offset >= 0 && offset + into.length <= file.length, "beyond");
      into.set(file.subarray(offset, offset + into.length));
      return Promise.resolve();
    },
  };
  return { tensor, values: new StoredValues(tensor, source, places) };
}

/** A slot of just the size that was promised. */
function slotOf(values: number): Slot {
  return {
    values: new Float32Array(values),
    parts: new ByteMemory(),
    busy: Promise.resolve(),
  };
}

/** Reads all windows of a matrix. */
async function readAll(
  values: Values,
  matrix: Matrix,
  windows: Iterable<Window>,
  most: number,
): Promise<Float32Array> {
  const all = new Float32Array(matrix.rows * matrix.columns);
  const slot = slotOf(most);
  for (const window of windows) {
    const { row, rows, column, columns } = window;
    assert(rows * columns <= most, `${rows} × ${columns} beyond ${most}`);
    const read = (await values.read(window, matrix, slot))();
    for (let r = 0; r < rows; r++) {
      all.set(
        read.subarray(r * columns, (r + 1) * columns),
        (row + r) * matrix.columns + column,
      );
    }
  }
  return all;
}

interface Streamed {
  readonly parts: Record<string, Uint8Array>;
  readonly sqnr: number;
}

/** Quantizes window by window. */
async function stream(
  input: Values,
  tensor: StreamTensor,
  capacity: number,
  nonFinite: "throw" | "clamp" = "throw",
): Promise<Streamed> {
  const meter = new NoiseMeter();
  const quantizer = new TensorQuantizer(tensor, { capacity, nonFinite, meter });
  const most = tensor.largest(capacity);
  const slot = slotOf(most), memory = new ByteMemory();
  const whole = { row: 0, column: 0, ...tensor.matrix };
  const parts = Object.fromEntries(
    tensor.plans.map(([name, plan]) => [
      name,
      new Uint8Array(
        rangeOf(plan, tensor.matrix, whole).length,
      ),
    ]),
  );
  for (const { window, take } of quantizer.jobs()) {
    const { rows, columns } = window;
    assert(rows * columns <= most, `${rows} × ${columns} beyond ${most}`);
    const decode = await input.read(window, tensor.matrix, slot);
    const done = take(decode(), memory);
    for (const [name, plan] of done ? tensor.plans : []) {
      const range = rangeOf(plan, tensor.matrix, window);
      scatter(done!.bytes[name], range, parts[name]);
    }
  }
  return { parts, sqnr: meter.result().sqnr };
}

function bytesOfParts(
  { parts }: QuantizedTensor,
): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, { data }]) => [
      name,
      Uint8Array.from(bytesOf(data)),
    ]),
  );
}

type Name = Parameters<typeof formats.get>[0];

/** What is made; undefined where the values are refused: gptq's zeros "nibbles" takes no group without a negative one. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Whether a case can be quantized: not every set of options takes every value. */
function works(format: Format, { shape, options }: Case): boolean {
  const values = valuesFor(sizeOf(shape));
  return unlessRefused(() =>
    quantizeWith(format, values, { shape, ...options })
  ) !== undefined;
}

/** Cases of moderate size that have values. */
const CASES: ReadonlyMap<Name, readonly Case[]> = new Map(
  Array.from(formats, ([name, format]) => [
    name,
    casesOf(format, 400).filter((test) =>
      sizeOf(test.shape) > 0 && sizeOf(test.shape) <= 4200 &&
      works(format, test)
    ),
  ]),
);

const capacities = fc.oneof(
  fc.integer({ min: 1, max: 70 }),
  fc.integer({ min: 70, max: 5000 }),
);
const someCase = fc.constantFrom(...CASES.keys()).chain((name) =>
  fc.constantFrom(...CASES.get(name)!).map((test) => ({ name, ...test }))
);

async function checkQuantize(
  { name, shape, options }: Case & { readonly name: Name },
  capacity: number,
  values: Float32Array = valuesFor(sizeOf(shape)),
  nonFinite: "throw" | "clamp" = "throw",
): Promise<void> {
  const format = formats.get(name)!;
  const expected = quantizeWith(
    format,
    values,
    { shape, nonFinite, ...options } as object,
  );
  const tensor = new StreamTensor({
    format,
    shape,
    options: format.resolve(options, shape),
  });
  const { parts, sqnr } = await stream(
    plain(shape, values),
    tensor,
    capacity,
    nonFinite,
  );
  assertEquals(parts, bytesOfParts(expected));
  if (nonFinite === "clamp") return;
  const told = compare(values, dequantizeWith(format, expected)).sqnr;
  assert(Object.is(sqnr, told) || Math.abs(sqnr - told) < 1e-6, `${sqnr} dB`);
}

Deno.test("every format in windows of any size gives the bytes and the error of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(someCase, capacities, async (test, capacity) => {
      await checkQuantize(test, capacity);
    }),
    { numRuns: 400 },
  );
});

Deno.test("every format is read in any windows of any matrix, as the whole is", async () => {
  await fc.assert(
    fc.asyncProperty(
      someCase,
      capacities,
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 40 }),
      async ({ name, shape, options }, capacity, columns, rows) => {
        const format = formats.get(name)!;
        const values = valuesFor(sizeOf(shape));
        const whole = quantizeWith(format, values, { shape, ...options });
        const expected = bits(dequantizeWith(format, whole));
        const { tensor, values: read } = stored(format, whole);
        const own = await readAll(
          read,
          read.matrix,
          read.windows(capacity),
          tensor.largest(capacity),
        );
        assertEquals(bits(own), expected);
        const count = values.length;
        // Another matrix of as many values.
        const divisor = divisorNear(count, columns);
        const matrix = { rows: count / divisor, columns: divisor };
        const windows = grid(matrix, rows, capacity);
        const other = await readAll(read, matrix, windows, 5000 * 40);
        assertEquals(bits(other), expected);
      },
    ),
    { numRuns: 400 },
  );
});

function divisorNear(count: number, wanted: number): number {
  let divisor = Math.min(count, wanted);
  while (count % divisor !== 0) divisor--;
  return divisor;
}

/** Windows of so many rows and columns. */
function* grid(
  matrix: Matrix,
  rows: number,
  columns: number,
): Generator<Window, void> {
  for (let row = 0; row < matrix.rows; row += rows) {
    for (let column = 0; column < matrix.columns; column += columns) {
      yield {
        row,
        rows: Math.min(rows, matrix.rows - row),
        column,
        columns: Math.min(columns, matrix.columns - column),
      };
    }
  }
}

Deno.test("from every format to every other, as if by way of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      someCase,
      fc.constantFrom(...CASES.keys()),
      fc.nat(),
      capacities,
      async (from, name, choice, capacity) => {
        const { shape } = from, before = formats.get(from.name)!;
        const format = formats.get(name)!;
        const fitting = CASES.get(name)!.filter((test) =>
          String(test.shape) === String(shape)
        );
        if (fitting.length === 0) return;
        const { options } = fitting[choice % fitting.length];
        const values = valuesFor(sizeOf(shape), 3);
        const source = unlessRefused(() =>
          quantizeWith(before, values, { shape, ...from.options })
        );
        if (!source) return;
        const restored = dequantizeWith(before, source);
        const expected = unlessRefused(() =>
          quantizeWith(format, restored, { shape, ...options })
        );
        const tensor = new StreamTensor({
          format,
          shape,
          options: format.resolve(options, shape),
        });
        const input = stored(before, source).values;
        if (!expected) {
          await assertRejects(
            () => stream(input, tensor, capacity),
            RangeError,
          );
          return;
        }
        const { parts } = await stream(input, tensor, capacity);
        assertEquals(parts, bytesOfParts(expected));
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("groups around the size of windows, odd ones too, keep to their own scales", async () => {
  for (const capacity of [1, 2, 63, 64, 511, 512, 513, 1000]) {
    for (const groupSize of [3, 14, 33, 62, 63, 64, 65, 66, 127, 513, 601]) {
      for (const scaleMethod of ["absmax", "affine"]) {
        for (const shape of [[15], [3, 129], [1801]]) {
          const options = { groupSize, scaleMethod };
          await checkQuantize({ name: "int4", shape, options }, capacity);
        }
      }
    }
  }
});

Deno.test("groups longer than a window are measured first, and clamped like the whole", async () => {
  const shape = [3, 500], values = valuesFor(1500, 7);
  values[20] = NaN;
  values[700] = Infinity;
  values[1400] = -Infinity;
  for (const groupSize of ["tensor", "row", 7, 33, 300, 301, 500] as const) {
    for (const scaleMethod of ["absmax", "minmax", "affine"]) {
      for (const capacity of [1, 128, 640, 5000]) {
        const options = { groupSize, scaleMethod };
        const test = { name: "int4", shape, options } as const;
        await checkQuantize(test, capacity, values, "clamp");
      }
    }
  }
});

Deno.test("memory for a window does not grow with groups or rows", () => {
  const format = formats.get("int4")!;
  const columns = 150_000_000;
  for (
    const groupSize of [33, 5_000_001, 5_000_002, "row", "tensor"] as const
  ) {
    for (const shape of [[columns], [3, columns]]) {
      const options = format.resolve({ groupSize }, shape);
      const tensor = new StreamTensor({ format, shape, options });
      assert(tensor.largest(1 << 22) <= 1 << 22, `${groupSize}`);
      let windows = 0, values = 0;
      for (
        const { rows, columns } of tensor.windows(whole(tensor.matrix), 1 << 22)
      ) {
        assert(rows * columns <= 1 << 22);
        values += rows * columns;
        windows++;
      }
      assertEquals(values, sizeOf(shape));
      assert(windows < 400, `${windows} windows`);
    }
  }
});

function whole({ rows, columns }: Matrix): Window {
  return { row: 0, rows, column: 0, columns };
}

Deno.test("between two long group sizes, values are those of the whole", async () => {
  // Windows hold one group of the one, none of the other.
  const shape = [60_000];
  const values = valuesFor(60_000, 5);
  for (let i = 40_000; i < 60_000; i++) values[i] *= 9;
  const first = quantize(values, { shape, groupSize: 42_000 });
  const format = formats.get("int4")!;
  const restored = dequantizeWith(format, first);
  for (const groupSize of [43_000, 43_001, 48, 50_000]) {
    const expected = quantize(restored, { shape, groupSize });
    const tensor = new StreamTensor({
      format,
      shape,
      options: format.resolve({ groupSize }, shape),
    });
    const input = stored(format, first as unknown as QuantizedTensor).values;
    const { parts } = await stream(input, tensor, 41_943);
    assertEquals(parts, bytesOfParts(expected as unknown as QuantizedTensor));
  }
});
