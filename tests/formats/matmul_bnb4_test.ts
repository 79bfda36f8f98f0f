/**
 * matmul_bnb4 against the initializers that onnxruntime's quantizer wrote.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { dequantize, quantize, repack } from "../../mod.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const CASES = [
  ["fp4", 33, 21, 32],
  ["fp4", 48, 20, 16],
  ["fp4", 96, 14, 64],
  ["nf4", 33, 21, 32],
  ["nf4", 48, 20, 16],
  ["nf4", 96, 14, 64],
] as const;

/** The transpose of a [rows, columns] matrix. */
function transposed(values: Float32Array, rows: number, columns: number) {
  return values.map((_, i) =>
    values[i % rows * columns + Math.floor(i / rows)]
  );
}

for (const [quantType, K, N, blockSize] of CASES) {
  const name = `${quantType}_K${K}_N${N}_b${blockSize}`;
  Deno.test(`matmul_bnb4: ${name} is what onnxruntime makes and reads`, async () => {
    const golden = await goldenTensors(`matmul_bnb4/${name}.safetensors`);
    const values = (tensor: string) =>
      transposed(floatsOf(golden.get(tensor)!), K, N);
    const q = quantize(values("weight"), {
      format: "matmul_bnb4",
      shape: [N, K],
      quantType,
      blockSize,
    });
    const { B, absmax } = q.parts;
    assertEquals(B.shape, golden.get("B")!.shape);
    assertEquals(absmax.shape, golden.get("absmax")!.shape);
    assertSameBytes(B.data, golden.get("B")!.data, name);
    assertSameBytes(absmax.data, golden.get("absmax")!.data, name);
    // The operator's values come out of a product: their zeros have no sign.
    const plain = dequantize(q).map((x) => x + 0);
    assertSameBytes(plain, values("dequant").map((x) => x + 0), name);
  });
}

Deno.test("matmul_bnb4: bitsandbytes' tensors are its own in two parts", () => {
  const values = adversarial(9 * 70).gauss;
  for (const format of ["nf4", "fp4"] as const) {
    const q = quantize(values, { format, shape: [9, 70], blockSize: 32 });
    const r = repack(q, "matmul_bnb4");
    assertEquals(r.options, { quantType: format, blockSize: 32 });
    assertSameBytes(r.parts.B.data, q.parts.weight.data);
    assertSameBytes(r.parts.absmax.data, q.parts.absmax.data);
    assertSameBytes(dequantize(r), dequantize(q));
    const back = repack(r, format);
    for (
      const part of ["weight", "absmax", "quant_map", "quant_state"] as const
    ) {
      assertSameBytes(back.parts[part].data, q.parts[part].data, part);
    }
    q.parts.quant_map.data[3] = 0.25;
    assertThrows(
      () => repack(q, "matmul_bnb4"),
      RangeError,
      "Cannot repack: table 0.25",
    );
  }
});

Deno.test("matmul_bnb4: scales that no quantizer writes are refused, 0 is not", () => {
  const q = quantize(new Float32Array(130).fill(1), { format: "matmul_bnb4" });
  for (const bad of [NaN, -1, Infinity]) {
    q.parts.absmax.data[2] = bad;
    assertThrows(
      () => dequantize(q),
      RangeError,
      `Cannot dequantize part "absmax": it has ${bad} at index 2`,
    );
  }
  q.parts.absmax.data[2] = 0;
  assertEquals(dequantize(q)[129], 0);
  assertThrows(
    () => quantize([1], { format: "matmul_bnb4", blockSize: 8 }),
    RangeError,
    "from 16 to 4096",
  );
  quantize([1], { format: "matmul_bnb4", blockSize: 16 });
});

Deno.test("matmul_bnb4: zeros are code 7 of nf4, code 0 of fp4", () => {
  const zeros = new Float32Array(5);
  const codes = (quantType: "nf4" | "fp4") =>
    quantize(zeros, { format: "matmul_bnb4", quantType }).parts.B.data;
  assertEquals(codes("nf4"), Uint8Array.of(0x77, 0x77, 0x77));
  assertEquals(codes("fp4"), Uint8Array.of(0, 0, 0));
});
