/**
 * gptq against checkpoints that GPTQModel and AutoGPTQ wrote: read bit for bit,
 * written alike, and refused where they contradict themselves.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  type GptqOptions,
  type GptqParts,
  quantize,
  type Quantized,
} from "../../mod.ts";
import { allocateParts, repackWith } from "../../src/core.ts";
import { gptq } from "../../src/formats/gptq.ts";
import { int4 } from "../../src/formats/int4.ts";
import { matmul_nbits } from "../../src/formats/matmul_nbits.ts";
import { bytesOf } from "../../src/model/define.ts";
import { decodeWindow } from "../../src/model/tensor.ts";
import { f16ToF32, f32ToF16 } from "../../src/numeric/f16.ts";
import type { Candidate, Parts } from "../../src/words/format.ts";
import { whole } from "../../src/words/window.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  goldenJson,
  goldenTensors,
  partsNamed,
} from "./safetensors_vectors.ts";

interface GoldenCase {
  readonly case: string;
  readonly input: string;
  readonly library: string;
  readonly options: { readonly desc_act: boolean };
}

const CASES = await goldenJson("gptq/manifest.json") as GoldenCase[];
const convention = gptq.convention!;

interface Golden {
  readonly tensor: string;
  readonly candidate: Candidate;
  readonly parts: Parts;
  readonly expected: Float32Array;
  readonly values: Float32Array;
}

/** Every tensor of a golden case: its parts, what they stand for, what they were made of. */
async function tensorsOf(
  { case: name, input }: GoldenCase,
): Promise<Golden[]> {
  const file = await goldenTensors(`gptq/${name}/model.safetensors`);
  const dequantized = await goldenTensors(`gptq/${name}/dequant.safetensors`);
  const inputs = await goldenTensors(`gptq/${input}`);
  const config = await goldenJson(`gptq/${name}/quantize_config.json`);
  return Array.from(dequantized, ([tensor, expected]) => {
    const parts = partsNamed(file, convention, tensor);
    return {
      tensor,
      parts,
      candidate: candidateOf(parts, config),
      expected: floatsOf(expected),
      values: floatsOf(inputs.get(tensor)!),
    };
  });
}

function golden(name: string): Promise<Golden[]> {
  return tensorsOf(CASES.find((one) => one.case === name)!);
}

for (const one of CASES) {
  Deno.test(`gptq: ${one.case} is recognized and dequantizes as ${one.library} does`, async () => {
    const tensors = await tensorsOf(one);
    assert(tensors.length > 0);
    for (const { tensor, candidate, parts, expected } of tensors) {
      const found = convention.recognize(candidate)!;
      const values = dequantize({ format: "gptq", ...found, parts });
      assertSameBytes(values, expected, `${one.case} ${tensor}`);
    }
  });

  if (one.options.desc_act || one.library !== "gptqmodel") continue;
  Deno.test(`gptq: ${one.case} is quantized as gptqmodel does`, async () => {
    for (const { tensor, candidate, parts, values } of await tensorsOf(one)) {
      const { shape, options } = convention.recognize(candidate)!;
      const made = quantize(values, { format: "gptq", shape, ...options });
      for (const [part, { data }] of Object.entries(made.parts)) {
        assertSameBytes(data, parts[part].data, `${tensor} ${part}`);
      }
    }
  });
}

Deno.test("gptq: scales and zero points are AutoGPTQ's too, where its words can hold them", async () => {
  const tensors = await golden("autogptq-v1-asym-g32");
  for (const { tensor, candidate, parts, values } of tensors) {
    const { shape, options } = convention.recognize(candidate)!;
    const resolved = gptq.resolve(options as GptqOptions, shape);
    const made = allocateParts(gptq.layout(shape, resolved).parts);
    gptq.quantize(
      values,
      shape,
      resolved,
      made as unknown as GptqParts,
      { overflow: "keep" },
    );
    for (const part of ["scales", "qzeros", "g_idx"]) {
      assertSameBytes(made[part].data, parts[part].data, `${tensor} ${part}`);
    }
  }
});

// ---- against a plain oracle ----

interface Numbers {
  readonly scale: number;
  readonly zero: number;
  readonly codes: number[];
}

const { fround } = Math;

/** One group, as the head of the format's file has it. */
function plainGroup(values: Float32Array, symmetric: boolean): Numbers {
  let low = Math.min(0, ...values), high = Math.max(0, ...values);
  if (symmetric) {
    high = Math.max(-low, high);
    if (low < 0) low = -high;
  }
  if (low === 0 && high === 0) [low, high] = [-1, 1];
  const scale = fround(fround(high - low) / 15);
  const zero = symmetric ? 8 : Math.round(fround(-low / scale));
  const codes = Array.from(values, (x) => {
    const steps = fround(fround(x + fround(zero * scale)) / scale);
    const floor = Math.floor(steps), tie = steps - floor === 0.5;
    const nearest = tie ? floor + floor % 2 : Math.round(steps);
    return Math.max(0, Math.min(15, nearest));
  });
  return { scale: f16ToF32(f32ToF16(scale)), zero, codes };
}

/** What a weight becomes in 4 bits and back. */
function plainRoundTrip(
  values: Float32Array,
  columns: number,
  group: number,
  symmetric: boolean,
): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += columns) {
    for (let from = 0; from < columns; from += group) {
      const to = Math.min(columns, from + group);
      const own = values.subarray(row + from, row + to);
      const { scale, zero, codes } = plainGroup(own, symmetric);
      codes.forEach((code, i) => {
        out[row + from + i] = f16ToF32(f32ToF16((code - zero) * scale)) + 0;
      });
    }
  }
  return out;
}

/** Quantizes and dequantizes, against the oracle. */
function checkRoundTrip(
  rows: number,
  columns: number,
  options: GptqOptions,
): void {
  const values = adversarial(rows * columns).gauss;
  const q = quantize(values, {
    format: "gptq",
    shape: [rows, columns],
    ...options,
  });
  const { groupSize, symmetric } = q.options;
  const group = groupSize === "row" ? columns : groupSize as number;
  assertSameBytes(
    dequantize(q).map((x) => x + 0),
    plainRoundTrip(values, columns, group, symmetric!),
    JSON.stringify([rows, columns, options]),
  );
}

Deno.test("gptq: any shape and group size, shorter and longer than a tile", () => {
  const cases: [rows: number, columns: number, groupSize: number | "row"][] = [
    [1, 1, 1],
    [3, 7, 3],
    [9, 33, 32],
    [20, 104, 33],
    [9, 2500, "row"],
    [2, 8300, "row"],
  ];
  for (const [rows, columns, groupSize] of cases) {
    for (const symmetric of [true, false]) {
      for (const version of [1, 2] as const) {
        for (const actOrder of [false, true]) {
          const options = { groupSize, symmetric, version, actOrder };
          checkRoundTrip(rows, columns, options);
        }
      }
    }
  }
  for (const actOrder of [false, true]) {
    checkRoundTrip(9, 5000, { groupSize: 2050, actOrder });
  }
});

// ---- zero points ----

const FLAT = { format: "gptq", symmetric: false, groupSize: 16 } as const;

/** A weight of eight outputs in one group, with these zero points. */
function withZeroPoints(zeros: readonly number[]): Float32Array {
  return Float32Array.from(
    { length: 8 * 16 },
    (_, i) => i % 16 - zeros[Math.floor(i / 16)],
  );
}

function wordOf(zeros: readonly number[], options: GptqOptions): number {
  const { parts } = quantize(withZeroPoints(zeros), {
    ...FLAT,
    shape: [8, 16],
    ...options,
  });
  return parts.qzeros.data[0] >>> 0;
}

/** The zero points that are read from a word: what stands for minus them has code 0. */
function zerosOf(word: number, options: GptqOptions): number[] {
  const q = quantize(withZeroPoints([1, 1, 1, 1, 1, 1, 1, 1]), {
    ...FLAT,
    shape: [8, 16],
    ...options,
  });
  q.parts.qzeros.data[0] = word;
  const values = dequantize(q);
  return [0, 1, 2, 3, 4, 5, 6, 7].map((row) => 0 - values[16 * row]);
}

Deno.test("gptq: eight zero points in a word of either version", () => {
  const zeros = [0, 8, 15, 3, 0, 0, 7, 1], fromOne = [1, 8, 15, 3, 2, 9, 7, 1];
  const nibbles = { version: 1, zeros: "nibbles" } as const;
  assertEquals(wordOf(zeros, { version: 2 }), 0x17003f80);
  assertEquals(wordOf(zeros, { version: 1 }), 0x05ef2e6f);
  assertEquals(wordOf(fromOne, nibbles), 0x06812e70);
  assertEquals(zerosOf(0x17003f80, { version: 2 }), zeros);
  assertEquals(zerosOf(0x05ef2e6f, { version: 1 }), zeros);
  assertEquals(zerosOf(0x06812e70, nibbles), fromOne);
});

Deno.test("gptq: the two readers of version 1 see different zero points, 16 among them", () => {
  assertEquals(
    zerosOf(0x05ef2e6f, { zeros: "nibbles" }),
    [16, 7, 15, 3, 16, 15, 6, 1],
  );
});

Deno.test("gptq: a zero point of 0 is refused where nibbles cannot hold it, or becomes 1", () => {
  const positive = Float32Array.from({ length: 32 }, (_, i) => i % 16);
  const given = { ...FLAT, shape: [2, 16] };
  assertThrows(
    () => quantize(positive, { ...given, zeros: "nibbles" }),
    RangeError,
    "group 0 of output 0: nothing in it is negative",
  );
  const clamped = { ...given, zeros: "nibbles", nonFinite: "clamp" } as const;
  assertEquals(
    dequantize(quantize(positive, clamped)).slice(0, 3),
    [0, 1, 2]
      .reduce((a, x, i) => (a[i] = x, a), new Float32Array(3)),
  );
  for (const options of [{ version: 2 }, { zeros: "words" }] as const) {
    assertEquals(
      dequantize(quantize(positive, { ...given, ...options })),
      positive,
    );
  }
});

// ---- act-order ----

/** A tensor whose inputs are in groups as `order` says. */
function inOrder(order: readonly number[], rows = 3): Quantized<"gptq"> {
  const columns = order.length;
  const q = quantize(adversarial(rows * columns).gauss, {
    format: "gptq",
    shape: [rows, columns],
    groupSize: 5,
    symmetric: false,
    version: 2,
    actOrder: true,
  });
  q.parts.g_idx.data.set(order);
  return q;
}

/** What it stands for, by the words of its parts. */
function plainValues({ shape, parts }: Quantized<"gptq">): Float32Array {
  const [rows, columns] = shape, zeroWords = Math.ceil(rows / 8);
  const nibble = (word: number, k: number) => word >>> 4 * k & 15;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns), column = i % columns;
    const group = parts.g_idx.data[column];
    const code = nibble(
      parts.qweight.data[(column >> 3) * rows + row],
      column & 7,
    );
    const zero = nibble(
      parts.qzeros.data[group * zeroWords + (row >> 3)],
      row & 7,
    );
    const scale = f16ToF32(parts.scales.data[group * rows + row]);
    return f16ToF32(f32ToF16((code - zero) * scale));
  });
}

Deno.test("gptq: inputs in any order of groups, whole and by windows", () => {
  // Groups that repeat, that no input is in, and that lie outside the window.
  const order = Array.from({ length: 43 }, (_, i) => (i * i * 7 + 3) % 9);
  const q = inOrder(order, 11), expected = plainValues(q);
  assertSameBytes(dequantize(q), expected);
  const options = gptq.resolve(q.options, q.shape);
  const tensor = {
    scheme: gptq.scheme(q.shape, options),
    layout: gptq.layout(q.shape, options) as never,
  };
  const parts = {
    bytes: bytesOf(q.parts),
    area: whole({ rows: 11, columns: 43 }),
  };
  const window = { row: 2, rows: 5, column: 8, columns: 16 };
  const out = new Float32Array(5 * 16);
  decodeWindow(tensor, parts, window, out);
  const cutOut = Float32Array.from(
    out,
    (_, i) => expected[(2 + Math.floor(i / 16)) * 43 + 8 + i % 16],
  );
  assertSameBytes(out, cutOut);
});

Deno.test("gptq: g_idx has to name groups there are, and is in order unless said otherwise", () => {
  const natural = Array.from({ length: 20 }, (_, i) => Math.floor(i / 5));
  assertEquals(dequantize(inOrder(natural)).length, 60);
  for (const bad of [-1, 4, 2 ** 31 - 1]) {
    assertThrows(
      () => dequantize(inOrder(natural.with(7, bad))),
      RangeError,
      `part "g_idx" has ${bad === 4 ? 4 : ""}`,
    );
  }
  const swapped = inOrder(natural.with(7, 3));
  assertEquals(dequantize(swapped).length, 60);
  const options = { ...swapped.options, actOrder: false };
  assertThrows(
    () => dequantize({ ...swapped, options }),
    RangeError,
    'part "g_idx" has 3 for input 7, not 1; read it with actOrder: true',
  );
  assertEquals(dequantize({ ...inOrder(natural), options }).length, 60);
});

// ---- what no library writes ----

Deno.test("gptq: scales that are negative or no numbers are refused; zero and infinite ones are GPTQModel's own", () => {
  const make = (bits: number) => {
    const q = quantize(adversarial(4 * 32).gauss, {
      format: "gptq",
      shape: [4, 32],
      groupSize: 16,
    });
    q.parts.scales.data[5] = bits;
    return q;
  };
  for (
    const [bits, seen] of [[0xbc00, "-1"], [0x7e00, "NaN"], [0xfc00, "-Inf"]]
  ) {
    assertThrows(
      () => dequantize(make(bits as number)),
      RangeError,
      `part "scales" has ${seen}`,
    );
  }
  assertThrows(
    () => dequantize(make(0xbc00)),
    RangeError,
    "group 1 of output 1",
  );
  for (const bits of [0x0000, 0x3c00, 0x7c00]) {
    assertEquals(dequantize(make(bits)).length, 128);
  }
});

Deno.test("gptq: zero points that contradict symmetric are refused", () => {
  const q = quantize(adversarial(8 * 32).gauss, {
    format: "gptq",
    shape: [8, 32],
    groupSize: "row",
  });
  assertEquals(q.parts.qzeros.data[0], 0x77777777);
  // The same words said to be of version 2: what is read is 7.
  const options = { ...q.options, version: 2 } as const;
  assertThrows(
    () => dequantize({ ...q, options }),
    RangeError,
    'part "qzeros" has zero point 7 for group 0 of output 0, and symmetric means 8',
  );
  assertEquals(dequantize(q).length, 256);
  const asymmetric = { ...options, symmetric: false };
  assertEquals(dequantize({ ...q, options: asymmetric }).length, 256);
});

Deno.test("gptq: missing parts and shapes that are no weights are refused", () => {
  const q = quantize(adversarial(64).gauss, { format: "gptq", shape: [4, 16] });
  const { g_idx: _, ...rest } = q.parts;
  assertThrows(
    () => dequantize({ ...q, parts: rest }),
    RangeError,
    'part "g_idx"',
  );
  const shapes: [number[], number][] = [[[2, 2, 16], 64], [[0, 16], 0]];
  for (const [shape, length] of shapes) {
    assertThrows(
      () => quantize(new Float32Array(length), { format: "gptq", shape }),
      RangeError,
      "it takes the weight of a linear layer",
    );
  }
  for (const shape of [[64], [64, 1], [1, 64]]) {
    const made = quantize(new Float32Array(64), { format: "gptq", shape });
    assertEquals(dequantize(made), new Float32Array(64));
  }
  assertEquals(
    dequantize(quantize([], { format: "gptq", shape: [8, 0] })),
    new Float32Array(0),
  );
  const resolve = (options: GptqOptions, columns: number) =>
    gptq.resolve(options, [1, columns]);
  assertThrows(
    () => resolve({ groupSize: 1 }, 2 ** 24 + 1),
    RangeError,
    "groupSize 1: it makes 16777217 groups",
  );
  resolve({ groupSize: 1 }, 2 ** 24);
  assertThrows(
    () => resolve({ actOrder: true }, 2 ** 20 + 1),
    RangeError,
    "actOrder with 1048577 inputs",
  );
  resolve({ actOrder: true }, 2 ** 20);
});

// ---- repacking ----

Deno.test("gptq: versions, matmul_nbits and int4 are repacked there and back", () => {
  for (const symmetric of [true, false]) {
    const q = quantize(adversarial(12 * 72).gauss, {
      format: "gptq",
      shape: [12, 72],
      groupSize: 32,
      symmetric,
      computeDtype: "F32",
    });
    const expected = dequantize(q);
    const others = [
      repackWith(gptq, q, gptq, { version: 2, computeDtype: "F32" }),
      repackWith(gptq, q, matmul_nbits),
      repackWith(gptq, q, int4),
    ];
    for (const other of others) {
      const values = dequantize(other);
      assertSameBytes(values.map((x) => x + 0), expected.map((x) => x + 0));
      const from = { gptq, matmul_nbits, int4 }[other.format as "gptq"];
      const back = repackWith(from, other, gptq, { computeDtype: "F32" });
      assertEquals(back.options, q.options);
      for (const [part, { data }] of Object.entries(q.parts)) {
        assertSameBytes(back.parts[part].data, data, `${other.format} ${part}`);
      }
    }
  }
});

Deno.test("gptq: an order of inputs is kept by repacking, or refused", () => {
  const order = Array.from({ length: 40 }, (_, i) => (i * 3) % 8);
  const q = inOrder(order);
  const other = repackWith(gptq, q, gptq, { version: 1 });
  assertSameBytes(dequantize(other), dequantize(q));
  assertThrows(() => repackWith(gptq, q, int4), RangeError, "order");
  const natural = inOrder(order.map((_, i) => Math.floor(i / 5)));
  assertSameBytes(
    dequantize(repackWith(gptq, natural, int4)),
    dequantize({
      ...natural,
      options: { ...natural.options, computeDtype: "F32" },
    }),
  );
});
