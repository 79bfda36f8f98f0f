/**
 * `nvfp4_modelopt` against ModelOpt itself: golden files in
 * `tests/vectors/nvfp4_modelopt`, what its rules do at the edges, and bad input.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize, repack } from "../../mod.ts";
import { nvfp4_modelopt as format } from "../../src/formats/nvfp4_modelopt.ts";
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

const NAME = "nvfp4_modelopt";
const SUFFIX = ".weight_scale_2";

for (const computeDtype of ["F32", "F16", "BF16"] as const) {
  const folder = new URL(`${computeDtype.toLowerCase()}/`, vectorFolder(NAME));
  const [tensors, inputs, expected] = await Promise.all(
    ["model", "input", "dequant"].map((name) =>
      tensorsOf(new URL(`${name}.safetensors`, folder))
    ),
  );
  const config = await jsonOf(new URL("hf_quant_config.json", folder));
  const stems = Object.keys(tensors).filter((key) => key.endsWith(SUFFIX))
    .map((key) => key.slice(0, -SUFFIX.length));

  Deno.test(`${NAME} quantizes and dequantizes as ModelOpt did: ${computeDtype}`, () => {
    assertEquals(stems.length, 3);
    for (const stem of stems) {
      const parts = partsOf(format, tensors, stem);
      const { shape } = format.convention!.recognize(
        candidateOf(parts, config, stem),
      )!;
      const q = quantize(floatsOf(inputs[`${stem}.weight`]), {
        format: NAME,
        shape,
        computeDtype,
      });
      for (const [part, { dtype, shape, data }] of Object.entries(parts)) {
        const own = q.parts[part as keyof typeof q.parts];
        assertEquals([own.dtype, own.shape], [dtype, shape]);
        assertSameBytes(own.data, data, `${stem} ${part}`);
      }
      assertSameBytes(
        dequantize({ ...q, parts: parts as never }),
        floatsOf(expected[`${stem}.weight`]),
        `${stem} values`,
      );
    }
  });
}

/** The parts of a tensor as plain numbers. */
function partsIn(values: number[] | Float32Array, shape: number[]) {
  const { parts } = quantize(values, { format: NAME, shape });
  return {
    codes: [...parts.weight.data],
    scales: [...parts.weight_scale.data],
    ofTensor: parts.weight_scale_2.data[0],
  };
}

Deno.test(`${NAME} rounds ties to even and gives the sign of what rounds to zero`, () => {
  // 2688 as the largest magnitude makes the scale of the tensor 1, 6 that of its group 1.
  const first = new Array(16).fill(0);
  first[0] = 2688;
  const ties = [6, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];
  const tiny = [-0.2, -0, 0.2, -0.25, -0.75, -5, 0, 0];
  const { codes, scales, ofTensor } = partsIn([...first, ...ties, ...tiny], [
    2,
    16,
  ]);
  assertEquals(ofTensor, 1);
  assertEquals(scales, [0x7e, 0x38]);
  const nibbles = codes.slice(8).flatMap((byte) => [byte & 15, byte >> 4]);
  assertEquals(nibbles.slice(0, 8), [7, 0, 2, 2, 4, 4, 6, 6]);
  assertEquals(nibbles.slice(8), [8, 0, 0, 8, 10, 14, 0, 0]);
  const back = dequantize(
    quantize([...first, ...ties, ...tiny], { format: NAME, shape: [2, 16] }),
  );
  assert(Object.is(back[24], 0), "code 8 comes back as +0");
});

Deno.test(`${NAME} gives zero groups the scale 1 and tiny ones the least`, () => {
  const values = new Float32Array(48);
  values[0] = 2688;
  values[16] = 1e-6;
  assertEquals(partsIn(values, [3, 16]).scales, [0x7e, 0x01, 0x38]);
});

Deno.test(`${NAME} makes of a tensor of zeros what ModelOpt does`, () => {
  const q = quantize(new Float32Array(32), { format: NAME, shape: [2, 16] });
  assertEquals(partsIn(new Float32Array(32), [2, 16]), {
    codes: new Array(16).fill(0x77),
    scales: [0xff, 0xff],
    ofTensor: 0,
  });
  const bits = new Uint32Array(dequantize(q).buffer);
  assert(bits.every((word) => word === 0x7fc00000));
});

Deno.test(`${NAME} takes the scale of the whole tensor, wherever its largest magnitude is`, () => {
  const values = adversarial(40 * 1024).gauss;
  values[values.length - 1] = -1000;
  const { ofTensor } = partsIn(values, [40, 1024]);
  assertEquals(ofTensor, Math.fround(1000 / 2688));
});

Deno.test(`${NAME} reads back all that it writes`, () => {
  for (const [set, values] of Object.entries(adversarial(1024))) {
    const back = dequantize(quantize(values, { format: NAME }));
    const zeros = values.every((x) => x === 0);
    // A scale of a tensor that underflows is 0, and 0 / 0 no number.
    if (zeros || set === "smallestSubnormals") continue;
    assert(back.every(Number.isFinite), set);
  }
});

Deno.test(`${NAME} repacks from ggml's nvfp4 and back, every bit`, () => {
  const ggml = quantize(adversarial(1024).gauss, {
    format: "nvfp4",
    shape: [4, 256],
  });
  const q = repack(ggml, NAME);
  assertEquals(q.parts.weight_scale_2.data[0], 1);
  assertSameBytes(dequantize(q), dequantize(ggml));
  assertEquals(repack(q, "nvfp4"), ggml);
  // ggml has no scale of the tensor: only 1 goes there.
  q.parts.weight_scale_2.data[0] = 0.5;
  assertThrows(
    () => repack(q, "nvfp4"),
    RangeError,
    "tensorScale 0.5 of group 0 does not fit: it can only be 1 there",
  );
});

// ---- bad input, each with a twin that is taken ----

Deno.test(`${NAME} refuses rows that are no whole groups`, () => {
  assertThrows(
    () => format.resolve({}, [2, 24]),
    RangeError,
    "the last axis is 24, it must be a multiple of 16",
  );
  format.resolve({}, [2, 32]);
  format.resolve({}, [0, 16]);
  assertThrows(
    () => format.resolve({ computeDtype: "F64" as "F32" }, [16]),
    RangeError,
    "computeDtype",
  );
});

Deno.test(`${NAME} refuses numbers that ModelOpt does not write`, () => {
  const cases: [string, number, number, string][] = [
    // Part, a damaging element, a harmless one, what is said of the former.
    ["weight_scale", 0x7f, 0x7e, "is NaN"],
    ["weight_scale", 0xff, 0x01, "is NaN"],
    ["weight_scale", 0xb8, 0x38, "is -1"],
    // Versions before 0.47 underflow to 0.
    ["weight_scale", 0x80, 0x00, "is -0"],
    ["weight_scale_2", NaN, 1, "is NaN"],
    ["weight_scale_2", -1, 0, "is -1"],
    ["weight_scale_2", Infinity, 3e38, "is Infinity"],
  ];
  for (const [part, bad, good, seen] of cases) {
    const q = quantize(adversarial(64).gauss, { format: NAME });
    const data = q.parts[part as "weight_scale"].data, last = data.length - 1;
    data[last] = bad;
    assertThrows(
      () => dequantize(q),
      RangeError,
      `part "${part}" ${seen} at index ${last}`,
    );
    data[last] = good;
    dequantize(q);
  }
});

const PARTS: Record<string, PartSpec> = {
  weight: { dtype: "U8", shape: [8, 32] },
  weight_scale: { dtype: "F8_E4M3", shape: [8, 4] },
  weight_scale_2: { dtype: "F32", shape: [] },
};

Deno.test(`${NAME} recognizes its tensors, and leaves others alone`, () => {
  const { recognize, config } = format.convention!;
  const settings = { quant_algo: "NVFP4", group_size: 16 };
  const mixed = {
    quant_algo: "MIXED_PRECISION",
    quantized_layers: { a: settings, b: { quant_algo: "FP8" } },
  };
  for (
    const known of [
      undefined,
      { quantization: settings },
      { quantization_config: settings },
      { quantization: mixed },
      { quantization: { quant_algo: "NVFP4_AWQ" } },
      config!({}),
    ]
  ) {
    assertEquals(recognize(candidateOf(PARTS, known, "a")), {
      shape: [8, 64],
      options: {},
    });
  }
  const fp8 = {
    ...PARTS,
    weight: { dtype: "F8_E4M3", shape: [8, 64] } as const,
  };
  assertEquals(recognize(candidateOf(fp8)), undefined);
  const mxfp4 = {
    ...PARTS,
    weight_scale: { dtype: "U8", shape: [8, 2] } as const,
  };
  assertEquals(recognize(candidateOf(mxfp4)), undefined);
});

Deno.test(`${NAME} says what contradicts`, () => {
  const bad: [Record<string, PartSpec>, unknown, string][] = [
    [
      { ...PARTS, weight_scale: { dtype: "F8_E4M3", shape: [8, 2] } },
      undefined,
      "make no groups of 16",
    ],
    [
      { ...PARTS, weight: { dtype: "U8", shape: [4, 32] } },
      undefined,
      "make no groups of 16",
    ],
    [
      { ...PARTS, weight_scale_2: { dtype: "F32", shape: [8] } },
      undefined,
      "its weight_scale_2 is F32 [8], not F32 []",
    ],
    [
      { ...PARTS, weight_scale_2: { dtype: "F16", shape: [] } },
      undefined,
      "its weight_scale_2 is F16 []",
    ],
    [
      PARTS,
      { quantization: { quant_algo: "FP8" } },
      'config says quant_algo "FP8"',
    ],
    [
      PARTS,
      { quantization: { quant_algo: "NVFP4", group_size: 32 } },
      "config says group_size 32",
    ],
    [
      PARTS,
      { quantization: { quantized_layers: { a: { quant_algo: "FP8" } } } },
      'config says quant_algo "FP8"',
    ],
  ];
  for (const [parts, config, message] of bad) {
    const error = assertThrows(
      () => format.convention!.recognize(candidateOf(parts, config, "a")),
      RangeError,
      message,
    );
    assert(error.message.startsWith(`Cannot read a as ${NAME}: `));
    assert(!error.message.includes("\n"));
  }
});

Deno.test(`${NAME} refuses parts that are missing, of another type or length`, () => {
  const q = quantize(adversarial(64).gauss, { format: NAME });
  dequantize(q);
  const { weight_scale_2: _, ...missing } = q.parts;
  const { weight_scale: scale } = q.parts;
  for (
    const [parts, message] of [
      [missing, 'part "weight_scale_2"'],
      [
        { ...q.parts, weight_scale: { ...scale, data: scale.data.slice(1) } },
        'part "weight_scale"',
      ],
      [
        {
          ...q.parts,
          weight_scale_2: { ...scale, data: new Float64Array(1) },
        },
        'part "weight_scale_2"',
      ],
      [{ ...q.parts, input_scale: scale }, 'no part "input_scale"'],
    ] as const
  ) {
    assertThrows(
      () => dequantize({ ...q, parts: parts as never }),
      RangeError,
      message,
    );
  }
});
