/**
 * What a quantized layer has beside its weight: where the weight becomes another
 * one, that is left behind.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { lastOf, moduleOf } from "../files/modules.ts";
import { isQuantized, type Tensor } from "./tensors.ts";

/** What the layer computes with beside the weight. */
const COMPUTED = ["pre_quant_scale", "svdquant_lora_a", "svdquant_lora_b"];
/** How it quantizes what goes into it. */
const ACTIVATIONS = [
  "input_scale",
  "input_global_scale",
  "input_zero_point",
  "_weight_act_per_tensor_scale",
];

/**
 * Warnings of tensors that are copied beside weights that are in another format than before.
 *
 * @param changed The tensors that are dequantized or converted.
 * @param copied Those that are copied.
 */
export function layerWarnings(
  changed: readonly Tensor[],
  copied: readonly Tensor[],
): string[] {
  const modules = new Set(
    changed.filter(isQuantized).map(({ name }) => moduleOf(name)),
  );
  const left = copied.filter(({ name }) => modules.has(moduleOf(name)));
  return [...COMPUTED, ...ACTIVATIONS].flatMap((kind) => {
    const found = left.filter(({ name }) => lastOf(name) === kind);
    return found.length === 0 ? [] : warningOf(kind, found);
  });
}

function warningOf(kind: string, [first, ...more]: readonly Tensor[]): string {
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  const copied = `${quote(first.name)}${others} copied`;
  return COMPUTED.includes(kind)
    ? `${copied}: layers compute with ${kind} beside their weights, and come out wrong where a loader does not know it`
    : `${copied}: ${kind} quantizes the inputs of layers that are in another format now; --drop '*.${kind}' leaves it out for loaders that do not know it`;
}
