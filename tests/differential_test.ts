// Every format, option set, memory and backend gives the same bits as the scalar
// reference, NaN and infinities included: of what is quantized, and of garbage.

import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import { assert, assertThrows } from "@std/assert";
import { allocateParts } from "../src/core.ts";
import { dequantize, quantize } from "../src/quantize.ts";
import {
  type Backend,
  backend as backendInForce,
  useBackend,
} from "../src/kernels/engine.ts";
import type { Part, Parts } from "../src/words/format.ts";
import { adversarial, random } from "./adversarial.ts";
import { memories, type Memory } from "./memories.ts";
import { type OptionCase, optionCases } from "./options.ts";
import { assertSameBytes } from "./same_bytes.ts";

const BACKENDS: Backend[] = ["wasm", "js"];
const SEED = Number(Deno.env.get("SEED") ?? 20_241);

function mapParts(parts: Parts, change: (part: Part) => Part["data"]): Parts {
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [
      name,
      { ...part, data: change(part) },
    ]),
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Words of a NaN, an infinity, a subnormal, in turn with anything. */
const ODD_FLOATS = [
  ...[0x7fc00000, 0xffc00001, 0x7f800001, 0xffbfffff],
  ...[0x7f800000, 0xff800000, 0x00000001, 0x80000000],
];
const ODD_HALVES = [0x7e00, 0xfe01, 0x7c01, 0xfdff, 0x7c00, 0xfc00, 1, 0x8000];

/** Bytes that no quantizer has made: scales of every kind, codes of every value. */
function garbage(
  { format, shape, options }: OptionCase,
  next: () => number,
): Parts {
  const layout = format.layout(shape, format.resolve(options, shape));
  return mapParts(
    allocateParts(layout.parts),
    ({ data }) => {
      const bytes = new Uint8Array(data.buffer);
      for (let i = 0; i < bytes.length; i++) bytes[i] = next() * 256;
      const odd = data instanceof Float32Array
        ? new Uint32Array(data.buffer)
        : new Uint16Array(data.buffer, 0, bytes.length >> 1);
      const values = data instanceof Float32Array ? ODD_FLOATS : ODD_HALVES;
      for (let i = 0; i < odd.length; i++) {
        if (next() < 0.2) odd[i] = values[Math.floor(next() * values.length)];
      }
      return data;
    },
  );
}

function kept({ format, shape, options }: OptionCase): object {
  return format.kept(format.resolve(options, shape));
}

/** Whether the reference dequantizes these parts; where it refuses them, `dequantize` has to, be it for another of their faults. */
function isRead(test: OptionCase, parts: Parts): boolean {
  const { format, shape, options } = test;
  const out = new Float32Array(sizeOf(shape));
  try {
    const resolved = format.resolve(options, shape);
    format.reference.dequantize(parts, shape, resolved, out);
    return true;
  } catch {
    assertThrows(
      () =>
        dequantize({ format: format.name, shape, options: kept(test), parts }),
      RangeError,
      "Cannot ",
    );
    return false;
  }
}

function assertDequantizesAlike(
  test: OptionCase,
  parts: Parts,
  expected: Float32Array,
  memory: Memory,
  label: string,
): void {
  const { format, shape } = test;
  const out = memory(new Float32Array(expected.length).fill(NaN));
  const placed = mapParts(parts, ({ data }) => memory(data));
  if (format.checkNumbers) {
    // Garbage is refused by such a format; below that it still has to be the same.
    const resolved = format.resolve(test.options, shape);
    format.dequantize(placed, shape, resolved, out);
  } else {
    const tensor = { format: format.name, shape, options: kept(test) };
    dequantize({ ...tensor, parts: placed }, { into: out });
  }
  assertSameBytes(out, expected, label);
}

function assertQuantizesAlike(
  { format, shape, options }: OptionCase,
  values: Float32Array,
  expected: Parts,
  memory: Memory,
  label: string,
): void {
  const fresh = mapParts(
    expected,
    ({ data }) => {
      const copy = data.slice();
      new Uint8Array(copy.buffer).fill(1);
      return memory(copy);
    },
  );
  const into = { format: format.name, shape, options: {}, parts: fresh };
  const given = {
    ...options,
    format: format.name as "int4",
    shape,
    into: into as never,
    nonFinite: "clamp" as const,
  };
  quantize(memory(values), given);
  for (const [name, { data }] of Object.entries(expected)) {
    assertSameBytes(fresh[name].data, data, `${label} ${name}`);
  }
}

Deno.test(`every format, option set, memory and backend gives the bits of the reference (seed ${SEED})`, () => {
  const before = backendInForce(), next = random(SEED);
  let cases = 0, nans = 0;
  try {
    for (const test of optionCases()) {
      const { format, shape, options, label } = test;
      const resolved = format.resolve(options, shape), n = sizeOf(shape);
      const values = adversarial(n).mixedMagnitudes;
      const expected = allocateParts(format.layout(shape, resolved).parts);
      format.reference.quantize(
        values,
        shape,
        resolved,
        expected,
        { overflow: "clamp" },
      );
      const floats = new Float32Array(n), random = garbage(test, next);
      // Some formats refuse numbers that their library never writes.
      const parts = isRead(test, random) ? random : expected;
      format.reference.dequantize(parts, shape, resolved, floats);
      for (const x of floats) nans += Number(Number.isNaN(x));
      for (const backend of BACKENDS) {
        useBackend(backend);
        for (const [name, memory] of Object.entries(memories)) {
          const where = `${label} ${backend} ${name}`;
          assertQuantizesAlike(test, values, expected, memory, where);
          assertDequantizesAlike(test, parts, floats, memory, where);
        }
      }
      cases++;
    }
  } finally {
    useBackend(before);
  }
  assert(cases > 100, `${cases} cases`);
  assert(nans > 10_000, `${nans} NaNs`);
});

Deno.test(`NaN and infinities clamp to the same bits in every memory and on every backend (seed ${SEED})`, () => {
  const before = backendInForce(), next = random(SEED);
  try {
    for (const test of optionCases()) {
      const { format, shape, options, label } = test;
      const values = adversarial(sizeOf(shape)).gauss;
      for (let i = 0; i < values.length; i += 1 + Math.floor(next() * 60)) {
        values[i] = [NaN, Infinity, -Infinity][i % 3];
      }
      const given = {
        ...options,
        format: format.name as "int4",
        shape,
        nonFinite: "clamp" as const,
      };
      useBackend("js");
      const expected = quantize(values, given).parts as unknown as Parts;
      useBackend("wasm");
      for (const [name, memory] of Object.entries(memories)) {
        assertQuantizesAlike(
          test,
          values,
          expected,
          memory,
          `${label} ${name}`,
        );
      }
    }
  } finally {
    useBackend(before);
  }
});

Deno.test("q4_1 with every half as scale and as minimum gives the same NaNs on both backends", () => {
  const before = backendInForce(), blocks = 65536 * 2, bytes = 20;
  const data = new Uint8Array(blocks * bytes);
  const view = new DataView(data.buffer);
  for (let half = 0; half < 65536; half++) {
    view.setUint16(half * bytes, half, true);
    view.setUint16(half * bytes + 2, 0x7e01 + half, true);
    view.setUint16((65536 + half) * bytes, 0xfc00, true);
    view.setUint16((65536 + half) * bytes + 2, half, true);
    for (let k = 4; k < bytes; k++) {
      data[half * bytes + k] = data[(65536 + half) * bytes + k] = k * 37;
    }
  }
  const tensor = {
    format: "q4_1",
    shape: [blocks * 32],
    options: {},
    parts: { blocks: { dtype: "U8", shape: [data.length], data } },
  };
  useBackend("js");
  const expected = dequantize(tensor);
  useBackend("wasm");
  assertSameBytes(dequantize(tensor), expected);
  useBackend(before);
  const bits = new Uint32Array(expected.buffer);
  const nans = bits.filter((word) => (word & 0x7fffffff) > 0x7f800000);
  assert(nans.length > 65536);
  assert(nans.every((word) => word === 0x7fc00000));
});
