/**
 * What a family of architectures is: how its models in Hugging Face's names become
 * models in llama.cpp's.
 *
 * Source of all families: ggml-org/llama.cpp, `convert_hf_to_gguf.py` with `conversion/`
 * and `gguf-py/gguf/tensor_mapping.py`.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { ModelValues } from "./model_values.ts";

/** A tensor that a model has, and what becomes of it. */
export interface TensorRule {
  /** Its name in the folder. */
  readonly from: string;
  /** Its name in the GGUF. */
  readonly to: string;
  /** The shape that it has by the config, slowest axis first. */
  readonly shape: readonly number[];
  /** Whether a model may be without it. */
  readonly optional?: boolean;
  /** In how many heads its rows are interleaved: see {@linkcode interleaved}. */
  readonly heads?: number;
  /** How many rows at its start are left out; none where absent. */
  readonly skips?: number;
  /** What is added to each value. */
  readonly plus?: number;
}

/** A tensor that the folder does not have. */
export interface MadeTensor {
  /** Its name in the GGUF. */
  readonly name: string;
  /** Its values; its only axis. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** What is known of a model when its metadata is written. */
export interface ModelFacts {
  /** What its config says. */
  readonly config: Config;
  /** What most of its values are, by llama.cpp's number. */
  readonly fileType: number;
  /** How its vectors are pooled, by llama.cpp's number, where the folder says. */
  readonly pooling?: number;
}

/** A family of architectures. */
export interface Family {
  /** What llama.cpp calls it: `general.architecture`. */
  readonly architecture: string;
  /** What `architectures` of config.json says of its models. */
  readonly classes: readonly string[];
  /** The name by which the rules know a tensor; undefined for one that is left out. */
  ruleName(name: string): string | undefined;
  /**
   * The tensors of a model. A generator, as the config may speak of any number of
   * layers: who reads it stops at the first that is missing.
   *
   * @param config The config.
   * @throws {RangeError} If the config makes no sense.
   */
  rules(config: Config): Iterable<TensorRule>;
  /** Tensors that are computed from the config; they go before the others. */
  made?(config: Config): readonly MadeTensor[];
  /**
   * The metadata of the model itself, in the converter's order.
   *
   * @param facts What is known.
   * @param values Where to.
   */
  describe(facts: ModelFacts, values: ModelValues): void;
  /** Whether its tokenizer is XLM-RoBERTa's, a Unigram model. */
  readonly unigram?: boolean;
  /** How many tokens a model knows whose config does not say. */
  readonly vocabulary?: number;
  /** Whether embeddings for more tokens than the tokenizer has are cut off. */
  readonly cutsVocabulary?: boolean;
}
