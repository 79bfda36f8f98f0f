/**
 * `--imatrix` beside `--format`: weights of columns for the formats that take them.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { type Importance, openImportance } from "../files/imatrix.ts";
import { matchImportance } from "../files/importance_match.ts";
import { formats } from "../formats.ts";
import { ggmlLayouts } from "../ggml/table.ts";
import type { FormatTensor } from "../stream/tensor.ts";
import type { Format } from "../words/format.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { QuantizeTask, WeighedMatrix } from "./quantize_tasks.ts";

/** The flags; a recipe takes them too. */
export const IMATRIX_FLAGS: readonly Flag[] = [
  {
    name: "imatrix",
    takes: "FILE",
    help: "how much columns matter: a file of llama-imatrix, GGUF or .dat",
    reads: (value) => value,
  },
  {
    name: "imatrix-partial",
    help: "do without importance where FILE has none that fits, and warn",
  },
];

/** Tasks with their weights. */
export interface WeighedTasks {
  /** The tasks in their order. */
  readonly tasks: readonly QuantizeTask[];
  /** The file that was used. */
  readonly importance?: Importance;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/**
 * Checks that importance can be used.
 *
 * @param call The call.
 * @param chosen The formats that may be used.
 * @throws {UsageError} If none of them takes importance, or there is no file.
 */
export function checkImatrix(call: Call, chosen: readonly Format[]): void {
  if (!call.has("imatrix")) {
    if (!call.has("imatrix-partial")) return;
    throw new UsageError(
      "Flag --imatrix-partial goes with --imatrix: add that",
    );
  }
  if (chosen.some(takesWeights)) return;
  const known = [...formats.values()].filter(takesWeights);
  throw new UsageError(
    `Flag --imatrix is for formats that weigh columns: add --format with one of ${
      known.map(({ name }) => name).join(", ")
    }, or drop it`,
  );
}

function takesWeights({ options }: Format): boolean {
  return "importance" in options;
}

/**
 * Gives weights to what is quantized anew.
 *
 * @param call The call.
 * @param tasks What is quantized.
 * @returns The same tasks, those that are weighed cut into their matrices.
 * @throws {RangeError} If the file has no weights for one of them, or too many or too few.
 */
export async function weighTasks(
  call: Call,
  tasks: readonly QuantizeTask[],
): Promise<WeighedTasks> {
  const path = call.get("imatrix");
  if (path === undefined) return { tasks, warnings: [] };
  const importance = await openImportance(path);
  const weighed = tasks.filter(({ plan, repacked }) =>
    !repacked && takesWeights(plan.format)
  );
  const { byName, warnings } = matchImportance(
    importance,
    weighed.map(({ plan: { name, shape } }) => ({ name, shape, weighs: true })),
    call.has("imatrix-partial"),
  );
  return {
    importance,
    warnings,
    tasks: tasks.map((task) => {
      const weights = byName.get(task.plan.name);
      return weights && weighed.includes(task)
        ? weighedTask(task, weights)
        : task;
    }),
  };
}

/** One row of weights goes with all of a tensor; of several, each with a matrix of it. */
function weighedTask(task: QuantizeTask, weights: Float32Array): QuantizeTask {
  const { layout, plan: { name } } = task, { format, shape } = layout;
  if (weights.length === (shape.at(-1) ?? 1)) {
    const options = { ...layout.options, importance: weights };
    return {
      ...task,
      layout: { ...layout, options: format.resolve(options, shape) },
    };
  }
  const blocks = ggmlLayouts.get(format.name.toUpperCase());
  if (!blocks) {
    throw new RangeError(
      `Cannot weigh tensor ${quote(name)} ${
        shape.join("×")
      }: ${format.name} takes one weight per column, not weights for each of ${
        weights.length / shape.at(-1)!
      } matrices; leave it out with --skip`,
    );
  }
  return { ...task, matrices: matricesOf(layout, weights, blocks.blockSize) };
}

function matricesOf(
  { format, shape, options: given }: FormatTensor,
  weights: Float32Array,
  blockSize: number,
): WeighedMatrix[] {
  const columns = shape.at(-1)!;
  const count = weights.length / columns;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1) / count;
  return Array.from({ length: count }, (_, no) => {
    const own = [rows, columns];
    const importance = weights.subarray(no * columns, (no + 1) * columns);
    return {
      layout: {
        format,
        shape: own,
        options: format.resolve({ ...given, importance }, own),
      },
      row: no * rows,
      block: no * rows * columns / blockSize,
    };
  });
}
