/**
 * Weights of checkpoints in eight-bit floats with scales beside them: a number
 * for all, one for each row, or one for each block.
 *
 * ```text
 * X.weight            F8_E4M3 [out, in]
 * X.weight_scale      one number, or [out], [out, 1]
 * X.weight_scale_inv  [ceil(out / 128), ceil(in / 128)], as DeepSeek has them
 * value(o, i) = float32(weight(o, i)) · float32(scale), rounded to float32
 * ```
 *
 * Source: DeepSeek-V3, `inference/kernel.py` (`weight_dequant`); compressed-tensors,
 * `naive_quantized`; the block is `weight_block_size` of `quantization_config`.
 *
 * @module
 */
import { isFloat8 } from "../numeric/float8.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { matrixOf, sizeOf } from "../numeric/shape.ts";
import type { Row } from "../stream/values.ts";
import { isFloat, readFloats } from "./floats.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** Numbers that a weight is multiplied by, each for a block of its values. */
export interface Scales {
  /** Where they are. */
  readonly entry: TensorEntry;
  /** Rows of a block. */
  readonly rows: number;
  /** Columns of a block. */
  readonly columns: number;
}

const SUFFIXES = ["_scale_inv", "_scale"] as const;

/** Rows and columns of a block where the config does not say. */
const USUAL_BLOCK = [128, 128] as const;

/**
 * The scales of a weight in eight-bit floats.
 *
 * @param weight The weight.
 * @param find Finds an entry by its name.
 * @param config The settings of quantization beside the file.
 * @returns The scales; undefined where there are none, or of a kind that is not known.
 */
export function scalesOf(
  weight: TensorEntry,
  find: (name: string) => TensorEntry | undefined,
  config: unknown,
): Scales | undefined {
  if (!isFloat8(weight.dtype)) return undefined;
  const found = SUFFIXES.flatMap((suffix) => find(weight.name + suffix) ?? []);
  const [entry] = found;
  if (found.length !== 1 || !isFloat(entry.dtype)) return undefined;
  const { rows, columns } = matrixOf(weight.shape);
  if (sizeOf(entry.shape) === 1) return { entry, rows, columns };
  if (weight.shape.length !== 2) return undefined;
  const shape = entry.shape.join();
  if (shape === `${rows}` || shape === `${rows},1`) {
    return { entry, rows: 1, columns };
  }
  const [tall, wide] = blockOf(config);
  const blocks = `${Math.ceil(rows / tall)},${Math.ceil(columns / wide)}`;
  return shape === blocks ? { entry, rows: tall, columns: wide } : undefined;
}

function blockOf(config: unknown): readonly [number, number] {
  const said = (config as { weight_block_size?: unknown } | undefined)
    ?.weight_block_size;
  const isBlock = Array.isArray(said) && said.length === 2 &&
    said.every((size) => Number.isInteger(size) && size > 0);
  return isBlock ? said as [number, number] : USUAL_BLOCK;
}

/** Reads a weight in eight-bit floats multiplied by its scales. */
export class ScaledFloats implements Row {
  readonly #file: Pick<TensorFile, "source">;
  readonly #weight: TensorEntry;
  readonly #scales: Scales;
  #numbers: Promise<Float32Array> | undefined;

  /**
   * @param file What they are in.
   * @param weight The weight.
   * @param scales Its scales.
   */
  constructor(
    file: Pick<TensorFile, "source">,
    weight: TensorEntry,
    scales: Scales,
  ) {
    this.#file = file;
    this.#weight = weight;
    this.#scales = scales;
  }

  /** Reads a stretch of values; what it gives multiplies them. */
  async read(first: number, out: Float32Array): Promise<() => void> {
    const numbers = await (this.#numbers ??= this.#readNumbers());
    await readFloats(this.#file, this.#weight, first, out);
    return () => this.#multiply(numbers, first, out);
  }

  async #readNumbers(): Promise<Float32Array> {
    const { entry } = this.#scales;
    const numbers = new Float32Array(sizeOf(entry.shape));
    await readFloats(this.#file, entry, 0, numbers);
    return numbers;
  }

  #multiply(numbers: Float32Array, first: number, out: Float32Array): void {
    const { columns: all } = matrixOf(this.#weight.shape);
    const { rows, columns } = this.#scales;
    const perRow = Math.ceil(all / columns);
    for (let at = 0; at < out.length;) {
      const row = Math.floor((first + at) / all), column = (first + at) % all;
      const left = Math.min(all - column, columns - column % columns);
      const end = Math.min(out.length, at + left);
      const scale =
        numbers[Math.floor(row / rows) * perRow + Math.floor(column / columns)];
      for (; at < end; at++) out[at] *= scale;
    }
    settleNaNs(out);
  }
}
