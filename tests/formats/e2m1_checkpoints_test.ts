/**
 * The E2M1 formats of checkpoints against their libraries: golden files, what their
 * rules do at the edges, what they become of one another, and bad input.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type AnyQuantized,
  dequantize,
  type Format,
  type FormatName,
  mxfp4_ct,
  mxfp4_hf,
  mxfp4_modelopt,
  mxfp4_torchao,
  nvfp4_ct,
  nvfp4_torchao,
  type Part,
  type Parts,
  quantize,
  repack,
} from "../../mod.ts";
import { dequantizeWith } from "../../src/core.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { goldenTensorsOf, testGolden } from "./golden_checkpoints.ts";
import { candidateOf, floatsOf, goldenTensors } from "./safetensors_vectors.ts";

/** transformers gives [experts, in, out]: here as the file has it. */
function untransposed(part: Part): Float32Array {
  const [experts, columns, rows] = part.shape, values = floatsOf(part);
  return values.map((_, i) => {
    const expert = Math.floor(i / (rows * columns)), at = i % (rows * columns);
    const row = Math.floor(at / columns), column = at % columns;
    return values[(expert * columns + column) * rows + row];
  }).subarray(0, experts * rows * columns);
}

testGolden(mxfp4_hf, [
  {
    name: "quantized",
    input: "mxfp4_hf/input.safetensors",
    arrange: untransposed,
  },
  { name: "random-bytes", arrange: untransposed },
]);

Deno.test("mxfp4_hf: in float32 it is what transformers makes in float32", async () => {
  const values = await goldenTensors(
    "mxfp4_hf/random-bytes/dequant.safetensors",
  );
  const golden = await goldenTensorsOf(mxfp4_hf, { name: "random-bytes" });
  assert(golden.length > 0);
  for (const { name, parts, candidate } of golden) {
    const { shape } = mxfp4_hf.convention!.recognize(candidate)!;
    const options = { computeDtype: "F32" };
    const tensor = { format: "mxfp4_hf", shape, options, parts };
    assertSameBytes(
      dequantizeWith(mxfp4_hf, tensor),
      untransposed(values.get(`${name}.f32`)!),
      name,
    );
  }
});

testGolden(
  mxfp4_ct,
  (["BF16", "F16", "F32"] as const).map((inputDtype) => ({
    name: `mxfp4-${inputDtype.toLowerCase()}`,
    input: `mxfp4_ct/input-grouped-${inputDtype.toLowerCase()}.safetensors`,
    options: { inputDtype },
  })),
);

testGolden(
  nvfp4_ct,
  (["BF16", "F32"] as const).map((inputDtype) => ({
    name: `nvfp4-${inputDtype.toLowerCase()}`,
    input: `mxfp4_ct/input-grouped-${inputDtype.toLowerCase()}.safetensors`,
    options: { inputDtype },
  })),
);

testGolden(
  mxfp4_modelopt,
  (["BF16", "F32"] as const).map((computeDtype) => ({
    name: `mxfp4-${computeDtype.toLowerCase()}`,
    input: `mxfp4_modelopt/input-${computeDtype.toLowerCase()}.safetensors`,
    options: { computeDtype },
  })),
);

testGolden(
  mxfp4_torchao,
  ["floor-f32", "floor-bf16", "even-bf16", "ceil-f32", "rceil-f32"].concat(
    "rceil-bf16",
  ).map((name) => {
    const [scaleRule, dtype] = name.split("-");
    const input = `mxfp4_torchao/input-${dtype}.safetensors`;
    return { name: `mxfp4-${name}`, input, options: { scaleRule } };
  }),
);

testGolden(
  nvfp4_torchao,
  ["1level-f32", "1level-bf16", "2level-f32", "2level-bf16"].map((name) => ({
    name: `nvfp4-${name}`,
    input: `mxfp4_torchao/input-${name.split("-")[1]}.safetensors`,
  })),
);

// Scales in tiles, as the library's configs leave them.
testGolden(mxfp4_torchao, [{
  name: "mxfp4-tiles-bf16",
  input: "mxfp4_torchao/input-tiles-bf16.safetensors",
  options: { scaleRule: "rceil" },
}]);

testGolden(nvfp4_torchao, [{
  name: "nvfp4-tiles-bf16",
  input: "mxfp4_torchao/input-tiles-bf16.safetensors",
}]);

for (const format of [mxfp4_torchao, nvfp4_torchao] as const) {
  const { name } = format;

  Deno.test(`${name}: scales in tiles are those in rows, and are told apart by their shape`, () => {
    for (const shape of [[300, 192], [2, 128, 64], [7, 32], [32, 128]]) {
      const size = shape.reduce((a, b) => a * b);
      const values = Float32Array.from(
        { length: size },
        (_, i) => Math.sin(i) * 2 ** (i % 37 >> 2),
      );
      const rows = quantize(values, { format: name, shape });
      const tiles = quantize(values, { format: name, shape, swizzled: true });
      assertEquals(dequantize(tiles), dequantize(rows));
      const { recognize } = format.convention!;
      const found = recognize(candidateOf(tiles.parts as unknown as Parts))!;
      assertEquals(found.shape, shape);
      assertEquals(found.options, {
        ...(name === "nvfp4_torchao" && { perTensorScale: true }),
        swizzled: true,
      });
      assertEquals(
        repack(tiles, name, { swizzled: false }).parts._weight_scale,
        rows.parts._weight_scale,
      );
    }
  });

  Deno.test(`${name}: matrices that share a tile are refused`, () => {
    const given = { format: name, shape: [2, 64, 64], swizzled: true };
    const values = new Float32Array(2 * 64 * 64).fill(1);
    assertThrows(
      () => quantize(values, given),
      RangeError,
      "its matrices have 64 rows, they must be a multiple of 128",
    );
    quantize(values, { ...given, shape: [1, 128, 64] });
  });
}

Deno.test("nvfp4_torchao: a tensor of zeros keeps its NaN in tiles, beyond it lie zeros", () => {
  const given = { format: "nvfp4_torchao", shape: [33, 48] } as const;
  const zeros = new Float32Array(33 * 48);
  const { parts } = quantize(zeros, { ...given, swizzled: true });
  const { data } = parts._weight_scale;
  assertEquals(data.filter((byte) => byte === 0xff).length, 33 * 3);
  assertEquals(data.filter((byte) => byte === 0).length, data.length - 33 * 3);
});

// ---- rules at their edges ----

const ofPowers = (...powers: number[]) => {
  const values = new Float32Array(32 * powers.length);
  powers.forEach((x, i) => values[32 * i] = x);
  return values;
};

Deno.test("mxfp4_torchao: four rules for exponents, at and beside powers of two", () => {
  const below = 1 - 2 ** -24, above = 1 + 2 ** -23;
  const values = ofPowers(1, below, above, 1.75, 1.75 - 2 ** -23, 0, 2 ** -149);
  const bytes = (scaleRule: "floor" | "even" | "ceil" | "rceil") => {
    const given = { format: "mxfp4_torchao", shape: [7, 32] } as const;
    const { parts } = quantize(values, { ...given, scaleRule });
    return [...parts._weight_scale.data];
  };
  assertEquals(bytes("floor"), [125, 124, 125, 125, 125, 0, 0]);
  assertEquals(bytes("even"), [125, 125, 125, 126, 125, 0, 0]);
  assertEquals(bytes("ceil"), [125, 125, 126, 126, 126, 0, 0]);
  assertEquals(bytes("rceil"), [125, 125, 125, 126, 126, 0, 0]);
});

Deno.test("mxfp4_torchao and mxfp4_modelopt: the logarithm a few ulp above a power of two is that power", () => {
  // Of A / 6 = 2^-20 · (1 + k · 2^-23) the float32 logarithm is −20 up to k = 5.
  const word = new Float32Array(1), bits = new Uint32Array(word.buffer);
  const values = ofPowers(...Array.from({ length: 8 }, (_, k) => {
    for (word[0] = 6 * 2 ** -20;; bits[0]++) {
      const sixth = Math.fround(word[0] / 6);
      if (sixth >= 2 ** -20 * (1 + k * 2 ** -23)) return word[0];
    }
  }));
  const expected = [107, 107, 107, 107, 107, 107, 108, 108];
  const shape = [8, 32];
  const torchao = { format: "mxfp4_torchao", scaleRule: "rceil" } as const;
  const { parts: a } = quantize(values, { ...torchao, shape });
  const { parts: b } = quantize(values, { format: "mxfp4_modelopt", shape });
  assertEquals([...a._weight_scale.data], expected);
  assertEquals([...b.weight_scale.data], expected);
});

Deno.test("code 8 is for negative values that round to zero, and in ModelOpt for 0 itself", () => {
  const values = Float32Array.of(6, 0, -0, 0.1, -0.1, ...new Float32Array(27));
  const codes = (format: "mxfp4_torchao" | "mxfp4_ct" | "mxfp4_modelopt") => {
    const q = quantize(values, { format, shape: [1, 32] } as {
      format: "mxfp4_ct";
    });
    const [data] = Object.values(q.parts as unknown as Parts).map((p) =>
      p.data
    );
    return [...data.subarray(0, 3) as Uint8Array].flatMap((
      byte,
    ) => [byte & 15, byte >> 4]);
  };
  assertEquals(codes("mxfp4_torchao"), [7, 0, 8, 0, 8, 0]);
  assertEquals(codes("mxfp4_ct"), [7, 0, 0, 0, 8, 0]);
  assertEquals(codes("mxfp4_modelopt"), [7, 8, 8, 0, 8, 8]);
});

Deno.test("mxfp4_ct: in float16 a group without an exponent has byte 127", () => {
  const values = ofPowers(
    0,
    2 ** -24,
    0.74 * 2 ** -14,
    0.75 * 2 ** -14,
    2 ** -14,
  );
  const bytes = (inputDtype: "F16" | "F32") => {
    const given = { format: "mxfp4_ct", shape: [5, 32] } as const;
    return [
      ...quantize(values, { ...given, inputDtype }).parts.weight_scale.data,
    ];
  };
  assertEquals(bytes("F16"), [127, 127, 127, 111, 111]);
  assertEquals(bytes("F32"), [0, 101, 110, 110, 111]);
});

Deno.test("inputDtype: weights beyond it are refused by group, or cut", () => {
  const values = ofPowers(1, 70000);
  for (const format of ["mxfp4_ct", "nvfp4_ct"] as const) {
    const given = { format, shape: [2, 32], inputDtype: "F16" } as const;
    assertThrows(
      () => quantize(values, given),
      RangeError,
      "overflows float16",
    );
    const cut = dequantize(quantize(values, { ...given, nonFinite: "clamp" }));
    assert(Math.abs(cut[32] / 65504 - 1) < 0.2, `${cut[32]}`);
    dequantize(quantize(values, { ...given, inputDtype: "BF16" }));
  }
});

Deno.test("nvfp4: zeros have the scale that each library gives them", () => {
  const zeros = new Float32Array(32), one = ofPowers(1);
  const ct = quantize(zeros, { format: "nvfp4_ct", shape: [1, 32] });
  assertEquals([...ct.parts.weight_scale.data], [0x20, 0x20]);
  assertEquals(ct.parts.weight_global_scale.data[0], 1);
  assertSameBytes(dequantize(ct), zeros);
  const given = { format: "nvfp4_torchao", shape: [1, 32] } as const;
  const plain = quantize(zeros, { ...given, perTensorScale: false });
  assertEquals([...plain.parts._weight_scale.data], [0x08, 0x08]);
  assertSameBytes(dequantize(plain), zeros);
  // 0 / 0, as in the library.
  const nan = quantize(zeros, given);
  assertEquals([...nan.parts._weight_scale.data], [0xff, 0xff]);
  assert(dequantize(nan).every(Number.isNaN));
  assertEquals(dequantize(quantize(one, given))[0], 1);
});

// ---- what they become of one another ----

const SHAPE = [4, 64];
/** Values without any that becomes a zero: their sign is told in as many ways as there are libraries. */
const FAR_FROM_ZERO = adversarial(256).gauss.map((x, i) =>
  (i % 2 ? -1 : 1) * (1 + Math.abs(x))
);
const MXFP4: readonly FormatName[] = [
  ...["mxfp4", "mxfp4_hf", "mxfp4_ct", "mxfp4_modelopt"] as const,
  ...["mxfp4_torchao", "mlx"] as const,
];
const NVFP4: readonly FormatName[] = [
  ...["nvfp4", "nvfp4_ct", "nvfp4_modelopt", "nvfp4_torchao", "mlx"] as const,
];

function quantizeAs(format: FormatName, options: object): AnyQuantized {
  const given = { ...options, format: format as "mlx", shape: SHAPE };
  return quantize(FAR_FROM_ZERO, given);
}

function assertSameTensor(a: AnyQuantized, b: AnyQuantized, label: string) {
  const [parts, expected] = [a.parts as Parts, b.parts as Parts];
  assertEquals(Object.keys(parts), Object.keys(expected), label);
  for (const [name, { data }] of Object.entries(parts)) {
    assertSameBytes(data, expected[name].data, `${label} ${name}`);
  }
}

Deno.test("mxfp4 in its six dresses is the same numbers in each of them", () => {
  for (const from of MXFP4) {
    const q = quantizeAs(from, from === "mlx" ? { mode: "mxfp4" } : {});
    for (const to of MXFP4) {
      const r = repack(q, to as "mlx"), label = `${from} ${to}`;
      assertSameTensor(repack(r, from as "mlx"), q, label);
      const exact = { computeDtype: "F32" };
      const plain = (t: AnyQuantized) =>
        dequantize({
          ...t,
          options: t.format === "mxfp4" ? {} : { ...t.options, ...exact },
        });
      assertSameBytes(plain(r), plain(q), label);
    }
  }
});

/** The scale of the tensor set to a power of two, whatever way it is told in. */
function withPower(q: AnyQuantized, power: number): AnyQuantized {
  const parts = q.parts as Parts;
  const told: Record<string, number> = {
    weight_global_scale: 1 / power,
    weight_scale_2: power,
    _weight_per_tensor_scale: power,
    global_scale: 2688 * power,
  };
  for (const [name, value] of Object.entries(told)) {
    if (parts[name]) (parts[name].data as Float32Array)[0] = value;
  }
  return q;
}

Deno.test("nvfp4 in its five dresses is the same numbers where the scale of the tensor can be told", () => {
  for (const power of [1, 2 ** -7, 2 ** 5]) {
    for (const from of NVFP4) {
      if (from === "nvfp4" && power !== 1) continue;
      const mode: object = from === "mlx"
        ? { mode: "nvfp4", globalScale: true }
        : from === "nvfp4_torchao"
        ? { perTensorScale: true }
        : {};
      const q = withPower(quantizeAs(from, mode), power);
      for (const to of NVFP4) {
        const label = `${from} ${to} ${power}`;
        if (to === "nvfp4" && power !== 1) {
          assertThrows(() => repack(q, to), RangeError, "it can only be");
          continue;
        }
        const r = repack(q, to as "mlx");
        assertSameTensor(repack(r, from as "mlx", mode), q, label);
        const values = (t: AnyQuantized) =>
          dequantize({
            ...t,
            options: t.format === "nvfp4"
              ? {}
              : { ...t.options, computeDtype: "F32" },
          });
        assertSameBytes(values(r), values(q), label);
      }
    }
  }
});

Deno.test("nvfp4: a scale of the tensor whose inverse is no float32 is refused, one that is a power of two is not", () => {
  const q = quantizeAs("nvfp4_modelopt", {});
  const parts = q.parts as Parts, scale = parts.weight_scale_2.data;
  scale[0] = 0.75;
  assertThrows(
    () => repack(q, "nvfp4_ct"),
    RangeError,
    "Cannot repack: tensorScale 0.75 is no tensorDivisor that is a float32",
  );
  repack(q, "nvfp4_torchao");
  scale[0] = 0.25;
  const r = repack(q, "nvfp4_ct");
  assertEquals(r.parts.weight_global_scale.data[0], 4);
  r.parts.weight_global_scale.data[0] = 3;
  assertThrows(
    () => repack(r, "nvfp4_modelopt"),
    RangeError,
    "tensorDivisor 3",
  );
  // The largest magnitude of which 3 is the inverse of the 2688th part: 896.
  assertEquals(repack(r, "mlx").parts.global_scale!.data[0], 896);
});

// ---- bad input, each with a twin that is taken ----

interface Bad {
  readonly format: Format;
  readonly golden: string;
  /** A byte of a part, and what is said of it. */
  readonly numbers: readonly [string, number | number[], string][];
  /** Parts changed, and what is said of them. */
  readonly parts: readonly [string, Partial<Part>, string | undefined][];
  /** Configs that contradict. */
  readonly configs: readonly [unknown, string][];
}

const BAD: readonly Bad[] = [
  {
    format: mxfp4_hf as Format,
    golden: "quantized",
    numbers: [],
    parts: [
      ["blocks", { shape: [2, 64, 1, 8] }, "make no groups of 32"],
      ["scales", { shape: [2, 64, 3] }, "make no groups of 32"],
      ["scales", { dtype: "F16" }, undefined],
      ["blocks", { dtype: "BF16" }, undefined],
    ],
    configs: [[{ quant_method: "gptq" }, 'quant_method "gptq"']],
  },
  {
    format: mxfp4_ct as Format,
    golden: "mxfp4-bf16",
    numbers: [[
      "weight_scale",
      255,
      "is 255 at index 0, it must be from 0 to 254",
    ]],
    parts: [
      ["weight_packed", { shape: [] }, "make no groups of 32"],
      ["weight_scale", { shape: [25, 5] }, "make no groups of 32"],
      ["weight_packed", { dtype: "I32" }, undefined],
      ["weight_scale", { dtype: "F8_E4M3" }, undefined],
    ],
    configs: [
      [{ format: "pack-quantized" }, 'the config says format "pack-quantized"'],
      [
        { quantization_config: { format: "nvfp4-pack-quantized" } },
        'format "nvfp4-pack-quantized"',
      ],
    ],
  },
  {
    format: nvfp4_ct as Format,
    golden: "nvfp4-bf16",
    numbers: [
      ["weight_scale", 0x7f, "is NaN at index 0"],
      ["weight_scale", 0x81, "it must be a number and not negative"],
      [
        "weight_global_scale",
        [0, 0, 0, 0],
        "is 0 at index 0, it must be positive",
      ],
      ["weight_global_scale", [0, 0, 0xc0, 0x7f], "is NaN at index 0"],
    ],
    parts: [
      ["weight_scale", { shape: [25, 4] }, "make no groups of 16"],
      ["weight_global_scale", { shape: [] }, "is F32 [], not F32 [1]"],
      ["weight_global_scale", { dtype: "F16" }, "is F16 [1], not F32 [1]"],
      ["weight_scale", { dtype: "U8" }, undefined],
    ],
    configs: [
      [{ format: "mxfp4-pack-quantized" }, 'format "mxfp4-pack-quantized"'],
    ],
  },
  {
    format: mxfp4_modelopt as Format,
    golden: "mxfp4-bf16",
    numbers: [["weight_scale", 255, "is 255 at index 0"]],
    parts: [
      ["weight", { shape: [19, 47] }, "make no groups of 32"],
      ["weight_scale", { dtype: "F8_E4M3" }, undefined],
      ["weight", { dtype: "F32" }, undefined],
    ],
    configs: [[{ quant_algo: "NVFP4" }, 'quant_algo "NVFP4"']],
  },
  {
    format: mxfp4_torchao as Format,
    golden: "mxfp4-even-bf16",
    numbers: [["_weight_scale", 255, "is 255 at index 0"]],
    parts: [
      ["_weight_qdata", { shape: [19, 47] }, "make no groups of 32"],
      ["_weight_scale", { dtype: "F8_E4M3" }, undefined],
    ],
    configs: [],
  },
  {
    format: nvfp4_torchao as Format,
    golden: "nvfp4-2level-bf16",
    numbers: [
      ["_weight_scale", 0xff, "is NaN at index 0"],
      ["_weight_per_tensor_scale", [0, 0, 0, 0xbf], "it must be finite"],
    ],
    parts: [
      ["_weight_scale", { shape: [19, 3] }, "make no groups of 16"],
      ["_weight_per_tensor_scale", { shape: [1] }, "is F32 [1], not F32 []"],
      ["_weight_scale", { dtype: "F8_E8M0" }, undefined],
    ],
    configs: [],
  },
];

for (const { format, golden, numbers, parts: changes, configs } of BAD) {
  const { name } = format;
  const [{ parts, candidate }] = await goldenTensorsOf(format, {
    name: golden,
  });
  const { recognize } = format.convention!;
  const found = recognize(candidate)!;

  Deno.test(`${name}: numbers that its library never writes are refused by part and index`, () => {
    const tensor = { format: name, ...found, parts };
    dequantizeWith(format, tensor);
    for (const [part, bytes, message] of numbers) {
      const data = parts[part].data.slice();
      new Uint8Array(data.buffer).set([bytes].flat());
      const bad = { ...parts, [part]: { ...parts[part], data } as Part };
      assertThrows(
        () => dequantizeWith(format, { ...tensor, parts: bad }),
        RangeError,
        message,
      );
    }
  });

  Deno.test(`${name}: parts and configs that contradict each other are refused, other formats left alone`, () => {
    for (const [part, change, message] of changes) {
      const changed = {
        ...candidate,
        parts: { ...parts, [part]: { ...parts[part], ...change } },
      };
      if (message === undefined) assertEquals(recognize(changed), undefined);
      else assertThrows(() => recognize(changed), RangeError, message);
    }
    for (const [config, message] of configs) {
      assertThrows(
        () => recognize({ ...candidate, config }),
        RangeError,
        message,
      );
    }
    for (const config of [undefined, null, 3, [], {}, { format: undefined }]) {
      assertEquals(recognize({ ...candidate, config }), found);
    }
    const own = format.convention!.config?.(format.resolve({}, found.shape));
    assertEquals(recognize({ ...candidate, config: own }), found);
  });

  Deno.test(`${name}: rows that are no whole groups are refused`, () => {
    const group = format.groupSize as number;
    for (const columns of [1, group - 1, group + 1, 2 * group - 2]) {
      assertThrows(
        () => format.resolve({}, [2, columns]),
        RangeError,
        `the last axis is ${columns}, it must be a multiple of ${group}`,
      );
    }
    for (const columns of [0, group, 3 * group]) {
      format.resolve({}, [2, columns]);
    }
  });
}

Deno.test("modelopt: the algorithm in letters of either size, and of each module where modules differ", async () => {
  const [{ candidate, name }] = await goldenTensorsOf(
    mxfp4_modelopt,
    { name: "mxfp4-bf16" },
  );
  const stem = name.replace(".weight", "");
  const { recognize } = mxfp4_modelopt.convention!;
  const with_ = (quantization: object) =>
    recognize({ ...candidate, stem, config: { quantization } });
  const layers = (quant_algo: string) => ({
    quant_algo: "MIXED_PRECISION",
    quantized_layers: { [stem]: { quant_algo } },
  });
  for (const algorithm of ["mxfp4", "MXFP4", "W4A8_MXFP4_FP8"]) {
    assert(with_({ quant_algo: algorithm }));
    assert(with_(layers(algorithm)));
  }
  for (const told of [{ quant_algo: "NVFP4" }, layers("NVFP4")]) {
    assertThrows(() => with_(told), RangeError, 'says quant_algo "NVFP4"');
  }
});

Deno.test("torchao: metadata tells the type of the values, and is refused where it contradicts", async () => {
  const [{ parts, candidate, name }] = await goldenTensorsOf(
    mxfp4_torchao,
    { name: "mxfp4-floor-f32" },
  );
  const { recognize } = mxfp4_torchao.convention!;
  const options = { computeDtype: "F32", swizzled: false };
  assertEquals(recognize(candidate)!.options, options);
  assertEquals(recognize(candidateOf(parts))!.options, { swizzled: false });
  const text = candidate.metadata![name];
  const said = (from: string, to: string) => {
    assert(text.includes(from));
    return { ...candidate, metadata: { [name]: text.replace(from, to) } };
  };
  const refused: [string, string, string][] = [
    ["MXTensor", "NVFP4Tensor", 'its metadata says _type "NVFP4Tensor"'],
    ["float4_e2m1fn_x2", "float8_e4m3fn", 'elem_dtype "float8_e4m3fn"'],
    ['"block_size": 32', '"block_size": 16', "block_size 16"],
    ['"float32"', '"float64"', 'orig_dtype "float64"'],
    [
      '"is_swizzled_scales": false',
      '"is_swizzled_scales": true',
      "make no groups of 32",
    ],
    [
      '"is_swizzled_scales": false',
      '"is_swizzled_scales": 1',
      "is_swizzled_scales 1",
    ],
    ["{", "[", "its metadata says _type undefined"],
  ];
  for (const [from, to, message] of refused) {
    assertThrows(() => recognize(said(from, to)), RangeError, message);
  }
  assertEquals(recognize(said('"float32"', '"float16"'))!.options, {
    computeDtype: "F16",
    swizzled: false,
  });
});
