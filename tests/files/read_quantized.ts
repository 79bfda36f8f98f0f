import { assertEquals } from "@std/assert";
import { dequantize } from "../../mod.ts";
import type { QuantizedEntry } from "../../src/files/parts.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { ARRAYS, type Dtype } from "../../src/words/dtypes.ts";
import type { Part, QuantizedTensor } from "../../src/words/format.ts";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** Reads all parts of a quantized tensor into memory: what `dequantize` takes. */
export async function readQuantized(
  { source }: Pick<TensorFile, "source">,
  { format, shape, options, parts }: QuantizedEntry,
): Promise<QuantizedTensor> {
  const read: Record<string, Part> = {};
  for (const [name, entry] of parts) {
    const bytes = new Uint8Array(entry.byteLength);
    await source.read(entry.offset, bytes);
    const dtype = entry.dtype as Dtype;
    const View = ARRAYS[dtype] as unknown as new (
      buffer: ArrayBuffer,
    ) => Part["data"];
    read[name] = { dtype, shape: entry.shape, data: new View(bytes.buffer) };
  }
  return { format: format.name, shape, options, parts: read };
}

/**
 * Holds a tensor to golden vectors: the shape of the `input`, the bytes of each part,
 * and the values where the vectors have any.
 */
export async function assertGolden(
  file: Pick<TensorFile, "source">,
  entry: QuantizedEntry,
  name: string,
): Promise<void> {
  const golden = await goldenTensors(`${name}.safetensors`);
  assertEquals(entry.shape, golden.get("input")!.shape);
  const tensor = await readQuantized(file, entry);
  for (const [part, { data }] of Object.entries(tensor.parts)) {
    assertSameBytes(data, golden.get(part)!.data, `${name} ${part}`);
  }
  const dequant = golden.get("dequant");
  if (!dequant) return;
  assertSameBytes(dequantize(tensor), floatsOf(dequant), name);
}
