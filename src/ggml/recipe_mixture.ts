/**
 * The mixtures of llama.cpp's recipes: which tensors get more bits than the rest.
 *
 * Source: ggml-org/llama.cpp, src/llama-quant.cpp: `llama_tensor_get_type_impl`.
 *
 * @module
 */

import {
  expertLayer,
  type Purpose,
  type RecipeTensor,
} from "./recipe_names.ts";
import type { RecipeName } from "./recipe_list.ts";
import { ggmlLayouts } from "./table.ts";

/** What recipes ask of a model's metadata. */
export interface RecipeModel {
  /** `general.architecture`. */
  readonly architecture: string;
  /** `block_count`: how many layers there are. */
  readonly layers: number;
  /** `expert_count`; 0 where there are none. */
  readonly experts: number;
  /** `attention.head_count`, of the first layer where they differ; 0 where it is not given. */
  readonly heads: number;
  /** `attention.head_count_kv` likewise; that of `heads` where it is not given. */
  readonly keyHeads: number;
}

/** A type and the reason for it. */
export interface Choice {
  /** ggml's name of it. */
  readonly type: string;
  /** Why, in words. */
  readonly why: string;
}

/** What stays the same for all tensors of a model. */
export interface MixtureContext {
  readonly model: RecipeModel;
  readonly recipe: RecipeName;
  /** The type of what no rule is about. */
  readonly base: string;
  /** Whether there is an importance file. */
  readonly weighed: boolean;
  /** What the caller wants for the output, and for embeddings that are the output too. */
  readonly outputType?: string;
  /** Whether the token embedding is the output too. */
  readonly tied: boolean;
  /** How many tensors there are that `isValue` is true of. */
  readonly values: number;
}

/** Whether a tensor is the values of attention, alone or among others. */
export function isValue(purpose: Purpose): boolean {
  return purpose === "attn_v" || purpose === "attn_qkv" ||
    purpose === "attn_kv_b";
}

/** Whole numbers divide as in C. */
function part(whole: number, divisor: number): number {
  return Math.floor(whole / divisor);
}

/** The first and the last eighth of the layers, and every third between them. */
function hasMoreBits(layer: number, layers: number): boolean {
  const eighth = part(layers, 8);
  return layer < eighth || layer >= part(7 * layers, 8) ||
    (layer - eighth) % 3 === 2;
}

/** Architectures whose models of 80 layers are of the size for which values get more bits. */
const SEVENTY_BILLION: readonly string[] = ["qwen2", "deci", "olmo"];
/** Those whose models of 80 layers come in two sizes; one of them has a key for each head. */
const LLAMAS: readonly string[] = ["llama", "llama-embed"];

function isSeventyBillion(model: RecipeModel): boolean {
  const { architecture, layers, heads, keyHeads } = model;
  if (layers !== 80) return false;
  return SEVENTY_BILLION.includes(architecture) ||
    (LLAMAS.includes(architecture) && heads !== keyHeads);
}

/** How many query heads share a key head, rounded down; 0 where there are no key heads. */
function sharing({ heads, keyHeads }: RecipeModel): number {
  return keyHeads === 0 ? 0 : part(heads, keyHeads);
}

/** Chooses types one tensor after the other: some rules count. */
export class Mixture {
  readonly #context: MixtureContext;
  #value = 0;
  #down = 0;

  /** Begins with the first tensor of a file. */
  constructor(context: MixtureContext) {
    this.#context = context;
  }

  /**
   * Chooses the type of the next tensor.
   *
   * @param tensor The tensor.
   * @param purpose What it is for.
   * @returns The type, before its rows are looked at.
   */
  choose(tensor: RecipeTensor, purpose: Purpose): Choice {
    const { tied, recipe, base } = this.#context;
    if (purpose === "output" || (tied && purpose === "token embedding")) {
      return this.#output(tensor, purpose);
    }
    if (recipe === "MXFP4_MOE") return this.#expertsOnly(tensor, purpose);
    const special = this.#special(tensor, purpose);
    return special ?? { type: base, why: `the type of ${recipe}` };
  }

  #output(tensor: RecipeTensor, purpose: Purpose): Choice {
    const { model, recipe, base, outputType } = this.#context;
    const what = purpose === "output"
      ? "the output"
      : "the token embedding is the output too";
    if (outputType) return { type: outputType, why: `${what}, as asked for` };
    const columns = tensor.shape.at(-1)!;
    const small = recipe === "MXFP4_MOE" || model.architecture === "falcon" ||
      columns % ggmlLayouts.get(base)!.blockSize !== 0;
    return { type: small ? "Q8_0" : "Q6_K", why: what };
  }

  /** Matrices of experts lie in a third axis. */
  #expertsOnly({ shape }: RecipeTensor, purpose: Purpose): Choice {
    const { architecture } = this.#context.model;
    // Its projections of attention have three axes too.
    const may = architecture !== "bailingmoe3" ||
      purpose === "ffn_up" || purpose === "ffn_gate" || purpose === "ffn_down";
    return may && (shape.at(-3) ?? 1) > 1
      ? { type: "MXFP4", why: "experts" }
      : { type: "Q8_0", why: "no experts" };
  }

  #special(tensor: RecipeTensor, purpose: Purpose): Choice | undefined {
    const { model, recipe } = this.#context;
    if (isValue(purpose)) return this.#values(purpose);
    switch (purpose) {
      case "attn_k":
        return model.experts === 8
          ? { type: "Q8_0", why: "keys, small beside eight experts" }
          : undefined;
      case "attn_output":
        return model.experts === 8 && model.architecture !== "falcon" &&
            recipe !== "Q4_0" && recipe !== "Q4_1"
          ? { type: "Q5_K", why: "small beside eight experts" }
          : undefined;
      case "ffn_down":
        return this.#downward(tensor.name);
      case "ffn_up":
      case "ffn_gate":
        // Without a rule for them, but a name that does not tell its layer is refused.
        if (model.experts > 1) expertLayer(tensor.name, model.layers);
        return undefined;
      default:
        return undefined;
    }
  }

  #values(purpose: Purpose): Choice | undefined {
    const { model, recipe, base, values } = this.#context;
    const index = this.#value++;
    if (model.experts === 8) {
      return { type: "Q8_0", why: "values, small beside eight experts" };
    }
    let choice: Choice | undefined;
    if (recipe === "IQ4_NL" || recipe === "IQ4_XS") {
      if (sharing(model) >= 4) {
        choice = { type: "Q5_K", why: "values that many heads share" };
      }
    } else if (recipe === "Q4_K_M" && hasMoreBits(index, values)) {
      choice = { type: "Q6_K", why: `${purpose} of a layer with more bits` };
    } else if (recipe === "Q4_K_S" && index < 4) {
      choice = { type: "Q5_K", why: `${purpose} of the first four layers` };
    }
    if ((choice?.type ?? base) === "Q4_K" && isSeventyBillion(model)) {
      return { type: "Q5_K", why: "values of a model with 80 layers" };
    }
    return choice;
  }

  #downward(name: string): Choice | undefined {
    const { model, recipe, weighed } = this.#context;
    const { layers, architecture } = model;
    const counted = this.#down++;
    const layer = model.experts > 1 ? expertLayer(name, layers) : counted;
    const early = layer < part(layers, 8);
    const isFalcon = architecture === "falcon";
    const first = "ffn_down of the first eighth of layers";
    switch (recipe) {
      case "Q4_K_M": {
        const why = "ffn_down of a layer with more bits";
        if (isFalcon && layer < part(layers, 16)) return { type: "Q6_K", why };
        if (!hasMoreBits(layer, layers)) return undefined;
        return { type: isFalcon ? "Q5_K" : "Q6_K", why };
      }
      case "Q4_K_S":
        return early && !isFalcon ? { type: "Q5_K", why: first } : undefined;
      case "IQ4_NL":
      case "IQ4_XS":
        return early && !weighed
          ? { type: "Q5_K", why: `${first}, without importance` }
          : undefined;
      case "Q4_0":
        return early && weighed
          ? { type: "Q4_1", why: `${first}, with importance` }
          : undefined;
      default:
        return undefined;
    }
  }
}
