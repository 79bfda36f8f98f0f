/**
 * keras against layers that Keras quantized: read and written bit for bit.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, type KerasOptions, quantize } from "../../mod.ts";
import { dequantizeWith } from "../../src/core.ts";
import { keras } from "../../src/formats/keras.ts";
import { f32ToBf16 } from "../../src/numeric/bf16.ts";
import type { Part, Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertReads, assertWrites } from "./golden.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES: Record<string, KerasOptions> = {
  dense_channel_float32: { groupSize: "row" },
  dense_channel_bfloat16: { groupSize: "row", scaleDtype: "BF16" },
  dense_g32_float32: { groupSize: 32 },
  dense_g32_bfloat16: { groupSize: 32, scaleDtype: "BF16" },
  dense_g64_float32: { groupSize: 64 },
  einsum_channel_float32: { groupSize: "row" },
  einsum_g32_float32: { groupSize: 32 },
};

/** A kernel is the transpose of the weight. */
function transposed(part: Part): Float32Array {
  const [rows, columns] = part.shape, values = floatsOf(part);
  return values.map((_, i) =>
    values[i % rows * columns + Math.floor(i / rows)]
  );
}

/** The values of bfloat16 variables, which the golden files hold as float32. */
function narrowed(part: Part): Part {
  return {
    dtype: "BF16",
    shape: part.shape,
    data: Uint16Array.from(floatsOf(part), f32ToBf16),
  };
}

for (const [label, options] of Object.entries(CASES)) {
  Deno.test(`keras: ${label} is read and written as Keras does`, async () => {
    const file = await goldenTensors(`keras/${label}.safetensors`);
    const parts: Record<string, Part> = {};
    for (
      const name of Object.keys(
        keras.layout([2, 2], keras.resolve(options, [2, 2])).parts,
      )
    ) {
      const part = file.get(`var.${name}`)!;
      parts[name] = part.dtype === "F32" && options.scaleDtype === "BF16"
        ? narrowed(part)
        : part;
    }
    const input = file.get("input")!, [inputs, outputs] = input.shape;
    const golden = { label, shape: [outputs, inputs], options, parts };
    assertWrites(keras, golden, transposed(input));
    // What the layer makes of the unit vectors is its weight, but for signs of zeros.
    const known = file.get("dequant");
    if (known) assertReads(keras, golden, transposed(known));
    const made = dequantizeWith(keras, { format: "keras", ...golden });
    assertEquals(
      made.map((x) => x + 0),
      transposed(file.get("identity_output")!).map((x) => x + 0),
    );
  });
}

Deno.test("keras: codes are packed as pack_int4 does along either axis", async () => {
  const file = await goldenTensors("keras/pack_int4.safetensors");
  const cases = [["7x6_axis0", 0], ["6x7_axis1", -1], [
    "4x5_axis-1",
    -1,
  ]] as const;
  for (const [label, axis] of cases) {
    const values = file.get(`${label}.values`)!;
    const packed = file.get(`${label}.packed`)!;
    const [inputs, outputs] = values.shape, shape = [outputs, inputs];
    const tensor = {
      format: "keras",
      shape,
      options: { groupSize: "row", axis },
      parts: {
        kernel: packed,
        kernel_scale: {
          dtype: "F32",
          shape: [outputs],
          data: new Float32Array(outputs).fill(1),
        },
      },
    } as const;
    assertEquals(dequantize(tensor as never), transposed(values), label);
  }
});

const shape = [5, 70], values = adversarial(350).gauss;
const made = (options: KerasOptions = {}, from = values) =>
  quantize(from, { format: "keras", shape, groupSize: 32, ...options });

Deno.test("keras: a last group that is cut short is filled up with zeros", () => {
  const far = values.map((x) => 5 + Math.abs(x));
  const q = made({}, far);
  assertEquals(q.parts.kernel.shape, [70, 3]);
  assertEquals(q.parts.kernel_scale.shape, [3, 5]);
  // Whole groups of positive values have no zero; what is filled up has.
  const zeros = Array.from(q.parts.kernel_zero!.data);
  assertEquals(zeros.slice(10), [-8, -8, -8, -8, -8]);
  const scales = q.parts.kernel_scale.data;
  const last = Math.max(...far.slice(64, 70));
  assertEquals(
    scales[10],
    Math.fround(Math.fround(last + Math.fround(1e-7)) / 15),
  );
  assert(scales[0] < scales[10] / 2);
});

Deno.test("keras: both axes hold the same codes", () => {
  for (const groupSize of [32, "row"] as const) {
    const one = made({ groupSize }), other = made({ groupSize, axis: 0 });
    assertEquals(other.parts.kernel.shape, [35, 5]);
    assertEquals(dequantize(other), dequantize(one));
  }
});

Deno.test("keras: numbers that no writer makes are refused", () => {
  const scaled = made(), zeroed = made();
  assert(dequantize(scaled).every(Number.isFinite));
  scaled.parts.kernel_scale.data[6] = -1;
  assertThrows(() => dequantize(scaled), RangeError, "for group [1, 1]");
  for (const bad of [8, -9]) {
    zeroed.parts.kernel_zero!.data[6] = bad;
    assertThrows(
      () => dequantize(zeroed),
      RangeError,
      `part "kernel_zero" has ${bad} for group [1, 1]; it must be from -8 to 7`,
    );
  }
  zeroed.parts.kernel_zero!.data[6] = 7;
  assert(dequantize(zeroed).every(Number.isFinite));
});

Deno.test("keras: shapes and axes that layers do not have are refused", () => {
  assertEquals(
    (made({ axis: -1 }).parts as unknown as Parts).kernel.dtype,
    "I8",
  );
  assertThrows(() => made({ axis: 1 as 0 }), RangeError, "axis");
  const stack = { format: "keras", shape: [2, 5, 35] } as const;
  assertThrows(() => quantize(values, stack), RangeError, "[2,5,35]");
});

Deno.test("keras: values beyond bfloat16 are refused, or cut", () => {
  const large = values.slice();
  large[100] = 3.4e38;
  for (const groupSize of [32, "row"] as const) {
    const options = { groupSize, scaleDtype: "BF16" } as const;
    assertThrows(() => made(options, large), RangeError, "overflows bfloat16");
    const cut = dequantize(
      quantize(large, {
        format: "keras",
        shape,
        ...options,
        nonFinite: "clamp",
      }),
    );
    assert(cut.every(Number.isFinite) && cut[100] > 1e38);
  }
});
