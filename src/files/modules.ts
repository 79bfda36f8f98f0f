/**
 * What the tensors of a checkpoint are in the model, told by their names and shapes:
 * the tensors of a module are those with one name up to the last point.
 *
 * @module
 */

const WEIGHT = ".weight";

/** Tables that are looked up by token or position. */
const EMBEDDING = /embed|^(wte|wpe|shared)$/;
/** The last layer, which makes tokens, classes or scores. */
const HEAD = /(^|_)head$|^(score|classifier|qa_outputs)$/;
/** What chooses the experts of a token. */
const ROUTER = /(^|_)(gate|router)$/;

/** The name of the last layer in most models. */
const USUAL_HEAD = "lm_head";

/** The module that a tensor is of; empty where its name has no point. */
export function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

/** What a name ends with, after its last point. */
export function lastOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** A tensor as these rules see it. */
interface Named {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Whether a tensor is the matrix of a module that is no table of embeddings. */
function isMatrix({ name, shape }: Named): boolean {
  return name.endsWith(WEIGHT) && shape.length === 2 &&
    !EMBEDDING.test(lastOf(moduleOf(name)));
}

/**
 * The weight of a linear layer inside a model. The libraries that put layers of
 * their own in the place of those leave the head and routers alone too, which are
 * small and sensitive.
 */
function isLinearInside(tensor: Named): boolean {
  const module = moduleOf(tensor.name), last = lastOf(module);
  return isMatrix(tensor) && module !== "output" && !HEAD.test(last) &&
    !ROUTER.test(last);
}

/** The matrices of all experts of a layer in one tensor. */
function isStackOfExperts({ name, shape }: Named): boolean {
  return /(^|\.)experts\.[^.]+$/.test(name) && shape.length === 3;
}

/** Whether a tensor is the weight of such a module as a library has quantized layers for. */
export function hasLayer(
  tensor: Named,
  layers: "linear" | "experts",
): boolean {
  return layers === "linear"
    ? isLinearInside(tensor)
    : isStackOfExperts(tensor);
}

/**
 * The modules of a checkpoint that stay as they are, for its config to name them.
 *
 * @param tensors Its tensors, and whether each is quantized.
 * @param layers The only modules that a library has quantized layers for, if not for embeddings too.
 * @returns Their names, sorted. A head that is not in the file has the weight of the
 * embeddings, and is among them.
 */
export function floatModules(
  tensors: Iterable<Named & { readonly quantized?: unknown }>,
  layers?: "linear" | "experts",
): string[] {
  const floats: string[] = [];
  let hasHead = false;
  for (const tensor of tensors) {
    const { name, shape, quantized } = tensor, module = moduleOf(name);
    hasHead ||= lastOf(module) === USUAL_HEAD;
    if (quantized !== undefined) continue;
    const isOne = layers === undefined
      ? name.endsWith(WEIGHT) && shape.length >= 2
      : isMatrix(tensor);
    if (isOne) floats.push(module);
  }
  if (layers && !hasHead) floats.push(USUAL_HEAD);
  return floats.sort();
}
