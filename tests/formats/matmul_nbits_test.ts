/**
 * matmul_nbits against models that onnxruntime's quantizer wrote: read bit for
 * bit, written alike, and refused where a part cannot be one.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  type MatMulNBitsParts,
  quantize,
  type Quantized,
} from "../../mod.ts";
import { f16ToF32, f32ToF16 } from "../../src/numeric/f16.ts";
import type { Part } from "../../src/words/format.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES = [
  ...["K61_N7_b16", "K64_N7_b16", "K80_N5_b16", "K97_N7_b32", "K128_N7_b32"],
  ...["K160_N9_b64", "K300_N9_b128"],
].flatMap((name) =>
  ["sym", "asym"].flatMap((kind) =>
    ["float32", ...(/_b32/.test(name) ? ["float16"] : [])].map((dtype) =>
      `${name}_${kind}_${dtype}`
    )
  )
);

/** The values of a matrix [in, out] as [out, in]. */
function transposed(part: Part): Float32Array {
  const values = floatsOf(part), [inputs, outputs] = part.shape;
  return values.map((_, i) =>
    values[(i % inputs) * outputs + Math.floor(i / inputs)]
  );
}

interface Golden {
  readonly quantized: Quantized<"matmul_nbits">;
  readonly weight: Float32Array;
  readonly dequantized: Float32Array;
}

async function goldenCase(name: string): Promise<Golden> {
  const tensors = await goldenTensors(`matmul_nbits/${name}.safetensors`);
  const { weight, dequant, ...parts } = Object.fromEntries(tensors);
  const [, inputs, outputs, blockSize] = /K(\d+)_N(\d+)_b(\d+)/.exec(name)!
    .map(Number);
  return {
    weight: transposed(weight),
    dequantized: transposed(dequant),
    quantized: {
      format: "matmul_nbits",
      shape: [outputs, inputs],
      options: {
        blockSize,
        symmetric: !("zero_points" in parts),
        scaleDtype: parts.scales.dtype as "F32" | "F16",
      },
      parts: parts as unknown as MatMulNBitsParts,
    },
  };
}

for (const name of CASES) {
  Deno.test(`matmul_nbits: ${name} dequantizes as onnxruntime does`, async () => {
    const { quantized, dequantized } = await goldenCase(name);
    // A product with an identity matrix adds zeros, which takes the sign of zero away.
    const values = dequantize(quantized).map((x) => x + 0);
    assertSameBytes(values, dequantized.map((x) => x + 0), name);
  });

  Deno.test(`matmul_nbits: ${name} is quantized as onnxruntime does`, async () => {
    const { quantized: { shape, options, parts }, weight } = await goldenCase(
      name,
    );
    const made = quantize(weight, {
      format: "matmul_nbits",
      shape,
      ...options,
    });
    assertEquals(Object.keys(made.parts).sort(), Object.keys(parts).sort());
    for (const [part, { data, shape }] of Object.entries(parts)) {
      const own = (made.parts as unknown as Record<string, Part>)[part];
      assertSameBytes(own.data, data, `${name} ${part}`);
      assertEquals(own.shape, shape);
    }
  });
}
