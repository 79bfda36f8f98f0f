/**
 * What a decoder of the llama kind computes, as transformers defines it, written to be read.
 *
 * @module
 */
import { dot, plus, softmax, type Vector } from "./linear.ts";
import type { MadeModel } from "./made_folder.ts";

/** The logits of a model for each of some tokens. */
export function decoderLogits(
  { config, tensors }: MadeModel,
  tokens: readonly number[],
): Vector[] {
  const heads = config.num_attention_heads as number;
  const keyHeads = config.num_key_value_heads as number;
  const headSize =
    (config.head_dim ?? (config.hidden_size as number) / heads) as number;
  const base = config.rope_theta as number, eps = config.rms_norm_eps as number;

  /** A row of a matrix, or a vector. */
  const rowOf = (name: string, row = 0) => {
    const { shape, values } = tensors.get(name)!;
    const length = shape.at(-1)!;
    return values.subarray(row * length, (row + 1) * length);
  };
  const project = (name: string, x: Vector) => {
    const { shape: [rows] } = tensors.get(`${name}.weight`)!;
    const bias = tensors.get(`${name}.bias`)?.values;
    return Float64Array.from(
      { length: rows },
      (_, row) => dot(rowOf(`${name}.weight`, row), x) + (bias?.[row] ?? 0),
    );
  };
  const norm = (name: string, x: Vector) => {
    const weight = rowOf(`${name}.weight`);
    const size = Math.sqrt(dot(x, x) / x.length + eps);
    return x.map((value, i) => weight[i] * value / size);
  };
  /** The heads of a projection, each with its norm where there is one, each rotated: one half against the other. */
  const headsOf = (name: string, x: Vector, position: number) => {
    const all = project(`${name}_proj`, x), half = headSize / 2;
    return Array.from({ length: all.length / headSize }, (_, head) => {
      const own = all.slice(head * headSize, (head + 1) * headSize);
      const normed = tensors.has(`${name}_norm.weight`)
        ? norm(`${name}_norm`, own)
        : own;
      return normed.map((value, i) => {
        const angle = position * base ** (-2 * (i % half) / headSize);
        const other = i < half ? -normed[i + half] : normed[i - half];
        return value * Math.cos(angle) + other * Math.sin(angle);
      });
    });
  };

  let states = tokens.map((token) =>
    Float64Array.from(rowOf("model.embed_tokens.weight", token))
  );
  for (let no = 0; no < (config.num_hidden_layers as number); no++) {
    const layer = `model.layers.${no}`, attention = `${layer}.self_attn`;
    const inputs = states.map((x) => norm(`${layer}.input_layernorm`, x));
    const queries = inputs.map((x, at) => headsOf(`${attention}.q`, x, at));
    const keys = inputs.map((x, at) => headsOf(`${attention}.k`, x, at));
    const values = inputs.map((x) => project(`${attention}.v_proj`, x));
    states = states.map((x, at) => {
      const seen = new Float64Array(heads * headSize);
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head * keyHeads / heads);
        const weights = softmax(Float64Array.from(
          { length: at + 1 },
          (_, to) =>
            dot(queries[at][head], keys[to][shared]) / Math.sqrt(headSize),
        ));
        for (let i = 0; i < headSize; i++) {
          seen[head * headSize + i] = weights.reduce(
            (sum, weight, to) =>
              sum + weight * values[to][shared * headSize + i],
            0,
          );
        }
      }
      const y = plus(x, project(`${attention}.o_proj`, seen));
      const z = norm(`${layer}.post_attention_layernorm`, y);
      const gate = project(`${layer}.mlp.gate_proj`, z);
      const up = project(`${layer}.mlp.up_proj`, z);
      const inside = up.map((value, i) =>
        value * gate[i] / (1 + Math.exp(-gate[i]))
      );
      return plus(y, project(`${layer}.mlp.down_proj`, inside));
    });
  }
  const head = tensors.has("lm_head.weight") ? "lm_head" : "model.embed_tokens";
  return states.map((x) => project(head, norm("model.norm", x)));
}
