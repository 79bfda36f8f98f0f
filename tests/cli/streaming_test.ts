// Whatever the size of the windows, a file comes out as if tensors were
// quantized whole.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { runDequantize } from "../../src/cli/dequantize_run.ts";
import { safetensorsOutput } from "../../src/cli/output.ts";
import { Quantizer } from "../../src/cli/quantize_run.ts";
import { bytesInFormat, tensorsOf } from "../../src/cli/tensors.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { dequantize, formatNamed, quantize } from "../../src/quantize.ts";
import { compare } from "../../src/compare.ts";
import type { Part, QuantizedTensor } from "../../src/words/format.ts";
import { bits, random } from "../adversarial.ts";
import { MemorySink, safetensorsBytes } from "./support.ts";

interface Case {
  readonly format: string;
  readonly options: Record<string, unknown>;
  readonly shape: readonly number[];
  readonly capacity: number;
  readonly clamp?: boolean;
}

function valuesFor(shape: readonly number[], seed = 1): Float32Array {
  const next = random(seed);
  const count = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: count }, () => next() * 2 - 0.7);
}

const quiet = { add: () => {} };

/** Quantizes by windows of at most `capacity` values, and reads the parts back. */
async function quantizeByWindows(
  { format: name, options: given, shape, capacity, clamp = false }: Case,
  values: Float32Array,
) {
  const bytes = safetensorsBytes([
    { name: "other", dtype: "I32", shape: [3], data: Int32Array.of(1, 2, 3) },
    { name: "w", dtype: "F32", shape, data: values },
  ]);
  const file = await openSafetensors(memorySource(bytes));
  const format = formatNamed(name), options = format.resolve(given, shape);
  const layout = { format, shape, options };
  const plan = { name: "w", format, shape, options: format.kept(options) };
  const tensors = await tensorsOf(file);
  const [other, tensor] = ["other", "w"].map((wanted) =>
    tensors.find((tensor) => tensor.name === wanted)!
  );
  const output = safetensorsOutput([
    { name: "w", shape, quantized: plan },
    { name: "other", shape: [3], dtype: "I32" },
  ]);
  const tasks = {
    quantized: [{
      index: 0,
      tensor,
      plan,
      layout,
      bytes: bytesInFormat(layout),
      repacked: false,
    }],
    copied: [{
      index: 1,
      tensor: other,
      name: "other",
      reason: "",
      refused: true,
    }],
  };
  const sink = new MemorySink(output.size);
  const errors = await new Quantizer({ file, tasks, output, clamp, capacity })
    .run(sink, quiet);
  assert(!sink.touched.includes(0), "some bytes were never written");
  const written = await openSafetensors(memorySource(sink.bytes));
  return { file: written, error: errors[0] };
}

async function partsOf(file: TensorFile): Promise<Record<string, Uint8Array>> {
  const parts: Record<string, Uint8Array> = {};
  const { quantized } = await sortTensors(file);
  for (const [name, entry] of quantized[0].parts) {
    parts[name] = new Uint8Array(entry.byteLength);
    await file.source.read(entry.offset, parts[name]);
  }
  return parts;
}

function whole(test: Case, values: Float32Array): QuantizedTensor {
  const { format, options, shape, clamp } = test;
  const all = {
    ...options,
    format,
    shape,
    nonFinite: clamp ? "clamp" : "throw",
  };
  return quantize(
    values,
    all as unknown as { format: "int4" },
  ) as unknown as QuantizedTensor;
}

function bytesOfParts(parts: Record<string, Part>): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, { data }]) => [
      name,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]),
  );
}

async function check(test: Case, values = valuesFor(test.shape)) {
  const expected = whole(test, values);
  const { file, error } = await quantizeByWindows(test, values);
  assertEquals(await partsOf(file), bytesOfParts(expected.parts));
  const restored = dequantize(expected);
  if (!test.clamp) {
    const { sqnr } = compare(values, restored);
    assert(
      Object.is(error.sqnr, sqnr) || Math.abs(error.sqnr - sqnr) < 1e-6,
      `${error.sqnr} dB, not ${sqnr}`,
    );
  }
  await checkDequantize(file, test.capacity, restored);
}

async function checkDequantize(
  file: TensorFile,
  capacity: number,
  expected: Float32Array,
) {
  const tensors = await tensorsOf(file);
  const [tensor] = tensors.filter(({ quantized }) => quantized);
  const copied = tensors.filter(({ quantized }) => !quantized);
  const output = safetensorsOutput([
    { name: "w", shape: tensor.shape, dtype: "F32" },
    ...copied.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  ]);
  const sink = new MemorySink(output.size);
  const tasks = [
    { index: 0, tensor, cast: "F32" },
    ...copied.map((tensor, i) => ({ index: i + 1, tensor })),
  ];
  await runDequantize({ file, tasks, output, capacity }, sink, quiet);
  const start = output.offsetOf(0);
  const values = new Float32Array(
    sink.bytes.slice(start, start + 4 * expected.length).buffer,
  );
  assertEquals(bits(values), bits(expected));
}

const options = fc.record({
  groupSize: fc.oneof(
    fc.integer({ min: 1, max: 400 }),
    fc.constantFrom("row" as const, "tensor" as const),
  ),
  scaleMethod: fc.constantFrom("absmax", "minmax", "affine"),
});

const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 1500 })),
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 300 })),
  fc.tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 90 }),
  ),
);

Deno.test("int4 in windows of any size gives the bytes and the error of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      options,
      shapes,
      fc.integer({ min: 64, max: 1000 }),
      async (options, shape, capacity) => {
        await check({ format: "int4", options, shape, capacity });
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("groups hardly longer than what is cut keep to their own scales", async () => {
  for (const capacity of [64, 511, 512, 513, 1000]) {
    for (const groupSize of [14, 62, 64, 66, 126, 128, 130]) {
      const options = { groupSize, scaleMethod: "absmax" };
      for (const shape of [[15], [3, 129], [1100]]) {
        await check({ format: "int4", options, shape, capacity });
      }
    }
  }
});

Deno.test("formats of blocks in windows of any size give the bytes of the whole", async () => {
  const names = ["q4_0", "q4_1", "q4_k", "iq4_nl", "iq4_xs", "mxfp4", "nvfp4"];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 256, max: 900 }),
      async (format, rows, blocks, capacity) => {
        const shape = [rows, 256 * blocks];
        await check({ format, options: {}, shape, capacity });
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("groups longer than a window are measured first, and clamped like the whole", async () => {
  const shape = [3, 500];
  for (const groupSize of ["tensor", "row", 300, 500] as const) {
    for (const scaleMethod of ["absmax", "minmax", "affine"]) {
      const values = valuesFor(shape, 7);
      values[20] = NaN;
      values[700] = Infinity;
      values[1400] = -Infinity;
      const test = { format: "int4", options: { groupSize, scaleMethod } };
      for (const capacity of [128, 640, 5000]) {
        await check({ ...test, shape, capacity, clamp: true }, values);
      }
    }
  }
});
