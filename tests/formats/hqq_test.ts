/**
 * hqq against tensors that the library saved: read with its search, written without.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  hqq,
  type HqqOptions,
  type Part,
  quantize,
} from "../../mod.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { goldenTensorsOf, testGolden } from "./golden_checkpoints.ts";

const CASES = [
  ["hqq-axis1-g64-noopt-f16", {}],
  ["hqq-axis0-g64-noopt-f16", {}],
  ["hqq-axis1-g32-noopt-roundzero-f32", { roundZero: true }],
  ["hqq-axis1-channel-noopt-f16", {}],
  ["hqq-axis1-g64-noopt-bf16-viewasfloat", {}],
] as const;

testGolden(hqq, [
  ...CASES.map(([name, options]) => ({
    name,
    options,
    input: "hqq/input.safetensors",
  })),
  { name: "hqq-axis1-g64-opt-f16" },
  { name: "hqq-axis0-g64-opt-bf16" },
]);

const good = (await goldenTensorsOf(hqq, { name: CASES[0][0] }))[0];
const recognized = hqq.convention!.recognize(good.candidate)!;

Deno.test("hqq: axis 0 groups columns, axis 1 rows of the tensor cut by group size", () => {
  // Groups that are constant: each comes back as it is, a narrow range has factor 1.
  const shape = [4, 32], groupSize = 16;
  const values = (axis: number) =>
    Float32Array.from(
      { length: 128 },
      (_, i) => axis === 1 ? Math.floor(i / 16) : i % 8,
    );
  for (const axis of [0, 1]) {
    const options: HqqOptions = { axis, groupSize, computeDtype: "F32" };
    const q = quantize(values(axis), { format: "hqq", shape, ...options });
    assertEquals(q.parts.scale.shape, axis === 1 ? [8, 1] : [1, 8]);
    assertEquals(q.parts.W_q.shape, axis === 1 ? [4, 16] : [8, 8]);
    assertEquals([...q.parts.scale.data], new Array(8).fill(1));
    assertSameBytes(dequantize(q), values(axis));
  }
});

Deno.test("hqq: the first half of rows is in the high nibbles", () => {
  const values = Float32Array.from(
    { length: 16 },
    (_, i) => i < 8 ? 15 : i % 2,
  );
  values[0] = 0;
  const { parts } = quantize(values, {
    format: "hqq",
    shape: [2, 8],
    groupSize: 8,
    roundZero: true,
    computeDtype: "F32",
  });
  assertEquals(
    [...parts.W_q.data],
    [0x00, 0xff, 0xf0, 0xff, 0xf0, 0xff, 0xf0, 0xff],
  );
});

Deno.test("hqq: quantizing what was dequantized gives the same values", () => {
  for (const axis of [0, 1]) {
    const options = { axis, computeDtype: "F32", groupSize: 32 } as const;
    const given = { format: "hqq", shape: [32, 64], ...options } as const;
    const once = dequantize(quantize(adversarial(2048).gauss, given));
    const twice = dequantize(quantize(once, given));
    once.forEach((x, i) =>
      assert(Math.abs(x - twice[i]) < 1e-5 * Math.abs(x) + 1e-6)
    );
  }
});

Deno.test("hqq refuses shapes and options that the library does, and takes their neighbours", () => {
  const refused: [HqqOptions, number[], string][] = [
    [{}, [3, 64], "its groups make 3 rows, it must be an even number"],
    [{}, [2, 33], "it has 66 values, it must be a multiple of 64"],
    [{ groupSize: 20 }, [2, 40], "HQQ takes multiples of 8"],
    [{ groupSize: 4 }, [2, 40], "groupSize"],
    [{ groupSize: "row" }, [3, 20], "its groups make 3 rows"],
    [{ axis: 2 }, [4, 64], "axis"],
    [
      { viewAsFloat: true, axis: 0, computeDtype: "F32" },
      [2, 64],
      "rows of 2 bytes are no whole elements of F32",
    ],
  ];
  for (const [options, shape, message] of refused) {
    assertThrows(() => hqq.resolve(options, shape), RangeError, message);
  }
  const taken: [HqqOptions, number[]][] = [
    [{}, [4, 64]],
    [{}, [4, 32]],
    [{ groupSize: 24 }, [4, 48]],
    [{ groupSize: "row" }, [4, 20]],
    [{ axis: 0 }, [1, 64]],
    [{ viewAsFloat: true, axis: 0, computeDtype: "F32" }, [4, 64]],
  ];
  for (const [options, shape] of taken) hqq.resolve(options, shape);
});

Deno.test("hqq: a zero point beyond float16 is refused, and cut where that is asked for", () => {
  const values = Float32Array.from(
    { length: 128 },
    (_, i) => 9000 + i % 8 / 1000,
  );
  const given = { format: "hqq", shape: [2, 64] } as const;
  assertThrows(() => quantize(values, given), RangeError, "overflows float16");
  const cut = dequantize(quantize(values, { ...given, nonFinite: "clamp" }));
  assert(cut.every(Number.isFinite));
  quantize(values, { ...given, computeDtype: "F32" });
});

Deno.test("hqq: meta entries and numbers that contradict the tensor are refused by name", () => {
  const { candidate, parts } = good;
  const tensor = { format: "hqq", ...recognized, parts };
  dequantize(tensor);
  const withPart = (name: string, change: (data: Uint8Array) => void) => {
    const part = parts[name], data = part.data.slice();
    change(new Uint8Array(data.buffer));
    return { ...parts, [name]: { ...part, data } as Part };
  };
  const damage: [string, string][] = [
    ["nbits", 'part "nbits": its byte 0 is 251'],
    ["axis", 'part "axis"'],
    ["group_size", 'part "group_size"'],
    ["shape", 'part "shape"'],
    ["packing", 'part "packing"'],
    ["quant_zero", 'part "quant_zero"'],
  ];
  for (const [name, message] of damage) {
    const changed = withPart(name, (bytes) => bytes[0] ^= 255);
    assertThrows(
      () => dequantize({ ...tensor, parts: changed }),
      RangeError,
      message,
    );
  }
  // Only tells how it was made.
  dequantize({ ...tensor, parts: withPart("optimize", (b) => b[0] ^= 1) });
  for (const name of ["scale", "zero"]) {
    const changed = withPart(name, (bytes) => bytes.set([0, 0x7c], 2));
    assertThrows(
      () => dequantize({ ...tensor, parts: changed }),
      RangeError,
      `part "${name}" is Infinity at index 1`,
    );
  }
  const bytes = (name: string, value: number[]) => ({
    ...candidate,
    bytes: (part: string) =>
      part === name ? Uint8Array.from(value) : candidate.bytes!(part),
  });
  const recognize = hqq.convention!.recognize;
  assertEquals(recognize(bytes("nbits", [8, 0, 0, 0])), undefined);
  const refused: [Parameters<typeof recognize>[0], string][] = [
    [bytes("axis", [2, 0, 0, 0]), "its axis is 2"],
    [bytes("group_size", [63, 0, 0, 0]), "HQQ takes multiples of 8"],
    [bytes("group_size", [0, 0, 0, 128]), "groupSize"],
    [bytes("shape", [1]), "its shape is I64 [2], not a list"],
    [bytes("shape", new Array(16).fill(255)), "its shape is [-1,-1]"],
    [bytes("shape", new Array(16).fill(1)), "its shape is"],
    [{ ...candidate, bytes: undefined }, "its nbits is I32 []"],
    [
      { ...candidate, text: () => "4bit_32" },
      'its packing is "4bit_32", not "4bit_u8"',
    ],
    [
      {
        ...candidate,
        parts: { ...parts, scale: { dtype: "F16", shape: [1, 64] } },
      },
      "its scale is F16 [1,64], not F16 [72,1]",
    ],
    [
      {
        ...candidate,
        config: { quant_config: { weight_quant_params: { axis: 0 } } },
      },
      "the config says axis 0, its parts 1",
    ],
  ];
  for (const [changed, message] of refused) {
    assertThrows(() => recognize(changed), RangeError, message);
  }
  assertEquals(recognize(candidate), recognized);
});

Deno.test("hqq: a tensor without values has its meta entries", () => {
  const q = quantize([], { format: "hqq", shape: [0, 64] });
  assertEquals([...q.parts.nbits.data], [4]);
  assertEquals(dequantize(q).length, 0);
});
