import type { QuantizedEntry } from "../../src/files/parts.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { ARRAYS, type Dtype } from "../../src/words/dtypes.ts";
import type { Part, QuantizedTensor } from "../../src/words/format.ts";

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
