/**
 * What recipes read of a GGUF's metadata, and what llama.cpp's quantizer writes of it.
 *
 * Source: ggml-org/llama.cpp, src/llama-quant.cpp (`llama_model_quantize_impl`),
 * src/llama-model.cpp (`load_hparams`), tools/quantize/quantize.cpp and
 * ggml/src/gguf.cpp (`gguf_set_kv`).
 *
 * @module
 */
import type { RecipeModel } from "../ggml/recipe_mixture.ts";
import { quote } from "./errors.ts";
import type { GgufFile } from "./gguf_read.ts";
import { ggufQuantizationVersion } from "./gguf_types.ts";
import { GgufValue } from "./gguf_value.ts";
import type { Importance } from "./imatrix.ts";

const ARCHITECTURE = "general.architecture";

/**
 * What a recipe has to know of a model.
 *
 * @param file The model.
 * @returns The facts.
 * @throws {RangeError} If it does not say its architecture or how many layers it has.
 */
export function recipeModelOf({ source, values }: GgufFile): RecipeModel {
  const where = `Cannot quantize ${source.name} by a recipe`;
  const architecture = values.get(ARCHITECTURE)?.value;
  if (typeof architecture !== "string") {
    throw new RangeError(
      `${where}: it has no ${ARCHITECTURE}, which recipes depend on`,
    );
  }
  const number = (key: string): number | undefined => {
    const found = values.get(`${architecture}.${key}`);
    // Where layers differ there is an array: recipes look at the first.
    const value = found?.first(1)[0];
    return typeof value === "number" || typeof value === "bigint"
      ? Number(value)
      : undefined;
  };
  const layers = number("block_count");
  // Encoders of images and sound have keys of their own; llama.cpp reads none of them.
  if (layers === undefined && architecture !== "clip") {
    throw new RangeError(
      `${where}: it has no ${
        quote(`${architecture}.block_count`)
      }, by which recipes count layers`,
    );
  }
  if (architecture === "clip") {
    return { architecture, layers: 0, experts: 0, heads: 0, keyHeads: 0 };
  }
  const heads = number("attention.head_count") ?? 0;
  return {
    architecture,
    layers: layers!,
    experts: number("expert_count") ?? 0,
    heads,
    keyHeads: number("attention.head_count_kv") ?? heads,
  };
}

/** What is left out of a file that is whole. */
export const SPLIT = [
  "split.no",
  "split.count",
  "split.tensors.count",
] as const;

/** Bytes of a text that llama.cpp's tool keeps of those that it sets itself. */
const OVERRIDE_BYTES = 127;

/**
 * The metadata of the result, in its order: what is set goes to the end.
 *
 * @param values The metadata of the source.
 * @param fileType The number of the recipe.
 * @param importance The importance file that was used.
 * @returns The metadata to write.
 */
export function recipeValues(
  values: ReadonlyMap<string, GgufValue>,
  fileType: number,
  importance?: Importance,
): Map<string, GgufValue> {
  const written = new Map<string, GgufValue>();
  for (const [key, value] of values) written.set(key, asText(value));
  const set = (key: string, value: GgufValue) => {
    written.delete(key);
    written.set(key, value);
  };
  const u32 = (value: number) => GgufValue.of("u32", value);
  set("general.quantization_version", u32(ggufQuantizationVersion));
  set("general.file_type", u32(fileType));
  for (const key of SPLIT) written.delete(key);
  if (importance) {
    for (const [key, value] of importanceValues(importance)) set(key, value);
  }
  return written;
}

/**
 * What llama.cpp's quantizer says of the importance that it used.
 *
 * @param importance The importance file.
 * @returns The metadata, in its order.
 */
export function importanceValues(
  { name, datasets, chunks, entries }: Importance,
): [string, GgufValue][] {
  const u32 = (value: number) => GgufValue.of("u32", value);
  return [
    ["quantize.imatrix.file", cutText(name)],
    ...datasets.slice(0, 1).map((dataset): [string, GgufValue] => [
      "quantize.imatrix.dataset",
      cutText(dataset),
    ]),
    ["quantize.imatrix.entries_count", u32(entries.size)],
    ...(chunks > 0
      ? [["quantize.imatrix.chunks_count", u32(chunks)] as [string, GgufValue]]
      : []),
  ];
}

/** The metadata of a shard; the first one has that of the whole before it. */
export function splitValues(
  no: number,
  count: number,
  tensors: number,
): [string, GgufValue][] {
  return [
    [SPLIT[0], GgufValue.of("u16", no)],
    [SPLIT[1], GgufValue.of("u16", count)],
    [SPLIT[2], GgufValue.of("i32", tensors)],
  ];
}

const encoder = new TextEncoder();

function cutText(text: string): GgufValue {
  return textOf(encoder.encode(text).subarray(0, OVERRIDE_BYTES));
}

/** A text up to its first NUL: ggml copies texts as C does. */
function textOf(bytes: Uint8Array): GgufValue {
  const end = bytes.indexOf(0);
  const kept = end < 0 ? bytes : bytes.subarray(0, end);
  const value = new Uint8Array(8 + kept.length);
  new DataView(value.buffer).setBigUint64(0, BigInt(kept.length), true);
  value.set(kept, 8);
  return new GgufValue("string", "string", 1, value);
}

/** The value with its texts cut at a NUL, where there are any. */
function asText(value: GgufValue): GgufValue {
  if (value.elementType !== "string") return value;
  const view = new DataView(
    value.bytes.buffer,
    value.bytes.byteOffset,
    value.bytes.byteLength,
  );
  const isArray = value.type === "array";
  const kept: Uint8Array[] = [];
  let at = isArray ? 12 : 0, shorter = false;
  for (let i = 0; i < value.length; i++) {
    const length = Number(view.getBigUint64(at, true));
    const text = value.bytes.subarray(at + 8, at + 8 + length);
    const end = text.indexOf(0);
    shorter ||= end >= 0;
    kept.push(end < 0 ? text : text.subarray(0, end));
    at += 8 + length;
  }
  if (!shorter) return value;
  if (!isArray) return textOf(kept[0]);
  const size = kept.reduce((sum, text) => sum + 8 + text.length, 12);
  const bytes = new Uint8Array(size);
  bytes.set(value.bytes.subarray(0, 12));
  const out = new DataView(bytes.buffer);
  let to = 12;
  for (const text of kept) {
    out.setBigUint64(to, BigInt(text.length), true);
    bytes.set(text, to + 8);
    to += 8 + text.length;
  }
  return new GgufValue("array", "string", value.length, bytes);
}
