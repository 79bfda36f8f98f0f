// The front door: options, shapes, errors, reuse; and int4 groups against numpy.

import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import {
  allocate,
  type AnyQuantized,
  type Backend,
  backend,
  compare,
  dequantize,
  formats,
  type Int4Options,
  type Int4Parts,
  quantize,
  type Quantized,
  useBackend,
} from "../mod.ts";
import { int4 } from "../src/formats/int4.ts";
import { allocateParts } from "../src/core.ts";
import { sizeOf } from "../src/numeric/shape.ts";
import type { Format } from "../src/words/format.ts";
import { groupOf } from "../src/words/scheme.ts";
import { adversarial, bits } from "./adversarial.ts";
import { shapeFor } from "./format_cases.ts";

const BACKENDS: Backend[] = ["wasm", "js"];

function onEachBackend(run: (name: Backend) => void): void {
  const before = backend();
  try {
    for (const name of BACKENDS) {
      useBackend(name);
      run(name);
    }
  } finally {
    useBackend(before);
  }
}

// ---- int4 groups against numpy ----

const { groups } = JSON.parse(
  await Deno.readTextFile(
    new URL("vectors/int4/vectors.json", import.meta.url),
  ),
) as {
  groups: {
    set: string;
    shape: number[];
    groupSize: number;
    method: "absmax" | "minmax" | "affine";
    codes: string;
    scales: string;
    zeroPoints: string;
    dequantized: string;
  }[];
};

async function sha(bytes: ArrayBufferView): Promise<string> {
  const copy = new Uint8Array(
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    bytes.byteLength,
  ).slice();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", copy)).toHex()
    .slice(0, 16);
}

for (const name of BACKENDS) {
  Deno.test(`int4 groups on ${name} equal the same arithmetic under numpy`, async () => {
    const before = backend();
    useBackend(name);
    try {
      assert(groups.length > 100);
      for (const { set, shape, groupSize, method, ...expected } of groups) {
        // numpy writes a scale that overflows; quantize() refuses it.
        const options = int4.resolve({ groupSize, scaleMethod: method }, shape);
        const parts = allocateParts(
          int4.layout(shape, options).parts,
        ) as unknown as Int4Parts;
        const values = adversarial(1000)[set];
        int4.quantize(values, shape, options, parts, { overflow: "keep" });
        const back = values.slice();
        int4.dequantize(parts, shape, options, back);
        const { codes, scales, zeroPoints } = parts;
        const none = new Int8Array(scales.data.length);
        assertEquals(
          {
            codes: await sha(codes.data),
            scales: await sha(bits(scales.data)),
            zeroPoints: await sha(zeroPoints?.data ?? none),
            dequantized: await sha(bits(back)),
          },
          expected,
          `${set} [${shape}] ${groupSize} ${method}`,
        );
      }
    } finally {
      useBackend(before);
    }
  });
}

// ---- properties ----

const float = fc.float({ noNaN: true, noDefaultInfinity: true });
const int4Options: fc.Arbitrary<Int4Options> = fc.record({
  groupSize: fc.oneof(
    fc.integer({ min: 1, max: 70 }),
    fc.constantFrom("row" as const, "tensor" as const),
  ),
  scaleMethod: fc.constantFrom(
    "absmax" as const,
    "minmax" as const,
    "affine" as const,
  ),
});

Deno.test("property: both backends give the same bytes and the same floats", () => {
  fc.assert(
    fc.property(
      fc.array(float, { maxLength: 300 }),
      int4Options,
      (values, options) => {
        const results = BACKENDS.map((name) => {
          useBackend(name);
          const q = quantize(values, { ...options, nonFinite: "clamp" });
          return {
            codes: q.parts.codes.data,
            scales: bits(q.parts.scales.data),
            back: bits(dequantize(q)),
          };
        });
        useBackend("wasm");
        assertEquals(results[0], results[1]);
      },
    ),
    { verbose: 1 },
  );
});

Deno.test("property: an absmax error is at most half a step", () => {
  const value = fc.float({
    noNaN: true,
    min: -(2 ** 100),
    max: 2 ** 100,
    noDefaultInfinity: true,
  });
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 64 }),
      (values, groupSize) => {
        const q = quantize(values, { groupSize }), back = dequantize(q);
        back.forEach((x, i) => {
          const scale = q.parts.scales.data[Math.floor(i / groupSize)];
          // A scale that underflows to a subnormal, or to 0 and so to 1, keeps nothing.
          if (scale < 1e-37 || scale === 1) return;
          assert(
            Math.abs(x - Math.fround(values[i])) <= scale * 0.5000005,
            `${values[i]} -> ${x}, scale ${scale}`,
          );
        });
      },
    ),
    { verbose: 1 },
  );
});

/** Where the groups of a tensor of a format start and end. */
function groupsIn(
  format: Format,
  shape: readonly number[],
): [number, number][] {
  const options = format.resolve({}, shape), count = sizeOf(shape);
  const { matrix } = format.layout(shape, options);
  const { rows, columns } = groupOf(format.scheme(shape, options), matrix);
  const length = rows * columns;
  return Array.from(
    { length: Math.ceil(count / length) },
    (_, i) => [i * length, Math.min((i + 1) * length, count)],
  );
}

function largestOf(values: Float32Array): number {
  return values.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
}

Deno.test("every format's error stays within its bound", () => {
  for (const [name, format] of formats) {
    const values = adversarial(4096).gauss;
    const shape = shapeFor(format, 4096);
    const back = dequantize(
      quantize(values, { format: name as "int4", shape }),
    );
    for (const group of groupsIn(format, shape)) {
      const members = values.subarray(...group);
      const bound = format.errorBound * largestOf(members) + 1e-30;
      members.forEach((x, i) =>
        assertLess(Math.abs(x - back[group[0] + i]), bound, name)
      );
    }
  }
});

Deno.test("what a format holds comes back as it is, unless it cannot hold the largest value", () => {
  for (const [name, format] of formats) {
    const shape = shapeFor(format, 4096);
    const again = (values: Float32Array) =>
      dequantize(quantize(values, { format: name as "int4", shape }));
    let before = again(adversarial(4096).gauss), after = again(before);
    // Scales that are rounded to sixteen bits take some rounds to settle.
    for (let round = 0; round < 6; round++) {
      [before, after] = [after, again(after)];
    }
    for (const group of groupsIn(format, shape)) {
      const was = before.subarray(...group), is = after.subarray(...group);
      // With a scale of 2 / 15 of the largest magnitude, as some libraries have it,
      // no code stands for that magnitude: every round moves it, and all with it.
      if (largestOf(is) !== largestOf(was)) continue;
      assertEquals(is, was, `${name}, values from ${group[0]} on`);
    }
  }
});

// ---- shapes, parts, reuse ----

Deno.test("parts have the shapes that the format promises", () => {
  const values = adversarial(3 * 5 * 7).gauss, shape = [3, 5, 7];
  const shapes = (options: Int4Options) => {
    const { parts } = quantize(values, { ...options, shape });
    return Object.fromEntries(
      Object.entries(parts).map(([k, p]) => [k, `${p.dtype} ${p.shape}`]),
    );
  };
  assertEquals(shapes({}), { codes: "U8 3,5,4", scales: "F32 1" });
  assertEquals(shapes({ groupSize: "row" }), {
    codes: "U8 3,5,4",
    scales: "F32 3,5,1",
  });
  assertEquals(shapes({ groupSize: 3, scaleMethod: "affine" }), {
    codes: "U8 3,5,4",
    scales: "F32 3,5,3",
    zeroPoints: "I8 3,5,3",
  });
});

Deno.test("shape defaults to one axis, and has to fit", () => {
  assertEquals(quantize([1, 2, 3]).shape, [3]);
  assertEquals(quantize([1], { shape: [] }).shape, []);
  assertEquals(dequantize(quantize([7], { shape: [] })), Float32Array.of(7));
  assertEquals(dequantize(quantize([], { shape: [0, 4] })).length, 0);
  for (const shape of [[2], [2, 2], [4], [0]]) {
    assertThrows(
      () => quantize([1, 2, 3], { shape }),
      RangeError,
      `[${shape}]`,
    );
  }
  for (const bad of [-1, 1.5, NaN, 2 ** 60]) {
    assertThrows(
      () => quantize([1, 2, 3], { shape: [3, bad] }),
      RangeError,
      `${bad}`,
    );
  }
});

Deno.test("into reuses the arrays, in heap and in WebAssembly memory", () => {
  onEachBackend(() => {
    const { gauss, ties7 } = adversarial(640),
      options = { groupSize: 32, scaleMethod: "affine" } as const;
    const fresh = quantize(ties7, options), reused = quantize(gauss, options);
    const again = quantize(ties7, { ...options, into: reused });
    assertStrictEquals(again.parts.codes.data, reused.parts.codes.data);
    assertEquals(again, fresh);
    for (const out of [new Float32Array(640), allocate(640)]) {
      assertStrictEquals(dequantize(again, { into: out }), out);
      assertEquals(out.slice(), dequantize(fresh));
    }
  });
});

Deno.test("into has to be of the same format, shape and options", () => {
  const values = adversarial(64).gauss, q = quantize(values, { groupSize: 32 });
  assertThrows(
    () => quantize(values, { groupSize: 16, into: q }),
    RangeError,
    '"scales"',
  );
  assertThrows(
    () => quantize(values, { groupSize: 32, shape: [2, 32], into: q }),
    RangeError,
    "[2,32]",
  );
  assertThrows(
    () => quantize(values, { groupSize: 32, scaleMethod: "affine", into: q }),
    RangeError,
    '"zeroPoints"',
  );
  const affine = quantize(values, { groupSize: 32, scaleMethod: "affine" });
  assertThrows(
    () => quantize(values, { groupSize: 32, into: affine }),
    RangeError,
    "no part",
  );
  assertThrows(
    () => dequantize(q, { into: new Float32Array(63) }),
    RangeError,
    "room for 63 values",
  );
});

Deno.test("a quantized tensor put together by hand is checked", () => {
  const q = quantize(adversarial(64).gauss, { groupSize: 32 });
  const with_ = (
    parts: object,
  ) => ({ ...q, parts } as unknown as Quantized<"int4">);
  assertEquals(dequantize(with_({ ...q.parts })).length, 64);
  assertThrows(
    () => dequantize(with_({ codes: q.parts.codes })),
    RangeError,
    '"scales"',
  );
  const short = { ...q.parts.codes, data: new Uint8Array(31) };
  assertThrows(
    () => dequantize(with_({ ...q.parts, codes: short })),
    RangeError,
    "Uint8Array of 31",
  );
  const wrong = { ...q.parts.codes, data: new Int8Array(32) };
  assertThrows(
    () => dequantize(with_({ ...q.parts, codes: wrong })),
    RangeError,
    "Int8Array of 32",
  );
  assertThrows(
    () => dequantize({ ...q, format: "int5" }),
    RangeError,
    'Unknown format "int5": use "',
  );
});

Deno.test("unknown formats, options and values are named", () => {
  assertThrows(
    () => quantize([1], { format: "toString" as "int4" }),
    RangeError,
    'Unknown format "toString"',
  );
  assertThrows(
    () => quantize([1], { groupsize: 32 } as Int4Options),
    RangeError,
    'no option "groupsize"',
  );
  for (const groupSize of [0, -1, 1.5, NaN, "block" as "row"]) {
    assertThrows(
      () => quantize([1], { groupSize }),
      RangeError,
      `${groupSize}`,
    );
  }
  assertThrows(
    () => quantize([1], { scaleMethod: "toString" as "absmax" }),
    RangeError,
    "toString",
  );
  assertThrows(
    () => quantize([1], { nonFinite: "ignore" as "clamp" }),
    RangeError,
    "ignore",
  );
  assertThrows(
    () => quantize(Int32Array.of(1) as unknown as number[]),
    TypeError,
    "Int32Array",
  );
});

// ---- NaN and infinity ----

Deno.test("a NaN or an infinity is named by its index, whatever the group and the backend", () => {
  onEachBackend(() => {
    for (const scaleMethod of ["absmax", "minmax", "affine"] as const) {
      for (const groupSize of [3, 32, 100, "row", "tensor", 20000] as const) {
        for (const at of [0, 31, 4000, 40000, 49999]) {
          for (const bad of [NaN, -Infinity]) {
            const values = new Float32Array(50000).fill(0.25);
            values[at] = bad;
            values[49999] = bad;
            assertThrows(
              () =>
                quantize(values, { shape: [2, 25000], groupSize, scaleMethod }),
              RangeError,
              `${bad} at index ${at}:`,
            );
          }
        }
      }
    }
  });
});

Deno.test('nonFinite "clamp" takes NaN as 0 and an infinity as the largest magnitude of its group', () => {
  onEachBackend(() => {
    const values = Float32Array.of(
      1,
      NaN,
      -3,
      Infinity,
      0.5,
      -Infinity,
      0.25,
      NaN,
    );
    const clean = Float32Array.of(1, 0, -3, 3, 0.5, -0.5, 0.25, 0);
    const options = { shape: [2, 4], groupSize: 4 };
    assertThrows(
      () => quantize(values, options),
      RangeError,
      "NaN at index 1:",
    );
    assertEquals(
      quantize(values, { ...options, nonFinite: "clamp" }),
      quantize(clean, options),
    );
    assertEquals(values[1], NaN, "the input is not touched");
    const perTensor = Float32Array.of(1, 0, -3, 3, 0.5, -3, 0.25, 0);
    assertEquals(
      quantize(values, { shape: [2, 4], nonFinite: "clamp" }),
      quantize(perTensor, { shape: [2, 4] }),
    );
    const nothing = Float32Array.of(Infinity, NaN);
    assertEquals([...dequantize(quantize(nothing, { nonFinite: "clamp" }))], [
      0,
      0,
    ]);
  });
});

Deno.test("float64 beyond float32 counts as infinite", () => {
  assertThrows(() => quantize([1, 1e39]), RangeError, "Infinity at index 1:");
  assertEquals(quantize([1, 1e38]).parts.scales.data.length, 1);
});

// ---- range ----

Deno.test("a range given beforehand is the scale of pieces that are quantized apart", () => {
  onEachBackend(() => {
    const values = adversarial(1000).weights;
    for (const scaleMethod of ["absmax", "minmax", "affine"] as const) {
      const whole = quantize(values, { scaleMethod });
      const range = [Math.min(...values), Math.max(...values)] as const;
      const pieces = [values.subarray(0, 500), values.subarray(500)].map((
        piece,
      ) => quantize(piece, { scaleMethod, range }));
      const codes = pieces.flatMap(({ parts }) => [...parts.codes.data]);
      assertEquals(codes, [...whole.parts.codes.data]);
      assertEquals(pieces[1].parts.scales.data, whole.parts.scales.data);
      assertEquals(
        pieces[1].options,
        whole.options,
        "the range is not needed to read codes back",
      );
    }
    assertEquals([...dequantize(quantize([10, -10], { range: [-7, 7] }))], [
      7,
      -8,
    ]);
    for (
      const range of [
        [1, 0],
        [NaN, 1],
        [0, Infinity],
        [1] as unknown as [number, number],
      ] as const
    ) {
      assertThrows(
        () => quantize([1], { range: range as [number, number] }),
        RangeError,
        "range",
      );
    }
    assertThrows(
      () => quantize([1], { groupSize: "row", range: [0, 1] }),
      RangeError,
      "tensor",
    );
    assertThrows(
      () => quantize([1, NaN], { range: [0, 1] }),
      RangeError,
      "index 1:",
    );
  });
});

// ---- allocate, backend, compare ----

Deno.test("arrays from allocate are zero, stay valid, and hold what is written", () => {
  onEachBackend(() => {
    const first = allocate(1000);
    assertEquals(first.every((x) => x === 0), true);
    first.fill(3);
    const more = Array.from({ length: 20 }, () => allocate(1 << 20));
    assertEquals(first.length, 1000);
    assertEquals(first.every((x) => x === 3), true);
    assertNotEquals(more[0].byteOffset, more[1].byteOffset + 1);
    assertEquals(allocate(0).length, 0);
    for (const bad of [-1, 1.5, NaN, Infinity, 2 ** 40]) {
      if (bad === 2 ** 40 && backend() === "js") continue; // the runtime's own RangeError
      assertThrows(() => allocate(bad), RangeError, `${bad}`);
    }
  });
});

Deno.test("useBackend takes the two names only", () => {
  assertThrows(() => useBackend("native" as Backend), RangeError, '"native"');
});

Deno.test("compare measures what it says", () => {
  onEachBackend(() => {
    const { mae, rmse, maxError, sqnr, cosine } = compare([3, 4, 0, 0, 0], [
      3,
      0,
      0,
      0,
      1,
    ]);
    assertEquals({ mae, maxError }, { mae: 1, maxError: 4 });
    assertEquals(rmse, Math.sqrt(17 / 5));
    assertEquals(sqnr, 10 * Math.log10(25 / 17));
    assertEquals(cosine, 9 / (5 * Math.sqrt(10)));
    assertEquals(compare([1, 2], [1, 2]).sqnr, Infinity);
    assertEquals(compare([], []), {
      mae: 0,
      rmse: 0,
      maxError: 0,
      sqnr: Infinity,
      cosine: 1,
    });
    assertEquals(compare([0, 0], [1, 0]).cosine, 0);
    assertThrows(() => compare([1], [1, 2]), RangeError, "1 values with 2");
  });
});

Deno.test("compare adds in the same order on every backend", () => {
  const { gauss, mixedMagnitudes } = adversarial(100_003);
  const results: object[] = [];
  onEachBackend(() => results.push(compare(gauss, mixedMagnitudes)));
  assertEquals(results[0], results[1]);
});

// ---- kinds ----

Deno.test("wrong kinds are refused by name, the right ones of any realm are taken", () => {
  const call = quantize as (values: unknown, options?: unknown) => AnyQuantized;
  const values = [0.5, -1, 2, 3];
  for (
    const [options, message] of [
      [{ scaleMethod: ["absmax"] }, "scaleMethod"],
      [{ range: "12" }, "range"],
      [{ shape: "4" }, "shape"],
      [{ nonFinite: ["clamp"] }, "nonFinite"],
      [{ groupSize: ["row"] }, "groupSize"],
      [{ format: ["int4"] }, "format"],
      [null, "options"],
    ] as const
  ) {
    assertThrows(() => call(values, options), TypeError, message);
  }
  const right = { scaleMethod: "absmax", range: [-1, 2], shape: [4] };
  const expected = call(values, { ...right, nonFinite: "clamp" });
  const foreign = runInNewContext(`({
    values: Float32Array.of(0.5, -1, 2, 3),
    options: { scaleMethod: "absmax", range: [-1, 2], shape: [4] },
    bytes: (array) => Uint8Array.from(array),
    floats: (array) => Float32Array.from(array),
  })`);
  assertEquals(call(foreign.values, foreign.options), expected);
  const { codes, scales } = expected.parts as Int4Parts;
  const parts = {
    codes: { ...codes, data: foreign.bytes(codes.data) },
    scales: { ...scales, data: foreign.floats(scales.data) },
  };
  const back = dequantize({ ...expected, parts });
  assertEquals(back, dequantize(expected));
  // The bytes of a file, as Node gives them.
  const buffer = { ...codes, data: Buffer.from(codes.data) };
  assertEquals(
    dequantize({ ...expected, parts: { ...parts, codes: buffer } }),
    back,
  );
  // into comes back as it was given, and holds the result.
  const into = foreign.floats([0, 0, 0, 0]);
  assertStrictEquals(dequantize(expected, { into }), into);
  assertEquals([...into], [...back]);
});
