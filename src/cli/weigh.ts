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
import { isSearched, isWeighedByReference } from "../words/search.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { FormatChoice } from "./formats_flag.ts";
import type { QuantizeTask } from "./quantize_tasks.ts";

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
 * @param choices The formats that may be used, with their options.
 * @throws {UsageError} If none of them takes importance, or there is no file.
 */
export function checkImatrix(
  call: Call,
  choices: readonly FormatChoice[],
): void {
  if (!call.has("imatrix")) {
    if (!call.has("imatrix-partial")) return;
    throw new UsageError(
      "Flag --imatrix-partial goes with --imatrix: add that",
    );
  }
  if (choices.some(takesWeights)) return;
  const known = [...formats.values()].filter((format) =>
    takesWeights({ format, options: {} })
  );
  throw new UsageError(
    `Flag --imatrix is for formats that weigh columns: add --format with one of ${
      known.map(({ name }) => name).join(", ")
    }, or drop it`,
  );
}

/** Whether a format weighs columns: by its reference, or by the search that is asked for. */
export function takesWeights({ format, options }: FormatChoice): boolean {
  return isWeighedByReference(format.options) ||
    "importance" in format.options && isSearched(options);
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
  const weighed = tasks.filter(({ layout, repacked }) =>
    !repacked && takesWeights(layout)
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
        ? { ...task, ...weighedBy(task, weights) }
        : task;
    }),
  };
}

/** A task with weights: those of the whole, or of each matrix. */
function weighedBy(
  { plan, layout }: QuantizeTask,
  weights: Float32Array,
): Partial<QuantizeTask> {
  const { format, shape } = layout;
  const columns = shape.at(-1) ?? 1;
  const count = weights.length / columns;
  if (count === 1) return { layout: weighted(layout, shape, weights) };
  const { blockSize } = ggmlLayouts.get(format.name.toUpperCase()) ?? {};
  if (blockSize === undefined) {
    throw new RangeError(
      `Cannot quantize tensor ${
        quote(plan.name)
      } with importance: it has ${count} matrices with weights of their own, which ${format.name} cannot have; leave it out with --skip`,
    );
  }
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1) / count;
  const matrices = Array.from({ length: count }, (_, no) => {
    const own = weights.subarray(no * columns, (no + 1) * columns);
    return {
      layout: weighted(layout, [rows, columns], own),
      row: no * rows,
      block: no * rows * columns / blockSize,
    };
  });
  return { matrices };
}

function weighted(
  { format, options }: FormatTensor,
  shape: readonly number[],
  importance: Float32Array,
): FormatTensor {
  return {
    format,
    shape,
    options: format.resolve({ ...options, importance }, shape),
  };
}
