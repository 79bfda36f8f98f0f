/**
 * `mlx` against MLX itself: golden files of `mx.quantize` and mlx-lm in
 * `tests/vectors/mlx`, what its rules do at the edges, and bad input.
 */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { dequantize, quantize, repack } from "../../mod.ts";
import { mlx, type MlxOptions } from "../../src/formats/mlx.ts";
import { roundTo } from "../../src/numeric/compute.ts";
import type { PartSpec } from "../../src/words/layout.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  jsonOf,
  partsOf,
  tensorsOf,
  vectorFolder,
} from "./checkpoints.ts";

const folder = vectorFolder("mlx");
const TYPES = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

/** The type of the weights of a golden case, by its name; mlx-lm's are bfloat16. */
function typeOf(name: string): "F32" | "F16" | "BF16" {
  const type = name.split("_").find((word) => word in TYPES) ?? "bfloat16";
  return TYPES[type as keyof typeof TYPES];
}

function mlxOf(
  { shape, options, parts }: {
    shape: readonly number[];
    options: MlxOptions;
    parts: object;
  },
) {
  return { format: "mlx" as const, shape, options, parts: parts as never };
}

let goldens = 0;
for await (const { name } of Deno.readDir(folder)) {
  const file = (path: string) => new URL(`${name}/${path}`, folder);
  const tensors = await tensorsOf(file("model.safetensors"));
  const inputs = await tensorsOf(file("input.safetensors"));
  const expected = await tensorsOf(file("dequant.safetensors"));
  const config = await jsonOf(file("config.json"));
  const stems = Object.keys(tensors).filter((key) => key.endsWith(".scales"))
    .map((key) => key.slice(0, -".scales".length));
  goldens += stems.length;

  Deno.test(`mlx quantizes and dequantizes as MLX did: ${name}`, () => {
    for (const stem of stems) {
      const parts = partsOf(mlx, tensors, stem);
      const found = mlx.convention!.recognize(
        candidateOf(parts, config, stem),
      )!;
      const options: MlxOptions = found.options;
      const affine = options.mode === "affine", type = typeOf(name);
      const asked = affine ? options : { ...options, computeDtype: type };
      const input = floatsOf(inputs[`${stem}.weight`] ?? inputs.weight);
      const q = quantize(input, {
        format: "mlx",
        shape: found.shape,
        ...asked,
      });
      for (const [part, { dtype, shape, data }] of Object.entries(parts)) {
        const own = q.parts[part as keyof typeof q.parts]!;
        assertEquals([own.dtype, own.shape], [dtype, shape]);
        assertSameBytes(own.data, data, `${stem} ${part}`);
      }
      assertEquals(Object.keys(q.parts).sort(), Object.keys(parts).sort());
      const values = floatsOf(expected[`${stem}.weight`] ?? expected.weight);
      const { shape } = found;
      assertSameBytes(
        dequantize(mlxOf({ shape, options: asked, parts })),
        values,
        `${stem} values`,
      );
      const inF32 = expected.weight_f32;
      if (!inF32) continue;
      assertSameBytes(
        dequantize(
          mlxOf({ shape, options: { ...options, computeDtype: "F32" }, parts }),
        ),
        floatsOf(inF32),
        `${stem} values in float32`,
      );
    }
  });
}

Deno.test("mlx has golden files of all its modes", () =>
  assertEquals(goldens, 42));

const gauss = adversarial(4 * 256).gauss;
const shape = [4, 256];

/** Bytes of values, so that equality is that of bits. */
function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

Deno.test("mlx fills in what MLX would: group sizes and types by mode", () => {
  const kept = (options: MlxOptions) =>
    quantize(gauss, { format: "mlx", shape, ...options }).options;
  assertEquals(kept({}), {
    mode: "affine",
    groupSize: 64,
    scaleDtype: "BF16",
    computeDtype: "BF16",
    globalScale: false,
  });
  assertEquals(kept({ scaleDtype: "F16" }).computeDtype, "F16");
  assertEquals(kept({ mode: "mxfp4" }), {
    mode: "mxfp4",
    groupSize: 32,
    scaleDtype: "F32",
    computeDtype: "BF16",
    globalScale: false,
  });
  assertEquals(kept({ mode: "nvfp4" }).groupSize, 16);
  assertEquals(
    kept({ mode: "nvfp4", computeDtype: "F16" }).scaleDtype,
    "F16",
  );
});

Deno.test("mlx computes values in float32 at will", () => {
  for (const mode of ["affine", "mxfp4", "nvfp4"] as const) {
    const q = quantize(gauss.map((x) => 3.3 * x), {
      format: "mlx",
      shape,
      mode,
    });
    const asMlx = dequantize(q);
    const exact = dequantize({
      ...q,
      options: { ...q.options, computeDtype: "F32" },
    });
    assertEquals(
      asMlx.every((x) => x === roundTo("BF16")(x)),
      true,
      `${mode} by default gives bfloat16`,
    );
    // Scales of E2M1 modes have few digits: products of theirs fit in bfloat16.
    if (mode === "affine") assertNotEquals(bytesOf(exact), bytesOf(asMlx));
    else assertEquals(bytesOf(exact), bytesOf(asMlx));
  }
});

Deno.test("mlx mxfp4 takes the least power of two, and 2^-127 where MLX wraps around", () => {
  const exponent = (largest: number) =>
    quantize([largest, ...new Array(31).fill(0)], {
      format: "mlx",
      mode: "mxfp4",
    }).parts.scales.data[0];
  assertEquals(exponent(0), 127);
  assertEquals(exponent(0.95), 125);
  assertEquals(exponent(6), 127);
  assertEquals(exponent(6.000001), 128);
  assertEquals(exponent(6 * 2 ** -127), 0);
  assertEquals(exponent(1e-38), 0);
  assertEquals(exponent(1e-45), 127);
  assertEquals(exponent(3e38), 253);
});

Deno.test("mlx nvfp4 writes and reads a tensor of zeros with a global scale as MLX does", () => {
  const q = quantize(new Float32Array(64), {
    format: "mlx",
    mode: "nvfp4",
    globalScale: true,
    shape: [2, 32],
  });
  assertEquals([...q.parts.scales.data], [0xfe, 0xfe, 0xfe, 0xfe]);
  assertEquals([...q.parts.global_scale!.data], [0]);
  assert(dequantize(q).every((x) => Object.is(x, -0)));
});

Deno.test("mlx keeps constants whose scale underflows to zero", () => {
  const q = quantize(new Float32Array(64).fill(4e31), {
    format: "mlx",
    scaleDtype: "F32",
  });
  assert(Object.is(q.parts.scales.data[0], -0));
  assert(dequantize(q).every((x) => x === Math.fround(4e31)));
});

Deno.test("mlx reads back all that it writes", () => {
  for (const [set, values] of Object.entries(adversarial(1024))) {
    for (const mode of ["affine", "mxfp4", "nvfp4"] as const) {
      for (const scaleDtype of ["F32", "F16", "BF16"] as const) {
        const q = quantize(values, {
          format: "mlx",
          mode,
          scaleDtype,
          computeDtype: "F32",
          nonFinite: "clamp",
        });
        const back = dequantize(q);
        // 4 · 2^126, to which MLX rounds what is next to the largest float32, is none.
        if (mode === "mxfp4" && set === "huge") continue;
        assert(back.every(Number.isFinite), `${set} ${mode}`);
      }
    }
  }
});

Deno.test("mlx repacks from ggml's q4_1 and mxfp4 and back, every bit", () => {
  for (
    const [from, options] of [
      ["q4_1", { mode: "affine", groupSize: 32, scaleDtype: "F16" }],
      ["mxfp4", { mode: "mxfp4", groupSize: 32 }],
    ] as const
  ) {
    const ggml = quantize(gauss, { format: from, shape });
    const q = repack(ggml, "mlx");
    for (const [name, value] of Object.entries(options)) {
      assertEquals(q.options[name as keyof MlxOptions], value);
    }
    assertSameBytes(dequantize(q), dequantize(ggml), from);
    assertEquals(repack(q, from), ggml);
  }
});

Deno.test("mlx does not repack what would change", () => {
  const q = quantize(gauss, { format: "mlx", shape, mode: "mxfp4" });
  repack(q, "mxfp4");
  // GPU kernels of MLX write code 8, and MLX reads −0 where ggml reads 0.
  q.parts.weight.data[1] = 0x88888888;
  const zeros = repack(q, "mxfp4");
  assert(Object.is(dequantize(q)[8], -0));
  assert(Object.is(dequantize(zeros)[8], 0));
  assertSameBytes(
    repack(zeros, "mlx", { mode: "mxfp4" }).parts.weight.data,
    q.parts.weight.data,
    "there and back",
  );
  const bf16 = quantize(gauss, { format: "mlx", shape });
  assertEquals(repack(bf16, "mlx"), bf16);
  // A magnitude of the tensor is no scale of it.
  const global = { format: "mlx", shape, mode: "nvfp4" } as const;
  repack(quantize(gauss, global), "nvfp4_modelopt");
  assertThrows(
    () =>
      repack(
        quantize(gauss, { ...global, globalScale: true }),
        "nvfp4_modelopt",
      ),
    RangeError,
    "is no tensorScale that is a float32",
  );
  const magnitude = quantize(gauss, { ...global, globalScale: true });
  assertEquals(repack(magnitude, "mlx").parts, magnitude.parts);
});

// ---- bad input, each with a twin that is taken ----

Deno.test("mlx refuses options that do not go together", () => {
  const refused: [MlxOptions, number[], string][] = [
    [
      { mode: "mxfp4", groupSize: 64 },
      [1, 64],
      'in mode "mxfp4" it must be 32, not the number 64',
    ],
    [
      { mode: "nvfp4", groupSize: 32 },
      [1, 64],
      'in mode "nvfp4" it must be 16, not the number 32',
    ],
    [
      { groupSize: 16 },
      [1, 64],
      'in mode "affine" it must be 64, 32, 128, not the number 16',
    ],
    [{ groupSize: 48 }, [1, 64], "Cannot use groupSize: it must be"],
    [{ globalScale: true }, [1, 64], 'globalScale in mode "affine"'],
    [{}, [2, 96], "must be a multiple of 64"],
    [{ mode: "nvfp4" }, [3, 16], "multiples of 32"],
  ];
  const taken: [MlxOptions, number[]][] = [
    [{ mode: "mxfp4", groupSize: 32 }, [1, 64]],
    [{ mode: "nvfp4", groupSize: 16 }, [1, 64]],
    [{ groupSize: 32 }, [1, 64]],
    [{ groupSize: 128 }, [1, 128]],
    [{ mode: "nvfp4", globalScale: true }, [1, 64]],
    [{ groupSize: 32 }, [2, 96]],
    [{ mode: "nvfp4" }, [4, 16]],
  ];
  for (const [options, shape, message] of refused) {
    const error = assertThrows(
      () => mlx.resolve(options, shape),
      RangeError,
      message,
    );
    assert(!error.message.includes("\n"));
  }
  for (const [options, shape] of taken) mlx.resolve(options, shape);
});

Deno.test("mlx refuses values whose scales do not fit, and cuts them at will", () => {
  const values = new Float32Array(128);
  values[70] = 1e5;
  const options = { format: "mlx", scaleDtype: "F16" } as const;
  assertThrows(() => quantize(values, options), RangeError, "group 1,");
  const cut = dequantize(quantize(values, { ...options, nonFinite: "clamp" }));
  assertEquals(cut[70], 65504);
  const wide = dequantize(quantize(values, { ...options, scaleDtype: "F32" }));
  assertEquals(wide[70], 1e5);
});

Deno.test("mlx refuses numbers that MLX does not write", () => {
  const cases: [MlxOptions, string, number, number, string][] = [
    // Options, part, a damaging element, a harmless one, what is said of the former.
    [{ scaleDtype: "F32" }, "scales", NaN, 0.25, 'part "scales" is NaN'],
    [{ scaleDtype: "F32" }, "scales", 0, -0.25, 'part "scales" is 0'],
    [{ scaleDtype: "F16" }, "scales", 0x7c00, 0x7bff, "is Infinity"],
    [{ scaleDtype: "BF16" }, "scales", 0xff80, 0xbf80, "is -Infinity"],
    [{ scaleDtype: "BF16" }, "biases", 0x7fc0, 0, 'part "biases" is NaN'],
    [{ mode: "mxfp4" }, "scales", 255, 254, 'part "scales" is NaN'],
    [{ mode: "nvfp4" }, "scales", 0x7f, 0x7e, 'part "scales" is NaN'],
    [{ mode: "nvfp4" }, "scales", 0xb8, 0x38, 'part "scales" is -1'],
    [{ mode: "nvfp4" }, "scales", 0xfe, 0, 'part "scales" is -448'],
    [
      { mode: "nvfp4", globalScale: true },
      "global_scale",
      -1,
      1,
      'part "global_scale" is -1',
    ],
    [
      { mode: "nvfp4", globalScale: true },
      "global_scale",
      Infinity,
      0,
      "is Infinity",
    ],
  ];
  for (const [options, part, bad, good, message] of cases) {
    const q = quantize(gauss, { format: "mlx", shape, ...options });
    const data = q.parts[part as "scales"].data as Float32Array;
    const index = data.length - 1;
    data[index] = bad;
    assertThrows(
      () => dequantize(q),
      RangeError,
      `${message} at index ${index}`,
    );
    data[index] = good;
    dequantize(q);
  }
});

// ---- in checkpoints ----

const WEIGHT: PartSpec = { dtype: "U32", shape: [8, 16] };
const FLOATS: PartSpec = { dtype: "BF16", shape: [8, 2] };
const AFFINE = { weight: WEIGHT, scales: FLOATS, biases: FLOATS };
const BYTES: PartSpec = { dtype: "U8", shape: [8, 4] };
const SCALAR: PartSpec = { dtype: "F32", shape: [] };
const E2M1 = { weight: WEIGHT, scales: BYTES };
const NVFP4 = { weight: WEIGHT, scales: { ...BYTES, shape: [8, 8] } };

function config(settings: object): object {
  return { model_type: "llama", quantization: settings };
}
const G64 = { group_size: 64, bits: 4 };

Deno.test("mlx recognizes its tensors", () => {
  const known: [Record<string, PartSpec>, unknown, MlxOptions][] = [
    [AFFINE, config(G64), {
      mode: "affine",
      groupSize: 64,
      scaleDtype: "BF16",
    }],
    [AFFINE, { quantization_config: G64 }, {
      mode: "affine",
      groupSize: 64,
      scaleDtype: "BF16",
    }],
    // A layer's own settings win.
    [AFFINE, config({ group_size: 32, bits: 8, "model.a": G64 }), {
      mode: "affine",
      groupSize: 64,
      scaleDtype: "BF16",
    }],
    [AFFINE, config({ ...G64, "model.a": true, "model.b": false }), {
      mode: "affine",
      groupSize: 64,
      scaleDtype: "BF16",
    }],
    // Bytes as scales speak for themselves.
    [E2M1, undefined, { mode: "mxfp4", groupSize: 32, globalScale: false }],
    [E2M1, { model_type: "llama" }, {
      mode: "mxfp4",
      groupSize: 32,
      globalScale: false,
    }],
    [NVFP4, undefined, { mode: "nvfp4", groupSize: 16, globalScale: false }],
    [{ ...NVFP4, global_scale: SCALAR }, undefined, {
      mode: "nvfp4",
      groupSize: 16,
      globalScale: true,
    }],
  ];
  for (const [parts, config, options] of known) {
    assertEquals(
      mlx.convention!.recognize(candidateOf(parts, config, "model.a")),
      { shape: [8, 128], options },
    );
  }
});

Deno.test("mlx leaves other formats alone", () => {
  const others: [Record<string, PartSpec>, unknown][] = [
    [{ ...AFFINE, weight: { dtype: "U8", shape: [8, 64] } }, config(G64)],
    [AFFINE, config({ group_size: 32, bits: 8 })],
    [AFFINE, config({ ...G64, "model.a": { group_size: 32, bits: 8 } })],
    // mxfp8: 32 codes of 8 bits.
    [{ weight: WEIGHT, scales: { ...BYTES, shape: [8, 2] } }, undefined],
  ];
  for (const [parts, config] of others) {
    assertEquals(
      mlx.convention!.recognize(candidateOf(parts, config, "model.a")),
      undefined,
    );
  }
});

Deno.test("mlx says what contradicts or cannot be told", () => {
  const { biases: _, ...noBiases } = AFFINE;
  const bad: [Record<string, PartSpec>, unknown, string][] = [
    [AFFINE, undefined, "put the config.json"],
    [AFFINE, { model_type: "llama" }, "put the config.json"],
    [AFFINE, config({ ...G64, group_size: 32 }), "config says group_size 32"],
    [AFFINE, config({ ...G64, mode: "mxfp4" }), 'config says mode "mxfp4"'],
    [AFFINE, config({ ...G64, "model.a": false }), "not quantized"],
    [E2M1, config({ group_size: 32, bits: 4 }), 'config says mode "affine"'],
    [noBiases, config(G64), "no biases"],
    [{ ...AFFINE, scales: BYTES, biases: BYTES }, config(G64), "biases beside"],
    [
      { ...AFFINE, biases: { ...FLOATS, dtype: "F16" } },
      config(G64),
      "its biases F16 [8,2]",
    ],
    [
      { ...AFFINE, biases: { ...FLOATS, shape: [8, 4] } },
      config(G64),
      "its biases BF16 [8,4]",
    ],
    [
      { ...AFFINE, scales: { ...FLOATS, shape: [4, 2] } },
      config(G64),
      "make no whole groups",
    ],
    [
      { ...AFFINE, scales: { ...FLOATS, shape: [8, 3] } },
      config(G64),
      "make no whole groups",
    ],
    [
      { ...AFFINE, scales: { ...FLOATS, shape: [8, 0] } },
      config(G64),
      "make no whole groups",
    ],
    [
      { ...AFFINE, scales: { ...FLOATS, dtype: "I32" } },
      config(G64),
      "its scales are I32",
    ],
    [
      { weight: WEIGHT, scales: { ...BYTES, shape: [8, 16] } },
      undefined,
      "groups of 8",
    ],
    [{ ...E2M1, global_scale: SCALAR }, undefined, "in mode mxfp4"],
    [
      { ...NVFP4, global_scale: { dtype: "F32", shape: [2] } },
      undefined,
      "its global_scale is F32 [2]",
    ],
  ];
  for (const [parts, config, message] of bad) {
    const error = assertThrows(
      () => mlx.convention!.recognize(candidateOf(parts, config, "model.a")),
      RangeError,
      message,
    );
    assert(error.message.startsWith("Cannot read model.a as mlx: "));
    assert(!error.message.includes("\n"));
  }
});

Deno.test("mlx recognizes what it writes", () => {
  const { recognize, config } = mlx.convention!;
  for (
    const options of [{}, { mode: "mxfp4" }, {
      mode: "nvfp4",
      globalScale: true,
    }]
  ) {
    const resolved = mlx.resolve(options as MlxOptions, shape);
    const { parts } = mlx.layout(shape, resolved);
    const found = recognize(candidateOf(parts, config!(resolved)))!;
    assertEquals(found.shape, shape);
    const read = mlx.resolve(found.options, found.shape);
    assertEquals(mlx.layout(found.shape, read).parts, parts);
    assertEquals(read.computeDtype, resolved.computeDtype);
  }
});

Deno.test("mlx refuses parts that are missing, of another type or length", () => {
  const q = quantize(gauss, { format: "mlx", shape });
  dequantize(q);
  const { biases: _, ...noBiases } = q.parts;
  const short = { ...q.parts.scales, data: q.parts.scales.data.slice(1) };
  const floats = { ...q.parts.scales, data: new Float32Array(16) };
  for (
    const [parts, message] of [
      [noBiases, 'part "biases"'],
      [{ ...q.parts, scales: short }, 'part "scales"'],
      [{ ...q.parts, scales: floats }, 'part "scales"'],
      [{ ...q.parts, global_scale: q.parts.scales }, 'no part "global_scale"'],
    ] as const
  ) {
    assertThrows(
      () => dequantize({ ...q, parts: parts as never }),
      RangeError,
      message,
    );
  }
});
