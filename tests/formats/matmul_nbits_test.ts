/**
 * matmul_nbits against models that onnxruntime's quantizer wrote: read bit for
 * bit, written alike, and refused where a part cannot be one.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  type MatMulNBitsParts,
  quantize,
  type Quantized,
} from "../../mod.ts";
import { repackWith } from "../../src/core.ts";
import { matmul_nbits } from "../../src/formats/matmul_nbits.ts";
import { q4_0 } from "../../src/formats/q4_0.ts";
import { f16ToF32, f32ToF16 } from "../../src/numeric/f16.ts";
import type { Part } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES = [
  ...["K61_N7_b16", "K64_N7_b16", "K80_N5_b16", "K97_N7_b32", "K128_N7_b32"],
  ...["K160_N9_b64", "K300_N9_b128"],
].flatMap((name) =>
  ["sym", "asym"].flatMap((kind) =>
    ["float32", ...(/_b32/.test(name) ? ["float16"] : [])].map((dtype) =>
      `${name}_${kind}_${dtype}`
    )
  )
);

/** The values of a matrix [in, out] as [out, in]. */
function transposed(part: Part): Float32Array {
  const values = floatsOf(part), [inputs, outputs] = part.shape;
  return values.map((_, i) =>
    values[(i % inputs) * outputs + Math.floor(i / inputs)]
  );
}

interface Golden {
  readonly quantized: Quantized<"matmul_nbits">;
  readonly weight: Float32Array;
  readonly dequantized: Float32Array;
}

async function goldenCase(name: string): Promise<Golden> {
  const tensors = await goldenTensors(`matmul_nbits/${name}.safetensors`);
  const { weight, dequant, ...parts } = Object.fromEntries(tensors);
  const [, inputs, outputs, blockSize] = /K(\d+)_N(\d+)_b(\d+)/.exec(name)!
    .map(Number);
  return {
    weight: transposed(weight),
    dequantized: transposed(dequant),
    quantized: {
      format: "matmul_nbits",
      shape: [outputs, inputs],
      options: {
        blockSize,
        symmetric: !("zero_points" in parts),
        scaleDtype: parts.scales.dtype as "F32" | "F16",
      },
      parts: parts as unknown as MatMulNBitsParts,
    },
  };
}

for (const name of CASES) {
  Deno.test(`matmul_nbits: ${name} dequantizes as onnxruntime does`, async () => {
    const { quantized, dequantized } = await goldenCase(name);
    // A product with an identity matrix adds zeros, which takes the sign of zero away.
    const values = dequantize(quantized).map((x) => x + 0);
    assertSameBytes(values, dequantized.map((x) => x + 0), name);
  });

  Deno.test(`matmul_nbits: ${name} is quantized as onnxruntime does`, async () => {
    const { quantized: { shape, options, parts }, weight } = await goldenCase(
      name,
    );
    const made = quantize(weight, {
      format: "matmul_nbits",
      shape,
      ...options,
    });
    assertEquals(Object.keys(made.parts).sort(), Object.keys(parts).sort());
    for (const [part, { data, shape }] of Object.entries(parts)) {
      const own = (made.parts as unknown as Record<string, Part>)[part];
      assertSameBytes(own.data, data, `${name} ${part}`);
      assertEquals(own.shape, shape);
    }
  });
}

type Options = Parameters<typeof matmul_nbits.resolve>[0];

/** One row in blocks of 16. */
function row(values: readonly number[], options: Options = {}) {
  return quantize(values, {
    format: "matmul_nbits",
    shape: [1, values.length],
    blockSize: 16,
    ...options,
  });
}

/** Codes with whatever fills the last block. */
function codesOf({ parts }: Quantized<"matmul_nbits">): number[] {
  return Array.from(parts.B.data).flatMap((byte) => [byte & 15, byte >> 4]);
}

Deno.test("matmul_nbits: an odd row ends in the code before its last, unless a pair of blocks starts there", () => {
  const ramp = (n: number) => Array.from({ length: n }, (_, i) => i % 7 - 8);
  for (
    const [n, stale] of [[3, true], [17, true], [31, true], [33, false], [
      1,
      false,
    ]] as const
  ) {
    const codes = codesOf(row(ramp(n)));
    assertEquals(codes.length, 16 * Math.ceil(n / 16));
    assertEquals(codes[n], stale ? codes[n - 2] : 0, `${n} values`);
    assert(codes.slice(n + 1).every((code) => code === 0));
  }
  const even = codesOf(row(ramp(18)));
  assert(even.slice(18).every((code) => code === 0));
});

Deno.test("matmul_nbits: the codes that a long odd row ends in do not depend on how it is cut", () => {
  for (const n of [16 * 1025 - 15, 16 * 1024 - 15, 3 * 8192 + 1]) {
    const values = adversarial(n).gauss;
    const codes = codesOf(row(Array.from(values)));
    const last = (n - 1) % 32 === 0 ? 0 : codes[n - 2];
    assertEquals(codes[n], last, `${n} values`);
  }
});

Deno.test("matmul_nbits: blocks longer than a tile equal those of a plain rule", () => {
  const n = 40000, blockSize = 32768, values = adversarial(n).gauss;
  for (const symmetric of [true, false]) {
    const q = quantize(values, {
      format: "matmul_nbits",
      shape: [1, n],
      blockSize,
      symmetric,
    });
    const scales = [0, blockSize].map((from) => {
      const block = values.subarray(from, from + blockSize);
      const low = block.reduce((a, b) => Math.min(a, b), 0);
      const high = block.reduce((a, b) => Math.max(a, b), 0);
      return symmetric
        ? (high > -low ? high : low) / -8
        : Math.fround(high - low) / 15;
    });
    assertEquals(
      q.parts.scales.data as Float32Array,
      Float32Array.from(scales),
    );
  }
});

Deno.test("matmul_nbits: a block of zeros has the scale of its first zero, and code 8", () => {
  const zeros = Array.from({ length: 16 }, (_, i) => i % 2 === 0 ? 0 : -0);
  const scaleOf = (values: number[]) => row(values).parts.scales.data[0];
  assert(Object.is(scaleOf(zeros), -0));
  assert(Object.is(scaleOf(zeros.map((x) => -x)), 0));
  assertEquals(codesOf(row(zeros)), new Array(16).fill(8));
  assertEquals(
    codesOf(row(zeros, { symmetric: false })),
    new Array(16).fill(0),
  );
});

Deno.test("matmul_nbits: what goes beyond the last block is 8 among zero points, 0 where none is", () => {
  const three = row(new Array(48).fill(1), { symmetric: false });
  assertEquals(Array.from(three.parts.zero_points!.data), [0x00, 0x80]);
  const two = row(new Array(32).fill(-1), { symmetric: false });
  assertEquals(Array.from(two.parts.zero_points!.data), [0xff]);
});

Deno.test("matmul_nbits: scales that no quantizer writes are refused", () => {
  const make = (scale: number, options: Options) => {
    const q = row(new Array(40).fill(1), options);
    q.parts.scales.data[2] = options.scaleDtype === "F16"
      ? f32ToF16(scale)
      : scale;
    return q;
  };
  for (const scaleDtype of ["F32", "F16"] as const) {
    const symmetric = { scaleDtype },
      asymmetric = { scaleDtype, symmetric: false };
    const bad: [number, Options][] = [
      [NaN, symmetric],
      [NaN, asymmetric],
      [-1, asymmetric],
    ];
    for (const [scale, options] of bad) {
      assertThrows(
        () => dequantize(make(scale, options)),
        RangeError,
        `Cannot dequantize part "scales": it has ${scale} at index 2`,
      );
    }
    for (const scale of [-1, 0, Infinity]) {
      assertEquals(dequantize(make(scale, symmetric)).length, 40);
    }
    assertEquals(dequantize(make(1, asymmetric)).length, 40);
  }
});

Deno.test("matmul_nbits: parts have to be those of the options", () => {
  const q = row(new Array(40).fill(1), { symmetric: false });
  assertEquals(dequantize(q).length, 40);
  const { zero_points: _, ...without } = q.parts;
  assertThrows(
    () => dequantize({ ...q, parts: without }),
    RangeError,
    '"zero_points"',
  );
  const symmetric = { ...q.options, symmetric: true };
  assertThrows(
    () => dequantize({ ...q, options: symmetric }),
    RangeError,
    '"zero_points"',
  );
  assertEquals(
    dequantize({ ...q, options: symmetric, parts: without }).length,
    40,
  );
  const half = { ...q.options, scaleDtype: "F16" } as const;
  assertThrows(
    () => dequantize({ ...q, options: half }),
    RangeError,
    '"scales"',
  );
});

Deno.test("matmul_nbits: block sizes are powers of two from 16 on", () => {
  for (const blockSize of [8, 24, 0, 33.5]) {
    assertThrows(() => row([1], { blockSize }), RangeError, "blockSize");
  }
  for (const blockSize of [16, 4096]) {
    assertEquals(row([1], { blockSize }).shape, [1, 1]);
  }
});

Deno.test("matmul_nbits: values are rounded to the type of the scales, or to the one asked for", () => {
  const values = Array.from({ length: 16 }, (_, i) => 0.7 * Math.sin(i));
  const half = row(values, { scaleDtype: "F16" });
  const wide = { ...half, options: { ...half.options, computeDtype: "F32" } };
  const rounded = dequantize(wide).map((x) => f16ToF32(f32ToF16(x)));
  assertSameBytes(dequantize(half), rounded);
  assert(dequantize(wide).some((x, i) => x !== rounded[i]));
});

Deno.test("matmul_nbits: ggml's q4_0 is repacked as it is, and back", () => {
  const values = adversarial(4 * 96).gauss;
  const q = quantize(values, { format: "q4_0", shape: [4, 96] });
  for (const scaleDtype of ["F32", "F16"] as const) {
    const other = repackWith(q4_0, q, matmul_nbits, {
      scaleDtype,
      computeDtype: "F32",
    });
    assertSameBytes(dequantize(other), dequantize(q));
    const back = repackWith(matmul_nbits, other, q4_0);
    assertSameBytes(back.parts.blocks.data, q.parts.blocks.data);
  }
});
