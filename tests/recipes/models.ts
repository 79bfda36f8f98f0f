/**
 * Small made-up models: names and shapes as converters give them to llama.cpp, weights that
 * are the same on every machine. They are quantized, not run.
 *
 * @module
 */
import { createFile } from "../../src/files/file_sink.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import {
  type GgufTensor,
  planGguf,
  writeGgufFrame,
} from "../../src/files/gguf_write.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";

/** A made-up model. */
export interface Model {
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly experts?: number;
  /** Tensors; their data is made from their place in this list. */
  readonly tensors: readonly GgufTensor[];
  /** Metadata beside what llama.cpp asks of every model. */
  readonly values?: readonly (readonly [string, GgufValue])[];
}

const u32 = (value: number) => GgufValue.of("u32", value);

/** The metadata of a model. */
export function valuesOf(model: Model): Map<string, GgufValue> {
  const { architecture, layers, heads, keyHeads, experts = 0 } = model;
  const of = (key: string) => `${architecture}.${key}`;
  return new Map([
    ["general.architecture", GgufValue.of("string", architecture)],
    ["general.file_type", u32(0)],
    ["general.name", GgufValue.of("string", "made up")],
    [of("context_length"), u32(128)],
    [of("embedding_length"), u32(256)],
    [of("block_count"), u32(layers)],
    [of("feed_forward_length"), u32(512)],
    [of("attention.head_count"), u32(heads)],
    [of("attention.head_count_kv"), u32(keyHeads)],
    [of("attention.layer_norm_rms_epsilon"), GgufValue.of("f32", 1e-5)],
    [of("attention.layer_norm_epsilon"), GgufValue.of("f32", 1e-5)],
    [of("vocab_size"), u32(64)],
    ...(experts > 0
      ? [
        [of("expert_count"), u32(experts)],
        [of("expert_used_count"), u32(2)],
      ] as const
      : []),
    ...(model.values ?? []),
  ]);
}

/** A matrix in float32, or in `dtype`. */
export function matrix(
  name: string,
  shape: readonly number[],
  dtype = "F32",
): GgufTensor {
  return { name: `${name}.weight`, shape, dtype };
}

/** The tensors of each layer. */
export function layersOf(
  count: number,
  one: (of: (name: string) => string) => readonly GgufTensor[],
): GgufTensor[] {
  return Array.from(
    { length: count },
    (_, i) => one((name) => `blk.${i}.${name}`),
  ).flat();
}

/**
 * Writes a model.
 *
 * @param path Where to.
 * @param model The model.
 */
export async function writeModel(path: string, model: Model): Promise<void> {
  const plan = planGguf(valuesOf(model), model.tensors);
  const sink = await createFile(path, { force: true });
  try {
    await writeGgufFrame(sink, plan);
    for (const [i, { dtype, shape, offset }] of plan.tensors.entries()) {
      await sink.write(offset, dataOf(i, dtype, shape));
    }
    await sink.commit();
  } finally {
    await sink.abort();
  }
}

/** The data of a tensor, by its place. */
function dataOf(
  seed: number,
  dtype: string,
  shape: readonly number[],
): Uint8Array {
  const columns = shape.at(-1) ?? 1;
  const values = weights(seed, shape.reduce((a, b) => a * b, 1), columns);
  const { blockSize, blockBytes, quantize } = ggmlTypes.get(dtype)!;
  const bytes = new Uint8Array(values.length / blockSize * blockBytes);
  if (quantize) quantize(values, bytes, columns);
  return bytes;
}

/** Numbers with the bell shape of weights, the same for a seed everywhere. */
export function weights(
  seed: number,
  count: number,
  columns: number,
): Float32Array<ArrayBuffer> {
  let state = (seed + 1) * 0x9e3779b9 >>> 0;
  const uniform = () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const spread = Math.sqrt(3 / columns);
  return Float32Array.from(
    { length: count },
    () => spread * (uniform() + uniform() + uniform() + uniform()),
  );
}
