/**
 * What torchao writes to the metadata of a safetensors file: for each tensor the
 * class that it is made of again, as JSON.
 *
 * ```text
 * "model.q_proj.weight": {"_type": "MXTensor", "_data": {"elem_dtype": {"_type": "torch.dtype",
 *   "_data": "float4_e2m1fn_x2"}, "block_size": 32, "orig_dtype": {…, "_data": "bfloat16"},
 *   "is_swizzled_scales": false, …}, "_tensor_data_names": ["qdata", "scale"]}
 * ```
 *
 * @module
 */
import { TORCH_NAMES } from "../layouts/quant_state.ts";
import type { Candidate } from "../words/format.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { memberOf, shownValue } from "./config.ts";

/** Longer texts are left unread: the library's take a few hundred characters. */
const MOST_CHARACTERS = 65536;

/** What metadata says of a tensor. */
export interface Described {
  /** The type of the weights, in which values are computed. */
  readonly computeDtype?: ComputeDtype;
  /** What contradicts the parts. */
  readonly fault?: string;
}

/**
 * Reads what metadata says of a tensor.
 *
 * @param candidate The tensor; without metadata there is nothing to say.
 * @param type The class that it has to be.
 * @param block How many values share a scale.
 */
export function describedAs(
  { metadata, stem }: Candidate,
  type: string,
  block: number,
): Described {
  const name = `${stem}.weight`;
  const text = metadata && Object.hasOwn(metadata, name)
    ? metadata[name]
    : undefined;
  if (text === undefined) return {};
  const said = parsed(text);
  const data = memberOf(said, "_data");
  const fault = (what: string, value: unknown) => ({
    fault: `its metadata says ${what} ${shownValue(value)}`,
  });
  if (memberOf(said, "_type") !== type) {
    return fault("_type", memberOf(said, "_type"));
  }
  if (memberOf(data, "block_size") !== block) {
    return fault("block_size", memberOf(data, "block_size"));
  }
  const element = memberOf(data, "elem_dtype");
  if (
    element !== undefined && memberOf(element, "_data") !== "float4_e2m1fn_x2"
  ) return fault("elem_dtype", memberOf(element, "_data"));
  if (memberOf(data, "is_swizzled_scales") === true) {
    return fault("is_swizzled_scales", true);
  }
  const dtype = memberOf(memberOf(data, "orig_dtype"), "_data");
  const found = Object.entries(TORCH_NAMES).find(([, own]) => own === dtype);
  return found
    ? { computeDtype: found[0] as ComputeDtype }
    : fault("orig_dtype", dtype);
}

function parsed(text: string): unknown {
  if (text.length > MOST_CHARACTERS) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
