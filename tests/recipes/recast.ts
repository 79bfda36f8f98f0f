/**
 * Models in another type, as converters write them in sixteen bits.
 *
 * @module
 */
import { createFile } from "../../src/files/file_sink.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { openModel } from "./judge.ts";

/** Writes a model of float32 with every tensor in another type. */
export async function recast(
  from: string,
  to: string,
  dtype: string,
): Promise<void> {
  const file = await openModel(from);
  const { quantize } = ggmlTypes.get(dtype)!;
  const plan = planGguf(
    file.values,
    file.tensors.map((tensor) => ({ ...tensor, dtype })),
  );
  const sink = await createFile(to);
  await writeGgufFrame(sink, plan);
  for (const [i, { offset, byteLength }] of plan.tensors.entries()) {
    const bytes = new Uint8Array(file.tensors[i].byteLength);
    await file.source.read(file.tensors[i].offset, bytes);
    const values = new Float32Array(bytes.buffer);
    const out = new Uint8Array(byteLength);
    quantize!(values, out, values.length);
    await sink.write(offset, out);
  }
  await sink.commit();
  await file.source.close();
}
