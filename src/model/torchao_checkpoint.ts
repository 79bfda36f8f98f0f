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
import { swizzledShape } from "../layouts/swizzled.ts";
import type { Candidate, Convention, Recognized } from "../words/format.ts";
import { booleanOption } from "../words/options.ts";
import type { BooleanOption } from "../words/schema.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { memberOf, shownValue } from "./config.ts";
import {
  type PairPlan,
  recognizePair,
  unpackedShape,
} from "./e2m1_checkpoint.ts";

/** Longer texts are left unread: the library's take a few hundred characters. */
const MOST_CHARACTERS = 65536;

/** The option of the order of scales, `is_swizzled_scales` in the library. */
export const SWIZZLED: BooleanOption<boolean> = booleanOption({
  default: false,
  kept: true,
  help: "scales in the order of tensor cores",
});

/** A class of tensors, and how its parts are named here. */
export interface TensorClass extends Omit<PairPlan, "scaleShape"> {
  /** Its name in the library. */
  readonly type: string;
}

/** What torchao's tensors have in common. */
export interface TorchaoOptions {
  readonly computeDtype: ComputeDtype;
  readonly swizzled: boolean;
}

/**
 * Tells shape and options of a candidate.
 *
 * @param candidate Its parts, the metadata where there is some.
 * @param plan What it has to be.
 * @param fault What else is wrong with it.
 * @throws {RangeError} Where parts and metadata contradict each other.
 */
export function recognizeTorchao(
  candidate: Candidate,
  plan: TensorClass,
  fault?: string,
): Recognized & { readonly options: Partial<TorchaoOptions> } {
  const { computeDtype, fault: contradicted, ...said } = describedAs(
    candidate,
    plan,
  );
  const swizzled = said.swizzled ?? looksSwizzled(candidate, plan);
  const { shape } = recognizePair(
    candidate,
    { ...plan, ...(swizzled && { scaleShape: swizzledShape }) },
    contradicted ?? fault,
  );
  return {
    shape,
    options: { swizzled, ...(computeDtype && { computeDtype }) },
  };
}

/** Whether scales have the dimensions of whole tiles, which never are those of rows. */
function looksSwizzled(
  { parts }: Candidate,
  { codes, scales, group }: TensorClass,
): boolean {
  const shape = unpackedShape(parts[codes]);
  try {
    return String(swizzledShape(shape, group)) === String(parts[scales].shape);
  } catch {
    return false;
  }
}

/** What metadata says of a tensor. */
interface Described extends Partial<TorchaoOptions> {
  /** What contradicts the parts. */
  readonly fault?: string;
}

/** Reads what metadata says of a tensor; without metadata there is nothing to say. */
function describedAs(
  { metadata, stem }: Candidate,
  { type, group }: TensorClass,
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
  if (memberOf(data, "block_size") !== group) {
    return fault("block_size", memberOf(data, "block_size"));
  }
  const element = memberOf(data, "elem_dtype");
  if (
    element !== undefined && memberOf(element, "_data") !== "float4_e2m1fn_x2"
  ) return fault("elem_dtype", memberOf(element, "_data"));
  const swizzled = memberOf(data, "is_swizzled_scales") ?? false;
  if (typeof swizzled !== "boolean") {
    return fault("is_swizzled_scales", swizzled);
  }
  const dtype = memberOf(memberOf(data, "orig_dtype"), "_data");
  const found = Object.entries(TORCH_NAMES).find(([, own]) => own === dtype);
  return found
    ? { computeDtype: found[0] as ComputeDtype, swizzled }
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

/** What is written of the tensors of a class. */
export interface TorchaoTexts<R> {
  /** The class. */
  readonly type: string;
  /** The attributes that it has beside those of all. */
  attributes(options: R): Readonly<Record<string, unknown>>;
  /** The arrays that it is made of again, as the library calls them. */
  arrays(options: R): readonly string[];
  /** The config that makes such tensors: its class and its members. */
  config(options: R): readonly [type: string, data: object];
}

/** A dtype of torch as the library writes it. */
export function torchDtype(name: string): object {
  return named("torch.dtype", name);
}

/** Something that is made of a class and a value again. */
export function named(type: string, data: unknown): object {
  return { _type: type, _data: data };
}

/** What is written of tensors, beside them in the file and in `config.json`. */
export function torchaoConvention<R extends TorchaoOptions>(
  texts: TorchaoTexts<R>,
): Required<Pick<Convention, "library" | "layers" | "config" | "metadata">> {
  return {
    library: "torchao",
    layers: "linear",
    metadata(given): string {
      const options = given as R;
      const { computeDtype, swizzled } = options;
      return JSON.stringify({
        ...named(texts.type, {
          ...texts.attributes(options),
          orig_dtype: torchDtype(TORCH_NAMES[computeDtype]),
          is_swizzled_scales: swizzled,
        }),
        _tensor_data_names: texts.arrays(options),
      });
    },
    config(options, floats = []): Readonly<Record<string, unknown>> {
      const [type, data] = texts.config(options as R);
      return {
        quantization_config: {
          quant_method: "torchao",
          quant_type: { default: { ...named(type, data), _version: 1 } },
          modules_to_not_convert: floats,
          include_input_output_embeddings: false,
          untie_embedding_weights: false,
        },
      };
    },
  };
}
