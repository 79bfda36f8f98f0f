/**
 * What becomes of each tensor of a file, decided before any work.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { isGguf } from "../files/gguf_read.ts";
import { rejectImportance } from "../files/imatrix.ts";
import { whyNoOperator } from "../files/onnx_wirings.ts";
import type { TensorFile } from "../files/tensors.ts";
import { tensorOf } from "../core.ts";
import { whyNotRepack } from "../model/repack.ts";
import type { FormatTensor } from "../stream/tensor.ts";
import type { Format } from "../words/format.ts";
import type { Call } from "./command.ts";
import type { FormatChoice, FormatChooser } from "./formats_flag.ts";
import { insteadOfRepacking } from "./failure.ts";
import { Fitting, rewriteOf } from "./fit.ts";
import { byHabit, type Habits } from "./habits.ts";
import { needsFloat32 } from "./kept.ts";
import { layerWarnings } from "./layer_warnings.ts";
import { numberWarnings } from "./number_warnings.ts";
import type { OutputContainer, OutputPlan } from "./output.ts";
import { isPermuted, permuteWarnings } from "./permute.ts";
import { outputFor } from "./quantize_output.ts";
import type {
  CopyTask,
  QuantizeTask,
  QuantizeTasks,
} from "./quantize_tasks.ts";
import { newNames } from "./rename.ts";
import { selected } from "./select.ts";
import {
  asFloatsOf,
  bytesInFormat,
  hasValues,
  inFormat,
  isQuantized,
  type Tensor,
  tensorsOf,
  whyNoValues,
} from "./tensors.ts";
import { weighTasks } from "./weigh.ts";

/** What to do with a file. */
export interface FilePlan {
  /** What to do with its tensors. */
  readonly tasks: QuantizeTasks;
  /** Where everything goes. */
  readonly output: OutputPlan;
  /** What the user should know before any work. */
  readonly warnings: readonly string[];
}

/** Which tensors a command is about, beside what the call says. */
export interface PlanRules {
  /** Why a command leaves a tensor as it is; undefined where it does not. */
  leaves?(tensor: Tensor): string | undefined;
}

/**
 * Decides what to do with each tensor of a file, and where it goes.
 *
 * @param call The call; knows which tensors are chosen, their new names, metadata.
 * @param chooser The formats.
 * @param file The input.
 * @param container What is written.
 * @param rules Which tensors the command leaves.
 * @returns The plan, with one tensor at least to quantize.
 * @throws {UsageError} If a pattern matches nothing.
 * @throws {RangeError} If there is nothing to quantize, or something cannot be and the call is strict.
 */
export async function planFile(
  call: Call,
  chooser: FormatChooser,
  file: TensorFile,
  container: OutputContainer,
  rules: PlanRules = {},
): Promise<FilePlan> {
  if (isGguf(file)) rejectImportance(file);
  const fitting = new Fitting(call);
  const tensors = fitting.kept(await tensorsOf(file));
  const names = tensors.map(({ name }) => name);
  const chosen = selected(call, names);
  chooser.checkPatterns(names);
  checkForeign(file, tensors.filter(({ name }) => chosen.has(name)), rules);
  const renamed = await newNames(call, names);
  const planner = {
    call,
    chooser,
    file,
    container,
    alone: names.length === 1,
    rules,
    layouts: new Layouts(),
  };
  const planned = tensors.map((tensor, index): QuantizeTask | CopyTask => {
    const name = renamed[index];
    const cast = fitting.castOf(tensor);
    const left = cast
      ? "cast as asked for"
      : chosen.has(tensor.name)
      ? leftAlone(planner, tensor, name)
      : NOT_CHOSEN;
    const task = left === undefined
      ? taskFor(planner, tensor, index, name)
      : undefined;
    if (typeof task === "object") return task;
    return {
      index,
      tensor,
      name,
      reason: left ?? task!,
      refused: left === undefined,
      cast: cast ??
        (!isQuantized(tensor) && needsFloat32(container, name, tensor)
          ? "F32"
          : rewriteOf(tensor)),
    };
  });
  const tasks = heldBy(container, withoutScales(planned));
  const quantized = tasks.filter((task) => "plan" in task);
  const copied = tasks.filter((task) => "reason" in task);
  checkTasks(call, file, quantized, copied);
  const weighed = await weighTasks(call, quantized);
  const { importance } = weighed;
  const written = await outputFor(call, file, container, { tasks, importance });
  return {
    tasks: { quantized: weighed.tasks, copied },
    output: written.output,
    warnings: [
      ...numberWarnings(quantized),
      ...layerWarnings(
        quantized.map(({ tensor }) => tensor),
        copied.map(({ tensor }) => tensor),
      ),
      ...permuteWarnings(call, quantized),
      ...weighed.warnings,
      ...written.warnings,
    ],
  };
}

/** Where another program has quantized, no tensor beside that is quantized either: the model would be neither. */
function checkForeign(
  { source }: TensorFile,
  chosen: readonly Tensor[],
  rules: PlanRules,
): void {
  const foreign = chosen.find((tensor) =>
    tensor.foreign !== undefined && rules.leaves?.(tensor) === undefined
  );
  if (!foreign) return;
  throw new RangeError(
    `Cannot quantize ${source.name}: ${foreign.foreign}; leave such tensors out with --skip to quantize the others`,
  );
}

/** The scales of a weight that is quantized or cast are in its values; those of one that is copied stay. */
function withoutScales(
  tasks: readonly (QuantizeTask | CopyTask)[],
): readonly (QuantizeTask | CopyTask)[] {
  const scaled = new Set(
    tasks.flatMap((task) =>
      "plan" in task || task.cast !== undefined ? task.tensor.name : []
    ),
  );
  const rest = tasks.filter(({ tensor: { scalesOf } }) =>
    scalesOf === undefined || !scaled.has(scalesOf)
  );
  return rest.length === tasks.length
    ? tasks
    : rest.map((task, index) => ({ ...task, index }));
}

/** An index of faiss has no room for tensors that nobody asked for. */
function heldBy(
  container: OutputContainer,
  tasks: readonly (QuantizeTask | CopyTask)[],
): readonly (QuantizeTask | CopyTask)[] {
  return container === "faiss"
    ? tasks.filter((task) => "plan" in task || task.reason !== NOT_CHOSEN)
    : tasks;
}

function checkTasks(
  call: Call,
  { source }: TensorFile,
  quantized: readonly QuantizeTask[],
  copied: readonly CopyTask[],
): void {
  const left = copied.filter(({ reason }) => reason !== NOT_CHOSEN)
    .toSorted(byWhatTheyTell);
  const refused = left.find(({ refused }) => refused), [first] = left;
  if (refused && call.has("strict")) throw refusalOf(refused);
  if (quantized.length > 0) return;
  if (first?.refused && hasValues(first.tensor)) throw refusalOf(first);
  // Tensors that have the format already may still go to another container.
  if (copied.some(({ tensor }) => tensor.quantized)) return;
  if (first?.refused) throw refusalOf(first);
  throw new RangeError(
    `Nothing to quantize in ${source.name}: ${
      copied.length === 0
        ? "it holds no tensors"
        : first?.reason ?? "--tensors and --skip leave no tensor"
    }`,
  );
}

function refusalOf({ tensor, reason }: CopyTask): RangeError {
  return new RangeError(
    `Cannot quantize tensor ${quote(tensor.name)}: ${reason}`,
  );
}

/**
 * The tensors first whose reason tells most: floats that cannot be quantized tell what
 * is wrong with what was asked for, integers never are; and what a user means first is
 * large.
 */
function byWhatTheyTell(a: CopyTask, b: CopyTask): number {
  return tellingOf(b) - tellingOf(a) ||
    b.tensor.byteLength - a.tensor.byteLength;
}

function tellingOf({ tensor, refused }: CopyTask): number {
  if (!hasValues(tensor)) return 0;
  return refused ? 2 : 1;
}

/** Why tensors are copied that `--tensors` and `--skip` leave out. */
const NOT_CHOSEN = "not chosen";

interface Planner extends Habits {
  readonly file: TensorFile;
  readonly rules: PlanRules;
  readonly layouts: Layouts;
}

interface KnownLayout {
  readonly layout: FormatTensor;
  readonly kept: object;
  readonly bytes: number;
}

/** Layouts by shape: files have many tensors of few shapes. */
class Layouts {
  readonly #known = new Map<string, KnownLayout>();

  /** The layout of a tensor. Throws a RangeError where the format cannot hold it. */
  of(
    format: Format,
    given: object,
    shape: readonly number[],
  ): KnownLayout {
    const key = `${format.name} [${shape}] ${optionsKey(given)}`;
    let known = this.#known.get(key);
    if (!known) {
      const options = format.resolve(given, shape);
      const layout = { format, shape, options };
      const bytes = bytesInFormat(layout);
      known = { layout, kept: format.kept(options), bytes };
      this.#known.set(key, known);
    }
    return known;
  }
}

/** Options as text; flags give only what JSON can say. */
function optionsKey(options: object): string {
  return JSON.stringify(options);
}

/** Why a chosen tensor stays as it is, though it might be quantized. */
function leftAlone(
  planner: Planner,
  tensor: Tensor,
  name: string,
): string | undefined {
  const { rules, chooser, file } = planner;
  const left = rules.leaves?.(tensor) ?? file.bound?.get(tensor.name);
  if (left !== undefined) return left;
  if (tensor.scalesOf !== undefined) {
    return `scales of ${quote(tensor.scalesOf)}`;
  }
  const choice = chooser.of(tensor.name);
  if (!choice) return "no --format matches its name";
  return isSame(tensor, choice)
    ? `it is ${choice.format.name} already`
    : byHabit(planner, tensor, { name, format: choice.format });
}

/** What to do with a tensor, or why it cannot be quantized. */
function taskFor(
  planner: Planner,
  given: Tensor,
  index: number,
  name: string,
): QuantizeTask | string {
  if (!hasValues(given)) return whyNoValues(given);
  const choice = planner.chooser.of(given.name)!;
  const tensor = isQuantized(given)
    ? given
    : asFloatsOf(given, choice.format, planner.file.container);
  const { shape } = tensor;
  try {
    const repacked = isQuantized(tensor) && repackable(planner, tensor, choice);
    const found = repacked
      ? planner.layouts.of(choice.format, repacked, shape)
      : planner.layouts.of(choice.format, choice.options, shape);
    const { layout, bytes, kept: options } = found;
    const why = planner.container === "onnx" && !isQuantized(tensor)
      ? whyNoOperator(layout)
      : undefined;
    if (why !== undefined) return why;
    const plan = { name, format: choice.format, shape: layout.shape, options };
    return {
      ...{ index, tensor, plan, layout, bytes },
      repacked: repacked !== false,
      unheld: repacked && whyNotHeld(planner, choice, shape) || undefined,
      permuted: repacked !== false && isPermuted(planner.call, tensor),
    };
  } catch (error) {
    if (error instanceof NotRepackable) throw error;
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** What was quantized before can only go on from its values, and nobody said that it should. */
class NotRepackable extends RangeError {}

/** The options to repack a tensor with; false where it is to go through its values. */
function repackable(
  planner: Planner,
  tensor: Tensor,
  choice: FormatChoice,
): object | false {
  const { call, layouts } = planner, { format, options: given } = choice;
  const found = repackOptions(
    tensor,
    format,
    isPermuted(call, tensor) && hasActOrder(format)
      ? { actOrder: false, ...given }
      : given,
    layouts,
  );
  if (typeof found !== "string") return found;
  if (call.has("requantize")) return false;
  throw new NotRepackable(
    `Cannot convert tensor ${
      quote(tensor.name)
    }: it is ${tensor.dtype} already, and ${found}; ${
      insteadOfRepacking(whyNotHeld(planner, choice, tensor.shape))
    }`,
  );
}

/** Why a format cannot hold values of a shape, whatever they are; undefined where it can. */
function whyNotHeld(
  { layouts }: Planner,
  { format, options }: FormatChoice,
  shape: readonly number[],
): string | undefined {
  try {
    layouts.of(format, options, shape);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  return undefined;
}

/** The options to repack a tensor with, or why it cannot be. */
function repackOptions(
  tensor: Tensor,
  format: Format,
  given: object,
  layouts: Layouts,
): object | string {
  const from = inFormat(tensor);
  if (!from) return `not a format that can be repacked`;
  const source = tensorOf(from.format, from.shape, from.options);
  try {
    const options = { ...format.like?.(source.scheme, tensor.shape), ...given };
    const resolved = layouts.of(format, options, tensor.shape).layout.options;
    const target = tensorOf(format, tensor.shape, resolved);
    const same = from.format === format;
    return whyNotRepack(source, target, same) ?? options;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function hasActOrder({ options }: Format): boolean {
  return "actOrder" in (options as object);
}

function isSame(
  { quantized, shape }: Tensor,
  { format, options }: FormatChoice,
): boolean {
  if (quantized?.format !== format) return false;
  const kept = format.kept(format.resolve(options, shape));
  return JSON.stringify(quantized.options) === JSON.stringify(kept);
}
