/**
 * What `quantize` does with each tensor, decided before any work.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import type { QuantizedPlan } from "../files/quantized.ts";
import type { TensorFile } from "../files/tensors.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { Call } from "./command.ts";
import type { FormatChooser } from "./formats_flag.ts";
import { type Layout, layoutBytes } from "./pieces.ts";
import { selected } from "./select.ts";
import { hasValues, type Tensor } from "./values.ts";

/** A tensor that is quantized. */
export interface QuantizeTask {
  /** What is read. */
  readonly tensor: Tensor;
  /** What is written. */
  readonly plan: QuantizedPlan;
  /** The same with options filled in. */
  readonly layout: Layout;
  /** Bytes of all its parts. */
  readonly bytes: number;
}

/** A tensor that is copied byte for byte. */
export interface CopyTask {
  /** What is copied. */
  readonly tensor: Tensor;
  /** Why it is not quantized. */
  readonly reason: string;
}

/** What to do with every tensor of a file, in its order. */
export interface QuantizeTasks {
  /** Those that are quantized. */
  readonly quantized: readonly QuantizeTask[];
  /** Those that are copied. */
  readonly copied: readonly CopyTask[];
}

/**
 * Decides what to do with each tensor.
 *
 * @param call The call; knows which tensors are chosen.
 * @param chooser The formats.
 * @param file The input.
 * @param tensors Its tensors.
 * @returns The tasks, one at least to quantize.
 * @throws {UsageError} If a pattern matches nothing.
 * @throws {RangeError} If there is nothing to quantize, or something cannot be and the call is strict.
 */
export function planQuantize(
  call: Call,
  chooser: FormatChooser,
  file: TensorFile,
  tensors: readonly Tensor[],
): QuantizeTasks {
  const names = tensors.map(({ name }) => name);
  const chosen = selected(call, names);
  chooser.checkPatterns(names);
  const quantized: QuantizeTask[] = [], copied: CopyTask[] = [];
  for (const tensor of tensors) {
    const task = chosen.has(tensor.name)
      ? taskFor(tensor, chooser)
      : "not chosen";
    if (typeof task !== "string") quantized.push(task);
    else copied.push({ tensor, reason: task });
  }
  const refused = copied.find(({ tensor: { name } }) => chosen.has(name));
  if (refused && call.has("strict")) throw cannot(refused);
  if (quantized.length === 0) {
    throw refused ? cannot(refused) : new RangeError(
      `Nothing to quantize in ${file.source.name}: ${
        tensors.length === 0
          ? "it holds no tensors"
          : "--tensors and --skip leave no tensor"
      }`,
    );
  }
  return { quantized, copied };
}

function cannot({ tensor: { name }, reason }: CopyTask): RangeError {
  return new RangeError(`Cannot quantize tensor ${quote(name)}: ${reason}`);
}

function taskFor(
  tensor: Tensor,
  chooser: FormatChooser,
): QuantizeTask | string {
  const { name, shape, dtype } = tensor;
  if (!hasValues(tensor)) return `its ${dtype} values are no floats`;
  const choice = chooser.of(name);
  if (!choice) return "no --format matches its name";
  const { format } = choice;
  try {
    const options = format.resolve(choice.options, shape);
    const layout = { format, shape, options };
    const kept = format.kept?.(options) ?? {};
    return {
      tensor,
      plan: { name, format, shape, options: kept },
      layout,
      bytes: layoutBytes(layout),
    };
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** Bits that a value of a tensor takes, scales included. */
export function bitsPerValue(
  { bytes, layout: { shape } }: QuantizeTask,
): number {
  return bytes * 8 / Math.max(1, sizeOf(shape));
}
