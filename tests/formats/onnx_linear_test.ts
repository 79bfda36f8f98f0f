/**
 * onnx_int4 and onnx_uint4 against onnxruntime: initializers that DequantizeLinear
 * reads and QuantizeLinear makes, the rule of scales by numbers, and bad input.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize } from "../../mod.ts";
import { dequantizeWith, quantizeWith } from "../../src/core.ts";
import { onnx_int4 } from "../../src/formats/onnx_int4.ts";
import { onnx_uint4 } from "../../src/formats/onnx_uint4.ts";
import { roundHalfToEven } from "../../src/numeric/rounding.ts";
import type { Format, Part, Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { assertReads } from "./golden.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES = [
  ["tensor_float32", { axis: "tensor" }],
  ["tensor_float16", { axis: "tensor" }],
  ["axis0_float32", { axis: 0, blockSize: 0 }],
  ["axis1_float32", { axis: 1, blockSize: 0 }],
  ["block16_axis1_float32", { axis: 1, blockSize: 16 }],
  ["block16_axis1_float16", { axis: 1, blockSize: 16 }],
  ["block32_axis0_float32", { axis: 0, blockSize: 32 }],
] as const;
const FORMATS: readonly Format[] = [onnx_int4, onnx_uint4];

interface Golden {
  readonly label: string;
  readonly shape: readonly number[];
  readonly options: object;
  readonly parts: Parts;
  readonly values: Float32Array;
  readonly expected: Float32Array;
}

async function golden(
  { name }: Format,
  [label, options]: typeof CASES[number],
): Promise<Golden> {
  const file = `${name}/${name.slice(5).toUpperCase()}_${label}.safetensors`;
  const { input, dequant, ...parts } = Object.fromEntries(
    await goldenTensors(file),
  );
  return {
    label,
    shape: input.shape,
    options: {
      ...options,
      symmetric: false,
      scaleDtype: label.endsWith("16") ? "F16" : "F32",
    },
    parts,
    values: floatsOf(input),
    expected: floatsOf(dequant),
  };
}

for (const format of FORMATS) {
  for (const one of CASES) {
    Deno.test(`${format.name}: ${one[0]} is read as onnxruntime does`, async () => {
      const { expected, ...tensor } = await golden(format, one);
      assertReads(format, tensor, expected);
    });

    Deno.test(`${format.name}: ${one[0]} has the codes of QuantizeLinear`, async () => {
      const { label, values, ...tensor } = await golden(format, one);
      // That the function below is QuantizeLinear, by onnxruntime's codes.
      const { data } = tensor.parts.data;
      assertSameBytes(quantizeLinear(format, values, tensor), data, label);
      const { shape, options } = tensor;
      const made = quantizeWith(format, values, { ...options, shape });
      const codes = quantizeLinear(format, values, { ...tensor, ...made });
      assertSameBytes(made.parts.data.data, codes, label);
    });
  }
}

/** The codes of values, packed, for the scales and zero points of a tensor. */
function quantizeLinear(
  format: Format,
  values: Float32Array,
  { shape, options, parts }: Pick<Golden, "shape" | "options" | "parts">,
): Uint8Array {
  // Of code 1 and zero point 0 the values are the scales, of code 0 and scale 1 the zero points.
  const valuesOf = (code: number, scale: Part, zeros: Part) =>
    dequantizeWith(format, {
      format: format.name,
      shape,
      options: { ...options, scaleDtype: "F32" },
      parts: {
        data: filled(parts.data, 17 * code),
        scale: { ...scale, dtype: "F32" },
        zero_point: zeros,
      } as Parts,
    });
  const { scale, zero_point } = parts, floats = floatsOf(scale);
  const scales = valuesOf(
    1,
    { ...scale, data: floats } as Part,
    filled(zero_point, 0),
  );
  const zeros = valuesOf(
    0,
    { ...scale, data: floats.map(() => 1) } as Part,
    zero_point,
  );
  const least = format === onnx_int4 ? -8 : 0;
  const packed = new Uint8Array(parts.data.data.length);
  values.forEach((x, i) => {
    const steps = roundHalfToEven(Math.fround(x / scales[i])) - zeros[i];
    const code = Math.max(least, Math.min(least + 15, steps));
    packed[i >> 1] |= (code & 15) << 4 * (i & 1);
  });
  return packed;
}

function filled(part: Part, byte: number): Part {
  const data = new Uint8Array(part.data.length).fill(byte);
  return { ...part, dtype: "U8", data };
}

Deno.test("onnx_int4: codes of int32_data are read without zero points", async () => {
  const { dequant, ...parts } = Object.fromEntries(
    await goldenTensors("onnx_int4/INT4_int32_data.safetensors"),
  );
  const options = { axis: "tensor" };
  const tensor = { label: "int32_data", shape: [3, 5], options, parts };
  assertReads(onnx_int4, tensor, floatsOf(dequant));
});

const shape = [12, 64], values = adversarial(768).gauss;

Deno.test("onnx_int4 and onnx_uint4: scales and zero points of a block", () => {
  const block = [-1, 0.5, 2, 0];
  const int = quantize([-1, 0.5, 1.75, 0], { format: "onnx_int4" });
  assertEquals([...int.parts.scale.data], [0.25]);
  assertEquals(int.parts.zero_point, undefined);
  assertEquals([...int.parts.data.data], [0x2c, 0x07]);
  const uint = quantize(block, { format: "onnx_uint4" });
  assertEquals([...uint.parts.scale.data], [Math.fround(3 / 15)]);
  assertEquals([...uint.parts.zero_point!.data], [5]);
  assertEquals([...uint.parts.data.data], [0x70, 0x5f]);
  // Without zero points nothing is negative.
  const none = quantize(block, { format: "onnx_uint4", symmetric: true });
  assertEquals([...none.parts.data.data], [0x40, 0x0f]);
  // The operator divides by scales: zeros have 1.
  const zeros = quantize([0, 0], { format: "onnx_int4" });
  assertEquals([...zeros.parts.scale.data], [1]);
});

Deno.test("onnx_int4: the axis and the blocks make the shape of the scales", () => {
  const scales = (options: object, size = shape) =>
    quantize(values, { format: "onnx_int4", shape: size, ...options }).parts
      .scale.shape;
  assertEquals(scales({}), [12, 2]);
  assertEquals(scales({ axis: 0 }), [1, 64]);
  assertEquals(scales({ axis: 0, blockSize: 5 }), [3, 64]);
  assertEquals(scales({ axis: 0, blockSize: 0 }), [12]);
  assertEquals(scales({ blockSize: 0 }), [64]);
  assertEquals(scales({ axis: "tensor" }), [1]);
  assertEquals(scales({ axis: 0, blockSize: 0 }, [3, 4, 64]), [3]);
  assertEquals(scales({ blockSize: 16 }, [3, 4, 64]), [3, 4, 4]);
  const refused: [object, number[], string][] = [
    [{ axis: 2 }, shape, "axis 2"],
    [{ axis: 1 }, [3, 4, 64], "axis 1"],
    [{ axis: 0, blockSize: 2 }, [3, 4, 64], "axis 0"],
    [{ axis: "tensor", blockSize: 16 }, shape, "blockSize 16"],
  ];
  for (const [options, size, message] of refused) {
    assertThrows(() => scales(options, size), RangeError, message);
  }
});

Deno.test("onnx_int4 and onnx_uint4: scales that no writer makes are refused", () => {
  for (const format of ["onnx_int4", "onnx_uint4"] as const) {
    const q = quantize(values, { format, shape, symmetric: false });
    assert(dequantize(q).every(Number.isFinite));
    for (const bad of [NaN, -1]) {
      q.parts.scale.data[3] = bad;
      assertThrows(() => dequantize(q), RangeError, 'part "scale"');
    }
  }
  const q = quantize(values, { format: "onnx_int4", shape });
  const before = dequantize(q).slice(96, 128);
  q.parts.scale.data[3] *= -1;
  assertEquals(dequantize(q).slice(96, 128), before.map((x) => -x));
  q.parts.scale.data[3] = NaN;
  assertThrows(() => dequantize(q), RangeError, 'part "scale"');
});

Deno.test("onnx_uint4: values beyond float16 are refused, or cut", () => {
  const large = values.slice();
  large[100] = 1e6;
  const options = { format: "onnx_uint4", shape, scaleDtype: "F16" } as const;
  assertThrows(() => quantize(large, options), RangeError, "group 3,");
  const cut = dequantize(quantize(large, { ...options, nonFinite: "clamp" }));
  assert(cut.every(Number.isFinite) && cut[100] > 30000);
});
