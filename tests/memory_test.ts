// Memory that callers share with the kernels: how much of it there is, what
// writing elsewhere in it may do, and results that lie where their input is.

import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  allocate,
  type Backend,
  backend as backendInForce,
  compare,
  dequantize,
  dequantizeFromInt4,
  packInt4ToInt8,
  quantize,
  quantizeToInt4,
  unpackInt8ToInt4,
  useBackend,
} from "../mod.ts";
import { allocateInArena } from "../src/kernels/arena.ts";
import type { Part, Parts } from "../src/words/format.ts";
import { adversarial, random } from "./adversarial.ts";
import { type OptionCase, optionCases } from "./options.ts";
import { assertSameBytes } from "./same_bytes.ts";

const BACKENDS: Backend[] = ["wasm", "js"];
const MEBIBYTE = 1024 * 1024;

function on(backend: Backend, run: () => void): void {
  const before = backendInForce();
  useBackend(backend);
  try {
    run();
  } finally {
    useBackend(before);
  }
}

function size({ shape }: OptionCase): number {
  return shape.reduce((a, b) => a * b, 1);
}

function optionsOf({ format, shape, options }: OptionCase) {
  return { ...options, format: format.name as "int4", shape };
}

function dataOf(tensor: { parts: unknown }): Part["data"][] {
  return Object.values(tensor.parts as Parts).map(({ data }) => data);
}

// ---- arenas ----

Deno.test("an arena is as large as what is asked, and small arrays share one", () => {
  on("wasm", () => {
    const small = Array.from({ length: 20 }, () => allocate(64));
    for (const { buffer } of small) {
      assert(buffer.byteLength <= 64 * MEBIBYTE, `${buffer.byteLength}`);
    }
    assert(new Set(small.map(({ buffer }) => buffer)).size <= 2);
    const large = allocate(40 * MEBIBYTE);
    assert(large.buffer.byteLength < 161 * MEBIBYTE);
    assertEquals(large.length, 40 * MEBIBYTE);
    // A large array has an arena of its own and leaves the shared one in use.
    assertStrictEquals(allocate(1).buffer, small[19].buffer);
  });
});

Deno.test("the first small array takes a mebibyte", async () => {
  const code = `import { allocate } from ${
    JSON.stringify(new URL("../mod.ts", import.meta.url))
  }; console.log(allocate(64).buffer.byteLength)`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", code],
  }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), `${MEBIBYTE}`);
});

Deno.test("many arrays of any size stay valid and apart", () => {
  on("wasm", () => {
    const arrays = Array.from({ length: 60 }, (_, i) => allocate(i * 9001));
    arrays.forEach((array, i) => array.fill(i));
    arrays.forEach((array, i) => {
      assert(array.every((x) => x === i));
      assertEquals(array.byteOffset % 64, 0);
    });
  });
});

Deno.test("a slice of an allocated array can be posted and moved; its own buffer cannot", () => {
  on("wasm", () => {
    const array = allocate(64).fill(0.5), copy = array.slice();
    assertEquals(copy.buffer.byteLength, 256);
    const moved = structuredClone(copy, { transfer: [copy.buffer] });
    assertEquals(moved[63], 0.5);
    assertEquals(copy.length, 0);
    assertThrows(() => structuredClone(array, { transfer: [array.buffer] }));
    assertEquals(array.length, 64);
  });
});

Deno.test("whatever is written below byteOffset changes no later result", () => {
  on("wasm", () => {
    const next = random(7), bottom = 256 * 1024;
    const patterns = [() => 0xff, () => 0, () => next() * 256].map((byte) =>
      Uint8Array.from({ length: bottom }, byte)
    );
    for (const test of optionCases()) {
      const n = size(test), values = allocate(n), out = allocate(n);
      values.set(adversarial(n).gauss);
      const expected = quantize(values.slice(), optionsOf(test));
      const floats = dequantize(expected);
      // All that is not the arrays: constants, scratch, tiles.
      const below = new Uint8Array(values.buffer, 0, bottom);
      for (const pattern of patterns) {
        below.set(pattern);
        const actual = quantize(values, optionsOf(test));
        const wanted = dataOf(expected);
        dataOf(actual).forEach((data, i) =>
          assertSameBytes(data, wanted[i], test.label)
        );
        below.set(pattern);
        dequantize(actual, { into: out });
        assertSameBytes(out, floats, test.label);
      }
    }
  });
});

Deno.test("the basic operations and compare stand what is written below byteOffset, too", () => {
  on("wasm", () => {
    const values = allocate(1000), other = allocate(1000);
    values.set(adversarial(1000).gauss);
    other.set(adversarial(1000).weights);
    const below = new Uint8Array(values.buffer, 0, values.byteOffset);
    const run = () => {
      const q = quantizeToInt4(values, "absmax");
      // Codes in the same arena, so that its instance is the one that runs.
      const codes = new Int8Array(other.buffer, other.byteOffset, 1000);
      codes.set(q.quantized);
      const packed = packInt4ToInt8(codes);
      const bytes = new Int8Array(other.buffer, other.byteOffset, 500);
      bytes.set(packed);
      const unpacked = unpackInt8ToInt4(bytes);
      codes.set(unpacked);
      const floats = dequantizeFromInt4(codes, q.scale);
      return {
        q,
        packed,
        unpacked,
        floats,
        comparison: compare(values, floats),
      };
    };
    const expected = run();
    below.fill(0xa5);
    assertEquals(run(), expected);
  });
});

// ---- results in the memory of their input ----

/** A buffer that holds an array, and room around it. */
function rooms(bytes: number): Record<string, ArrayBufferLike> {
  return {
    heap: new ArrayBuffer(bytes),
    allocated: allocateInArena(Math.ceil(bytes / 4)).buffer,
    shared: new SharedArrayBuffer(bytes),
  };
}

/** Parts of the same kind that begin at some place of a buffer, one after the other. */
function partsAt(buffer: ArrayBufferLike, at: number, parts: Parts): Parts {
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => {
      const { data } = part;
      at = Math.ceil(at / 8) * 8;
      const place = new (data.constructor as Uint8ArrayConstructor)(
        buffer,
        at,
        data.length,
      );
      at += data.byteLength;
      return [name, { ...part, data: place as Part["data"] }];
    }),
  );
}

/** Where arrays begin, in a heap buffer or above what an arena keeps for itself. */
const BASE = 256 * 1024;

for (const backend of BACKENDS) {
  Deno.test(`into may share memory with the values on ${backend}`, () => {
    on(backend, () => {
      for (const test of optionCases()) {
        const n = size(test), { gauss } = adversarial(n);
        const expected = quantize(gauss, optionsOf(test));
        for (
          const [name, buffer] of Object.entries(rooms(BASE + 4096 + 64 * n))
        ) {
          for (const shift of [-8, 0, 8, n]) {
            const values = new Float32Array(buffer, BASE + 64, n);
            values.set(gauss);
            const at = BASE + 64 + shift;
            const parts = partsAt(buffer, at, expected.parts as never);
            const into = { ...expected, parts: parts as never };
            quantize(values, { ...optionsOf(test), into });
            const wanted = dataOf(expected);
            dataOf(into).forEach((data, i) =>
              assertSameBytes(data, wanted[i], `${test.label} ${name} ${shift}`)
            );
          }
        }
      }
    });
  });

  Deno.test(`into may share memory with the parts on ${backend}`, () => {
    on(backend, () => {
      for (const test of optionCases()) {
        const n = size(test), { gauss } = adversarial(n);
        const q = quantize(gauss, optionsOf(test)), expected = dequantize(q);
        for (
          const [name, buffer] of Object.entries(rooms(BASE + 4096 + 64 * n))
        ) {
          for (const shift of [-8, 0, 8, 2 * n]) {
            const into = new Float32Array(buffer, BASE + 64, n);
            const at = BASE + 64 + shift - shift % 8;
            const parts = partsAt(buffer, at, q.parts as never);
            const from = dataOf(q);
            dataOf({ parts }).forEach((data, i) => data.set(from[i] as never));
            dequantize({ ...q, parts }, { into });
            assertSameBytes(into, expected, `${test.label} ${name} ${shift}`);
          }
        }
      }
    });
  });
}

Deno.test("parts of into that share memory with each other are refused, neighbours are not", () => {
  const values = new Float32Array(64).fill(1), options = { groupSize: 32 };
  const q = quantize(values, options), buffer = new ArrayBuffer(64);
  const scales = new Float32Array(buffer, 32, 2);
  const parts = (at: number) => ({
    codes: { ...q.parts.codes, data: new Uint8Array(buffer, at, 32) },
    scales: { ...q.parts.scales, data: scales },
  });
  const into = { ...q, parts: parts(0) };
  assertEquals(
    quantize(values, { ...options, into }).parts.scales.data,
    scales,
  );
  assertThrows(
    () => quantize(values, { ...options, into: { ...q, parts: parts(1) } }),
    RangeError,
    'its parts "codes" and "scales" share memory',
  );
});
