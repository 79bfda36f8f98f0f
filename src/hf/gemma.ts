/**
 * What the generations of Gemma have in common.
 *
 * @module
 */
import type { Config } from "./config.ts";
import { decoderName, type DecoderSizes } from "./decoder.ts";

/** What is no part of the language model, and heads, which are the embeddings. */
const LEFT_OUT =
  /(^|\.)(vision_tower|multi_modal_projector|vision_model)\.|^lm_head\./;

/** The name by which the rules know a tensor of Gemma; undefined for one that is left out. */
export function gemmaName(name: string): string | undefined {
  const own = decoderName(name);
  return own === undefined || LEFT_OUT.test(own) ? undefined : own;
}

/** Throws a RangeError where scores of attention are scaled as llama.cpp does not scale them. */
export function checkScale(
  config: Config,
  { width, heads, headSize }: DecoderSizes,
): void {
  const scale = config.optionalNumber("query_pre_attn_scalar") ?? headSize;
  if (scale === headSize || scale === width / heads) return;
  config.refuse(
    `query_pre_attn_scalar ${scale} is neither head_dim ${headSize} nor hidden_size by heads; llama.cpp knows no other`,
  );
}
