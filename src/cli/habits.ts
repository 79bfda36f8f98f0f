/**
 * Tensors that stay as they are because models are used to it: a call that names
 * them, or says `--all`, has them quantized nevertheless.
 *
 * @module
 */
import { hasLayer } from "../files/modules.ts";
import type { Format } from "../words/format.ts";
import type { Call } from "./command.ts";
import type { FormatChooser } from "./formats_flag.ts";
import { whyFloats } from "./kept.ts";
import type { OutputContainer } from "./output.ts";
import { isNamedBy } from "./select.ts";
import { hasValues, type Tensor } from "./tensors.ts";

/** What a call and its input say of that. */
export interface Habits {
  readonly call: Call;
  readonly chooser: FormatChooser;
  /** Whether the file holds one tensor, so that naming the file chooses it. */
  readonly alone: boolean;
  /** What is written: a folder is a checkpoint, for a library to load. */
  readonly container: OutputContainer;
}

const LAYERS = {
  linear: "linear modules inside the model",
  experts: "stacks of experts",
};

/**
 * Tells why a tensor stays as it is. What was quantized before was chosen then.
 *
 * @param habits What the call says.
 * @param tensor The tensor.
 * @param becomes The name and the format that it would get.
 * @returns The reason; undefined where there is none.
 */
export function byHabit(
  { call, chooser, alone, container }: Habits,
  tensor: Tensor,
  becomes: { readonly name: string; readonly format: Format },
): string | undefined {
  const { name, shape, quantized } = tensor;
  const named = alone || call.has("all") ||
    isNamedBy(call, "tensors", name) || chooser.names(name);
  if (named || quantized || !hasValues(tensor)) return undefined;
  const floats = whyFloats(container, becomes.name, shape);
  if (floats !== undefined) return floats;
  const { name: formatName, convention } = becomes.format;
  const layers = convention?.layers;
  return container === "folder" && layers && !hasLayer(tensor, layers)
    ? `kept, as what loads ${formatName} has layers for ${
      LAYERS[layers]
    } only, unless --tensors or --all chooses it`
    : undefined;
}
