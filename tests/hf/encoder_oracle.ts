/**
 * What an encoder of the BERT kind makes of a text, as transformers defines it, written to be read.
 *
 * @module
 */
import { dot, plus, softmax, type Vector } from "./linear.ts";
import type { MadeModel } from "./made_folder.ts";

/**
 * The mean of a text's vectors.
 *
 * @param model The model.
 * @param tokens The text.
 * @param first The position of its first token.
 */
export function encoderMean(
  { config, tensors }: MadeModel,
  tokens: readonly number[],
  first: number,
): Vector {
  const heads = config.num_attention_heads as number;
  const width = config.hidden_size as number, headSize = width / heads;
  const eps = config.layer_norm_eps as number;

  const rowOf = (name: string, row = 0) => {
    const { shape, values } = tensors.get(name)!;
    const length = shape.at(-1)!;
    return values.subarray(row * length, (row + 1) * length);
  };
  const project = (name: string, x: Vector) => {
    const { values } = tensors.get(`${name}.bias`)!;
    return Float64Array.from(
      values,
      (bias, row) => dot(rowOf(`${name}.weight`, row), x) + bias,
    );
  };
  const norm = (name: string, x: Vector) => {
    const weight = rowOf(`${name}.weight`), bias = rowOf(`${name}.bias`);
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const centred = x.map((value) => value - mean);
    const size = Math.sqrt(dot(centred, centred) / x.length + eps);
    return centred.map((value, i) => weight[i] * value / size + bias[i]);
  };

  let states = tokens.map((token, at) => {
    const row = (kind: string, id: number) =>
      rowOf(`embeddings.${kind}_embeddings.weight`, id);
    const word = Float64Array.from(row("word", token));
    const placed = plus(word, row("position", first + at));
    return norm("embeddings.LayerNorm", plus(placed, row("token_type", 0)));
  });
  for (let no = 0; no < (config.num_hidden_layers as number); no++) {
    const layer = `encoder.layer.${no}`, attention = `${layer}.attention`;
    const headsOf = (name: string) =>
      states.map((x) => {
        const all = project(`${attention}.self.${name}`, x);
        return Array.from(
          { length: heads },
          (_, head) => all.slice(head * headSize, (head + 1) * headSize),
        );
      });
    const queries = headsOf("query"), keys = headsOf("key");
    const values = headsOf("value");
    states = states.map((x, at) => {
      const seen = queries[at].flatMap((query, head) => {
        const weights = softmax(Float64Array.from(
          keys,
          (key) => dot(query, key[head]) / Math.sqrt(headSize),
        ));
        return Array.from(
          { length: headSize },
          (_, i) => dot(weights, values.map((value) => value[head][i])),
        );
      });
      const mixed = project(
        `${attention}.output.dense`,
        Float64Array.from(seen),
      );
      const y = norm(`${attention}.output.LayerNorm`, plus(mixed, x));
      const inside = project(`${layer}.intermediate.dense`, y).map(gelu);
      const z = project(`${layer}.output.dense`, inside);
      return norm(`${layer}.output.LayerNorm`, plus(z, y));
    });
  }
  return states.reduce(plus).map((sum) => sum / tokens.length);
}

/** x by the share of the normal distribution below it. */
function gelu(x: number): number {
  return x * (1 + erf(x / Math.SQRT2)) / 2;
}

/** The error function, to seven digits: Abramowitz and Stegun, 7.1.26. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const terms = [
    ...[1.061405429, -1.453152027, 1.421413741],
    ...[-0.284496736, 0.254829592],
  ].reduce((sum, factor) => (sum * t) + factor, 0);
  return Math.sign(x) * (1 - terms * t * Math.exp(-x * x));
}
