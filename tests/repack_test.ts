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

const SHAPE = [16, 256];
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

Deno.test("every pair of formats either repacks to the same values or says why not", () => {
  const repacked: string[] = [];
  for (const from of formats.keys()) {
    const q = quantizeAs(from, {});
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
    }
  }
  for (const name of formats.keys()) {
    assert(repacked.includes(`${name} ${name}`), `${name} is itself`);
  }
});
