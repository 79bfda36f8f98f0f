/**
 * What stays floats though it could be quantized: norms, biases, and what else
 * a model cannot do without.
 *
 * @module
 */
import { whyKept } from "../ggml/recipe_names.ts";
import type { Flag } from "./command.ts";
import type { OutputContainer } from "./output.ts";
import { hasValues, type Tensor } from "./tensors.ts";

/** The flag that quantizes them too. */
export const ALL_FLAG: Flag = {
  name: "all",
  help:
    "quantize norms and biases too, for .gguf what llama.cpp never quantizes, and in a folder embeddings, heads and what else the format's library has no layers for",
};

/**
 * Why a tensor of floats stays so where nothing chooses it by name.
 *
 * @param container What is written: what llama.cpp reads follows its rules.
 * @param name The tensor's name there.
 * @param shape Its shape.
 * @returns The reason; undefined where it is quantized.
 */
export function whyFloats(
  container: OutputContainer,
  name: string,
  shape: readonly number[],
): string | undefined {
  if (container === "gguf") {
    const why = whyKept({ name, shape });
    return why &&
      `${why}, which llama.cpp never quantizes; --tensors or --all does`;
  }
  return shape.length <= 1
    ? `${
      shape.length === 0 ? "no axis" : "one axis"
    }, kept as norms and biases are unless --tensors or --all chooses it`
    : undefined;
}

/**
 * Whether a tensor has to be float32 where it holds floats: llama.cpp computes
 * with what it never quantizes, and aborts at floats of another type there.
 *
 * @param container What is written.
 * @param name The tensor's name there.
 * @param tensor The tensor.
 */
export function needsFloat32(
  container: OutputContainer,
  name: string,
  tensor: Tensor,
): boolean {
  const { dtype, shape } = tensor;
  return container === "gguf" && dtype !== "F32" && hasValues(tensor) &&
    whyKept({ name, shape }) !== undefined;
}
