// The four basic operations against the original module under numpy, and their errors.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  type Backend,
  backend as backendInForce,
  dequantizeFromInt4,
  packInt4ToInt8,
  quantizeToInt4,
  unpackInt8ToInt4,
  useBackend,
} from "../mod.ts";
import { adversarial, bits, sweepOffsets, unaligned } from "./adversarial.ts";

/** What each test puts back: the suite also runs with plain JS forced. */
const INITIAL = backendInForce();

const { vectors } = JSON.parse(
  await Deno.readTextFile(
    new URL("vectors/int4/vectors.json", import.meta.url),
  ),
) as { vectors: Vector[] };

interface Vector {
  readonly set: string;
  readonly length: number;
  readonly method: "minmax" | "absmax";
  readonly wraps: boolean;
  readonly values: string;
  readonly scale: string;
  readonly quantized: string;
  readonly packed: string;
  readonly unpacked: string;
  readonly dequantized: string;
}

async function sha(array: Float32Array | Int8Array): Promise<string> {
  const bytes = array instanceof Float32Array ? bits(array) : array.slice();
  const digest = await crypto.subtle.digest(
    "SHA-256",
    bytes.buffer as ArrayBuffer,
  );
  return new Uint8Array(digest).toHex().slice(0, 16);
}

function hex(scale: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, scale);
  return view.getUint32(0).toString(16).padStart(8, "0");
}

for (const backend of ["wasm", "js"] as Backend[]) {
  Deno.test(`the basic operations on ${backend} equal the original module under numpy`, async () => {
    useBackend(backend);
    try {
      for (const vector of vectors) {
        const { set, length, method } = vector;
        const label = `${set} ${length} ${method}`;
        const values = adversarial(length)[set];
        assertEquals(
          await sha(values),
          vector.values,
          `${label}: the input has changed`,
        );
        const { quantized, scale, zeroPoint } = quantizeToInt4(values, method);
        const packed = packInt4ToInt8(quantized),
          unpacked = unpackInt8ToInt4(packed);
        assertEquals(
          {
            scale: hex(scale),
            zeroPoint,
            quantized: await sha(quantized),
            packed: await sha(packed),
            unpacked: await sha(unpacked),
            dequantized: await sha(
              dequantizeFromInt4(quantized, scale, zeroPoint),
            ),
          },
          {
            scale: vector.scale,
            zeroPoint: 0,
            quantized: vector.quantized,
            packed: vector.packed,
            unpacked: vector.unpacked,
            dequantized: vector.dequantized,
          },
          label,
        );
      }
    } finally {
      useBackend(INITIAL);
    }
  });

  Deno.test(`the basic operations on ${backend} take unaligned views`, () => {
    useBackend(backend);
    try {
      const values = adversarial(1003).gauss,
        { quantized } = quantizeToInt4(values);
      for (const offset of sweepOffsets) {
        assertEquals(
          quantizeToInt4(unaligned(values, offset)).quantized,
          quantized,
        );
        const shifted = new Int8Array(quantized.length + offset).subarray(
          offset,
        );
        shifted.set(quantized);
        const packed = packInt4ToInt8(shifted);
        assertEquals(packed, packInt4ToInt8(quantized));
        const bytes = new Int8Array(packed.length + offset).subarray(offset);
        bytes.set(packed);
        assertEquals(unpackInt8ToInt4(bytes, 1003), quantized);
      }
    } finally {
      useBackend(INITIAL);
    }
  });
}

Deno.test("some vectors hold codes that wrap in the original, and saturate here", () => {
  assert(vectors.some(({ wraps }) => wraps));
  assertEquals([...quantizeToInt4([500, 501, 502]).quantized], [7, 7, 7]);
  assertEquals([...quantizeToInt4([-500, -501, -502]).quantized], [-8, -8, -8]);
});

Deno.test("empty input gives empty output and scale 1", () => {
  assertEquals(quantizeToInt4([]), {
    quantized: new Int8Array(0),
    scale: 1,
    zeroPoint: 0,
  });
  assertEquals(packInt4ToInt8(new Int8Array(0)).length, 0);
  assertEquals(unpackInt8ToInt4(new Int8Array(0)).length, 0);
  assertEquals(dequantizeFromInt4(new Int8Array(0), 1).length, 0);
});

Deno.test("Float64Array and number[] are rounded to float32 first", () => {
  const doubles = Float64Array.of(0.1, 0.5, -1.3, 2.7, 3.9, -0.8, 5.2, -4.7);
  const expected = quantizeToInt4(Float32Array.from(doubles));
  assertEquals(quantizeToInt4(doubles), expected);
  assertEquals(quantizeToInt4([...doubles]), expected);
});

Deno.test("Float16Array is taken where the runtime has it", {
  ignore: !("Float16Array" in globalThis),
}, () => {
  const halves = Float16Array.of(0.25, -1.5, 3);
  assertEquals(quantizeToInt4(halves), quantizeToInt4([0.25, -1.5, 3]));
});

Deno.test("other arrays are a TypeError", () => {
  assertThrows(
    () => quantizeToInt4(new Uint8Array(3) as unknown as number[]),
    TypeError,
    "Uint8Array",
  );
  assertThrows(
    () => packInt4ToInt8([1, 2] as unknown as Int8Array),
    TypeError,
    "Int8Array",
  );
  assertThrows(
    () => dequantizeFromInt4(new Float32Array(1) as unknown as Int8Array, 1),
    TypeError,
    "Int8Array",
  );
  assertThrows(
    () => unpackInt8ToInt4([1] as unknown as Int8Array),
    TypeError,
    "Int8Array",
  );
});

Deno.test("a NaN or an infinity is a RangeError that names the index, on every backend and scale method", () => {
  for (const backend of ["wasm", "js"] as Backend[]) {
    useBackend(backend);
    for (const method of ["minmax", "absmax"] as const) {
      for (const length of [1, 5, 40, 5000]) {
        for (const bad of [NaN, Infinity, -Infinity]) {
          const values = new Float32Array(length).fill(0.5),
            at = length - 1 >> 1;
          assertEquals(quantizeToInt4(values, method).quantized.length, length);
          values[at] = bad;
          values[length - 1] = bad;
          assertThrows(
            () => quantizeToInt4(values, method),
            RangeError,
            `${bad} at index ${at}:`,
          );
        }
      }
    }
  }
  useBackend(INITIAL);
});

Deno.test("packing names the first value outside of -8 to 7", () => {
  for (const backend of ["wasm", "js"] as Backend[]) {
    useBackend(backend);
    for (const length of [1, 2, 33, 100, 3001]) {
      for (const bad of [-9, 8, 127, -128]) {
        const codes = new Int8Array(length).fill(-8);
        assertEquals(packInt4ToInt8(codes).length, Math.ceil(length / 2));
        codes[length - 1] = bad;
        assertThrows(
          () => packInt4ToInt8(codes),
          RangeError,
          `${bad} at index ${length - 1}:`,
        );
      }
    }
  }
  useBackend(INITIAL);
});

Deno.test("unpacking takes a length that the bytes can hold, and no other", () => {
  const packed = Int8Array.of(0x21, 0x43);
  assertEquals([...unpackInt8ToInt4(packed)], [1, 2, 3, 4]);
  assertEquals([...unpackInt8ToInt4(packed, 3)], [1, 2, 3]);
  assertEquals([...unpackInt8ToInt4(new Uint8Array(packed.buffer), 1)], [1]);
  for (const length of [5, -1, 1.5, NaN]) {
    assertThrows(
      () => unpackInt8ToInt4(packed, length),
      RangeError,
      `${length}`,
    );
  }
});

Deno.test("the zero point is honoured, whole or not", () => {
  for (const backend of ["wasm", "js"] as Backend[]) {
    useBackend(backend);
    const codes = Int8Array.from({ length: 19 }, (_, i) => i % 16 - 8);
    for (const zeroPoint of [0, 3, -8, 0.25]) {
      const out = dequantizeFromInt4(codes, 0.1, zeroPoint);
      out.forEach((x, i) => {
        const exact = Math.fround(
          Math.fround(codes[i] - zeroPoint) * Math.fround(0.1),
        );
        assertEquals(x, exact);
        assertAlmostEquals(x, (codes[i] - zeroPoint) * 0.1, 1e-6);
      });
    }
  }
  useBackend(INITIAL);
});

Deno.test("an unknown scale method is a RangeError that names the known ones", () => {
  assertThrows(
    () => quantizeToInt4([1], "median" as "minmax"),
    RangeError,
    'Unknown scaleMethod "median": use "minmax" or "absmax"',
  );
});
