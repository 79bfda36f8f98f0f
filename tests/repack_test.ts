/**
 * Repacking moves numbers and changes none: values are the same bit for bit, there
 * and back are the same bytes, and what does not fit is refused by name.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type AnyQuantized,
  dequantize,
  type FormatName,
  formats,
  type Parts,
  quantize,
  repack,
} from "../mod.ts";
import { adversarial } from "./adversarial.ts";
import { assertSameBytes } from "./same_bytes.ts";

const SHAPE = [32, 256];
const VALUES = adversarial(SHAPE[0] * SHAPE[1]).gauss;

type Options = Record<string, unknown>;

// Options are data here; the registry checks them.
const quantizeAs = (format: FormatName, options: Options): AnyQuantized =>
  quantize(VALUES, { ...options, format: format as "int4", shape: SHAPE });
const repackAs = (
  quantized: AnyQuantized,
  format: FormatName,
  options: Options,
): AnyQuantized => repack(quantized, format as "int4", options);

interface Pair {
  readonly from: readonly [FormatName, Options];
  readonly to: readonly [FormatName, Options];
}

const IN_FLOAT32 = { computeDtype: "F32" };
const ASYMMETRIC = { groupSize: 32, symmetric: false, ...IN_FLOAT32 };
const SYMMETRIC = { groupSize: 32, symmetric: true, ...IN_FLOAT32 };

/** Every two of these hold each other's numbers, where float16 holds the scales of 32 values: no zero points. */
const INTEGERS: readonly Pair["from"][] = [
  ["gptq", SYMMETRIC],
  ["matmul_nbits", { symmetric: true, scaleDtype: "F16", ...IN_FLOAT32 }],
  ["compressed_tensors", { groupSize: 32, symmetric: true }],
  ["onnx_int4", { symmetric: true }],
  ["int4", { groupSize: 32, scaleMethod: "absmax" }],
  ["tflite", { granularity: 32, symmetric: true }],
  ["openvino", { groupSize: 32, mode: "int4_sym" }],
  ["int4_modelopt", { groupSize: 32 }],
  ["gather_blocks", { symmetric: true }],
];

/** The same with zero points. */
const ASYMMETRIC_INTEGERS: readonly Pair["from"][] = [
  ["awq", { groupSize: 32, ...IN_FLOAT32 }],
  ["gptq", ASYMMETRIC],
  ["matmul_nbits", { symmetric: false, scaleDtype: "F16", ...IN_FLOAT32 }],
  ["compressed_tensors", { groupSize: 32, symmetric: false }],
  ["onnx_int4", { symmetric: false }],
  ["onnx_uint4", {}],
  ["int4", { groupSize: 32, scaleMethod: "affine" }],
  ["keras", { groupSize: 32 }],
  ["openvino", { mode: "int4_asym", groupSize: 32 }],
  ["gather_blocks", { symmetric: false }],
];

/** Exact both ways, both computing in float32. */
const EXACT: readonly Pair[] = [
  {
    from: ["gptq", { ...ASYMMETRIC, version: 1 }],
    to: ["gptq", { ...ASYMMETRIC, version: 2 }],
  },
  {
    from: ["gptq", { ...SYMMETRIC, version: 1 }],
    to: ["gptq", { ...SYMMETRIC, version: 2 }],
  },
  { from: ["gptq", ASYMMETRIC], to: ["matmul_nbits", {}] },
  { from: ["gptq", SYMMETRIC], to: ["matmul_nbits", {}] },
  { from: ["gptq", ASYMMETRIC], to: ["int4", {}] },
  { from: ["gptq", SYMMETRIC], to: ["int4", {}] },
  { from: ["matmul_nbits", { symmetric: false }], to: ["int4", {}] },
  { from: ["matmul_nbits", {}], to: ["int4", {}] },
  { from: ["int4", { groupSize: 32 }], to: ["matmul_nbits", {}] },
  {
    from: ["int4", { groupSize: 32, scaleMethod: "affine" }],
    to: ["matmul_nbits", {}],
  },
  { from: ["q4_0", {}], to: ["matmul_nbits", {}] },
  { from: ["q4_0", {}], to: ["int4", {}] },
  { from: ["q4_1", {}], to: ["mlx", { scaleDtype: "F32" }] },
  {
    from: ["mlx", { mode: "mxfp4", ...IN_FLOAT32 }],
    to: ["mxfp4", {}],
  },
  { from: ["mxfp4", {}], to: ["mlx", { ...IN_FLOAT32 }] },
  { from: ["nvfp4", {}], to: ["nvfp4_modelopt", IN_FLOAT32] },
  { from: ["nvfp4", {}], to: ["nvfp4_ct", IN_FLOAT32] },
  {
    from: ["nvfp4", {}],
    to: ["nvfp4_torchao", { perTensorScale: false, ...IN_FLOAT32 }],
  },
  { from: ["mxfp4", {}], to: ["mxfp4_hf", IN_FLOAT32] },
  { from: ["mxfp4", {}], to: ["mxfp4_ct", IN_FLOAT32] },
  { from: ["mxfp4", {}], to: ["mxfp4_modelopt", IN_FLOAT32] },
  { from: ["mxfp4", {}], to: ["mxfp4_torchao", IN_FLOAT32] },
  { from: ["mxfp4_torchao", IN_FLOAT32], to: ["mxfp4_hf", {}] },
  { from: ["mxfp4_modelopt", {}], to: ["mxfp4_ct", {}] },
  {
    from: ["nvfp4_torchao", { perTensorScale: false }],
    to: ["nvfp4_ct", {}],
  },
  { from: ["nf4", { blockSize: 32 }], to: ["matmul_bnb4", {}] },
  { from: ["fp4", {}], to: ["matmul_bnb4", {}] },
  { from: ["ml_dtypes", { kind: "int4" }], to: ["int4", {}] },
];

const bytes = (parts: object): [string, Uint8Array][] =>
  Object.entries(parts as Parts).map(([name, { data }]) => [
    name,
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);

Deno.test("keras: multipliers become the scales that values have, and scales the multipliers of just them", () => {
  const q = quantizeAs("keras", { groupSize: "row" });
  for (
    const [format, options] of [
      ["int4", { groupSize: "row" }],
      ["tflite", {}],
      ["onnx_int4", { blockSize: 256 }],
    ] as const
  ) {
    const r = repackAs(q, format, options);
    assertSameBytes(dequantize(r), dequantize(q), format);
    // Several multipliers may have one inverse: the values are the same, whichever it is.
    const back = repackAs(r, "keras", { groupSize: "row" });
    assertSameBytes(dequantize(back), dequantize(q), `${format} and back`);
  }
  // Float32 numbers near 1 are closer to each other than the inverses of numbers near it.
  const values = new Float32Array(32 * 256);
  const scaled = (largest: number) => {
    values[5 * 256] = largest;
    return quantize(values, { format: "tflite", shape: [32, 256] });
  };
  const none = Math.fround(7 * (1 - 3 * 2 ** -24));
  assertThrows(
    () => repackAs(scaled(none), "keras", { groupSize: "row" }),
    RangeError,
    "of group 5 does not fit: no float32 is the divisor that stands for the same",
  );
  repackAs(scaled(7 * (1 - 2 ** -23)), "keras", { groupSize: "row" });
});

for (const { from, to } of EXACT) {
  const label = `${from[0]} ${JSON.stringify(from[1])} and ${to[0]}`;
  Deno.test(`${label} are the same numbers, there and back`, () => {
    const q = quantizeAs(...from), r = repackAs(q, ...to);
    assertSameBytes(dequantize(r), dequantize(q), label);
    const back = repackAs(r, ...from);
    assertEquals(back.options, q.options);
    const expected = new Map(bytes(q.parts));
    assertEquals(Object.keys(back.parts), [...expected.keys()]);
    for (const [name, data] of bytes(back.parts)) {
      assertSameBytes(data, expected.get(name)!, `${label} ${name}`);
    }
  });
}

for (const layouts of [INTEGERS, ASYMMETRIC_INTEGERS]) {
  for (const first of layouts) {
    Deno.test(`${first[0]} ${JSON.stringify(first[1])} and every other layout of such integers are the same numbers, there and back`, () => {
      // GPTQ's scales are of float16, which is what all of them hold.
      const source = layouts.find(([name]) => name === "gptq")!;
      const q = repackAs(quantizeAs(...source), ...first);
      const values = dequantize(q), expected = new Map(bytes(q.parts));
      for (const second of layouts) {
        const label = `${first[0]} to ${second[0]}`;
        const r = repackAs(q, ...second), back = repackAs(r, ...first);
        assertSameBytes(dequantize(r), values, label);
        assertEquals(back.options, q.options, label);
        for (const [name, data] of bytes(back.parts)) {
          assertSameBytes(data, expected.get(name)!, `${label} ${name}`);
        }
      }
    });
  }
}

Deno.test("integers with the zero point in the middle need none, others do", () => {
  const middle = repackAs(quantizeAs("gptq", SYMMETRIC), "onnx_uint4", {
    symmetric: false,
  });
  for (const to of INTEGERS) {
    assertEquals(
      dequantize(repackAs(middle, ...to)),
      dequantize(middle),
      to[0],
    );
  }
  const moved = quantizeAs("onnx_uint4", { symmetric: false });
  for (const to of INTEGERS) {
    assertThrows(() => repackAs(moved, ...to), RangeError, "Cannot repack");
  }
  // UINT4 without zero points counts from 0, INT4 from −8.
  assertThrows(
    () =>
      repackAs(quantizeAs("onnx_int4", {}), "onnx_uint4", { symmetric: true }),
    RangeError,
    "its zero is 8, not 0",
  );
  repackAs(quantizeAs("onnx_int4", {}), "onnx_uint4", {});
});

Deno.test("a group for each output, and one for the tensor", () => {
  const rows: readonly Pair["from"][] = [
    ["gptq", { groupSize: "row", symmetric: true, ...IN_FLOAT32 }],
    ["tflite", { granularity: "channel" }],
    ["openvino", { groupSize: "row" }],
    ["onnx_int4", { axis: 0, blockSize: 0 }],
    ["compressed_tensors", { groupSize: "row" }],
    ["int4", { groupSize: "row" }],
  ];
  const q = quantizeAs(...rows[0]), values = dequantize(q);
  for (const to of rows) {
    assertSameBytes(dequantize(repackAs(q, ...to)), values, to[0]);
  }
  const tensor = quantizeAs("onnx_int4", { axis: "tensor" });
  for (const name of ["int4", "tflite"] as const) {
    const r = repackAs(tensor, name, {});
    assertEquals(
      dequantize(r).map((x) => x + 0),
      dequantize(tensor).map((x) => x + 0),
    );
    assertEquals(repackAs(r, "onnx_int4", {}).parts, tensor.parts);
  }
  // Keras has what values were multiplied by, not what codes are.
  assertThrows(
    () => repackAs(q, "keras", { groupSize: "row" }),
    RangeError,
    "no float32 is the divisor that stands for the same",
  );
  repackAs(quantizeAs("keras", { groupSize: "row" }), "keras", { axis: 0 });
});

Deno.test("what does not fit is refused by group and field, and its neighbour is taken", () => {
  const float32 = quantizeAs("int4", { groupSize: 32 });
  assertThrows(
    () => repack(float32, "q4_0"),
    RangeError,
    "of group 0 does not fit",
  );
  repack(repack(quantizeAs("q4_0", {}), "int4"), "q4_0");

  const affine = quantizeAs("int4", { groupSize: 32, scaleMethod: "affine" });
  assertThrows(
    () => repack(affine, "matmul_nbits", { symmetric: true }),
    RangeError,
    "zero ",
  );
  repack(affine, "matmul_nbits", { symmetric: false });

  const scaled = quantizeAs("nvfp4_modelopt", {});
  assertThrows(() => repack(scaled, "nvfp4"), RangeError, "tensorScale");
  repack(repack(quantizeAs("nvfp4", {}), "nvfp4_modelopt"), "nvfp4");
});

Deno.test("formats of other grids, forms and groups are refused with the reason", () => {
  const refuse = (from: FormatName, to: FormatName, reason: string) =>
    assertThrows(
      () => repackAs(quantizeAs(from, {}), to, {}),
      RangeError,
      reason,
    );
  refuse("mxfp4", "q4_0", "its codes stand for e2m1, not uint4");
  refuse("q4_1", "q4_0", "its values are s·c + b, not s·(c − z)");
  refuse("q4_k", "q4_0", "a form of its own");
  assertThrows(
    () => repack(quantizeAs("q4_0", {}), "matmul_nbits", { blockSize: 64 }),
    RangeError,
    "its groups have 32 values, not 64 values",
  );
});

/** The type that values of a tensor are rounded to. */
function roundedTo({ format, shape, options }: AnyQuantized): string {
  const { resolve, scheme } = formats.get(format as "int4")!;
  return scheme(shape, resolve(options, shape)).computeDtype;
}

Deno.test("every pair of formats either repacks to the same values or says why not", () => {
  const repacked: string[] = [];
  let same = 0;
  for (const from of formats.keys()) {
    const q = quantizeAs(from, {}), values = dequantize(q);
    for (const to of formats.keys()) {
      let r: AnyQuantized;
      try {
        r = repackAs(q, to, {});
      } catch (error) {
        assert(error instanceof RangeError, `${from} to ${to}: ${error}`);
        assert(error.message.startsWith("Cannot repack"), error.message);
        continue;
      }
      repacked.push(`${from} ${to}`);
      assertEquals(r.format, to);
      // OpenVINO rounds the product of both scales to float16.
      const twoScales = (r.options as { mode?: string }).mode === "nvfp4" &&
        to === "openvino" && from !== to;
      if (roundedTo(q) !== roundedTo(r) || twoScales) continue;
      same++;
      // But for the sign of a zero.
      const bad = dequantize(r).findIndex((x, i) => x !== values[i]);
      assertEquals(bad, -1, `${from} to ${to}`);
    }
  }
  for (const name of formats.keys()) {
    assert(repacked.includes(`${name} ${name}`), `${name} is itself`);
  }
  assert(same > 2 * formats.size, `${same} pairs`);
});

Deno.test("what a library rounds to float16 stays so wherever the other format can", () => {
  for (const from of ["gptq", "awq"] as const) {
    const q = quantizeAs(from, { groupSize: 32 }), values = dequantize(q);
    for (
      const to of ["matmul_nbits", "onnx_int4", "compressed_tensors"] as const
    ) {
      const r = repackAs(q, to, {}), label = `${from} to ${to}`;
      assertSameBytes(dequantize(r), values, label);
      const back = repackAs(r, from, {});
      assertEquals(back.options, q.options, label);
      assertEquals(back.parts, q.parts, label);
    }
    const fine = repackAs(q, "int4", {});
    assert(dequantize(fine).some((x, i) => x !== values[i]));
    assertEquals(repackAs(fine, from, {}).options, {
      ...q.options,
      computeDtype: "F32",
    });
  }
});
