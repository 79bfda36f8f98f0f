/**
 * What torchao writes to `__metadata__` of safetensors: a list of all tensors of the
 * checkpoint, and under the name of each the class that it is made of again.
 *
 * ```text
 * "tensor_names": ["model.norm.weight", "model.q_proj.weight"]
 * "model.norm.weight": {"_type": "Tensor"}
 * "model.q_proj.weight": {"_type": "MXTensor", "_data": {…}, …}
 * ```
 *
 * The library takes the list of one shard for that of the whole: all shards have it.
 *
 * @module
 */
import type { QuantizedPlan } from "./parts.ts";
import type { MetadataText } from "./safetensors_write.ts";

const NAMES = "tensor_names";
const PLAIN = '{"_type":"Tensor"}';

/** A tensor that is written. */
export interface Written {
  /** Its name. */
  readonly name: string;
  /** How it is quantized; absent where it is not. */
  readonly quantized?: QuantizedPlan;
}

/**
 * Metadata as it is without what torchao says of tensors that were read.
 *
 * @param metadata That of the input.
 */
export function withoutClasses(
  metadata: ReadonlyMap<string, string>,
): Map<string, string> {
  const left = new Map(metadata);
  const names = listedNames(metadata.get(NAMES));
  if (names === undefined) return left;
  left.delete(NAMES);
  for (const name of names) left.delete(name);
  return left;
}

/** The names in a text that is a list of them; undefined for any other. */
function listedNames(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) && names.every((n) => typeof n === "string")
      ? names
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What has to be said of tensors for torchao to load them; nothing where none is one of its own.
 *
 * @param tensors All tensors of the checkpoint.
 */
export function classesOf(
  tensors: readonly Written[],
): ReadonlyMap<string, MetadataText> {
  const said = tensors.map(classOf);
  if (said.every((text) => text === undefined)) return new Map();
  const names = tensors.map(({ name, quantized }, i) =>
    // The library asks for weights by this name.
    quantized && said[i] ? `${name.replace(/\.weight$/, "")}.weight` : name
  );
  return new Map<string, MetadataText>([
    [NAMES, listOf(names)],
    ...names.map((name, i) => [name, said[i] ?? PLAIN] as const),
  ]);
}

function classOf({ quantized }: Written): string | undefined {
  if (!quantized) return undefined;
  const { format, options, shape } = quantized;
  return format.convention?.metadata?.(format.resolve(options, shape));
}

/** JSON in pieces, as there may be very many names. */
function listOf(names: readonly string[]): MetadataText {
  return names.map((name, i) =>
    `${i === 0 ? "[" : ","}${JSON.stringify(name)}${
      i === names.length - 1 ? "]" : ""
    }`
  );
}
