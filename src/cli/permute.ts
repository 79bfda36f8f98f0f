/**
 * Act-order undone: columns in the order of their groups, and a file that says
 * where each was, `--permute-to FILE`.
 *
 * ```text
 * <tensor>  I32 [columns]  number of the column that stands at each place now
 * x · Wᵀ = x[:, permutation] · W_permutedᵀ
 * ```
 *
 * @module
 */
import { realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import type { ByteSink } from "../files/bytes.ts";
import { fileError, printable, quote } from "../files/errors.ts";
import { createFile } from "../files/file_sink.ts";
import { checkOutside } from "../files/folder_sink.ts";
import { together } from "../files/joined_sink.ts";
import type { TensorFile } from "../files/tensors.ts";
import { matrixOf } from "../numeric/shape.ts";
import { columnsByGroup, isInActOrder } from "../schemes/act_order.ts";
import { bytesOf } from "../stream/memory.ts";
import { groupOf } from "../words/scheme.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { safetensorsOutput } from "./output.ts";
import type { QuantizeTask } from "./quantize_tasks.ts";
import { inFormat, type Tensor } from "./tensors.ts";
import { countOf } from "./text.ts";

/** The flag. */
export const PERMUTE_FLAG: Flag = {
  name: "permute-to",
  takes: "OUT",
  help:
    "put columns in act-order in the order of their groups, so that other layouts hold them; OUT.safetensors gets the permutations",
};

const ENDING = ".safetensors";

/**
 * Checks what can be checked before the input is opened.
 *
 * @param call The call.
 * @param output The path of the output.
 * @throws {UsageError} If the file is of another kind, or lies where the output goes.
 */
export async function checkPermuteCall(
  call: Call,
  output: string,
): Promise<void> {
  const path = call.get(PERMUTE_FLAG.name);
  if (path === undefined) return;
  const fail = (reason: string): never => {
    throw new UsageError(
      `Cannot write permutations to ${printable(path)}: ${reason}`,
    );
  };
  if (!path.toLowerCase().endsWith(ENDING)) fail(`it must end in ${ENDING}`);
  const own = await realPath(path), other = await realPath(output);
  if (own === other) fail("that is the output; name another file");
  if (own.startsWith(other + sep)) {
    fail("it is in the folder of the output; name a file beside that");
  }
}

/** What a path leads to, where there is something. */
async function realPath(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path));
}

/** Whether the columns of a tensor are put in the order of their groups when it is repacked. */
export function isPermuted(call: Call, tensor: Tensor): boolean {
  const from = call.has(PERMUTE_FLAG.name) ? inFormat(tensor) : undefined;
  return from !== undefined &&
    isInActOrder(from.format.scheme(from.shape, from.options));
}

/**
 * What the user should know of tensors whose columns change their places.
 *
 * @param call The call.
 * @param tasks What is quantized.
 * @returns Warnings.
 * @throws {RangeError} If permutations are asked for, and there are none.
 */
export function permuteWarnings(
  call: Call,
  tasks: readonly QuantizeTask[],
): string[] {
  const path = call.get(PERMUTE_FLAG.name);
  if (path === undefined) return [];
  const permuted = permutedOf(tasks);
  if (permuted.length === 0) {
    throw new RangeError(
      `Cannot write permutations to ${
        printable(path)
      }: no tensor that is repacked is in act-order; drop --permute-to`,
    );
  }
  const which = permuted.length === 1
    ? `tensor ${quote(permuted[0].plan.name)} are`
    : `${countOf(permuted.length, "tensor")} are`;
  return [
    `the columns of ${which} in the order of their groups now: whoever multiplies with one takes x[:, permutation] for x, by the permutation of its name in ${
      printable(path)
    }; no library does so by itself`,
  ];
}

function permutedOf(tasks: readonly QuantizeTask[]): QuantizeTask[] {
  return tasks.filter(({ permuted }) => permuted);
}

/**
 * Writes the permutations beside an output.
 *
 * @param call The call; no file that it reads is written.
 * @param file The input.
 * @param tasks What is done with its tensors.
 * @param sink The output that is written.
 * @returns The output, which appears together with the permutations, where they were asked for.
 * @throws {RangeError} If groups have not as many columns as they should.
 */
export async function withPermutations(
  call: Call,
  file: TensorFile,
  tasks: readonly QuantizeTask[],
  sink: ByteSink,
): Promise<ByteSink> {
  const path = call.get(PERMUTE_FLAG.name);
  if (path === undefined) return sink;
  let beside: ByteSink | undefined;
  try {
    beside = await openBeside(call, file, path);
    await writePermutations(file, permutedOf(tasks), beside);
    return together(sink, beside);
  } catch (error) {
    await beside?.abort();
    await sink.abort();
    throw error;
  }
}

async function openBeside(
  call: Call,
  { paths = [], checkpoint }: TensorFile,
  path: string,
): Promise<ByteSink> {
  if (checkpoint) {
    await checkOutside(path, checkpoint.folder).catch((error) => {
      throw fileError(`Cannot write ${printable(path)}`, error);
    });
  }
  const inputs = [...call.inputs, ...paths];
  return await createFile(path, { force: call.has("force"), inputs });
}

async function writePermutations(
  file: TensorFile,
  tasks: readonly QuantizeTask[],
  sink: ByteSink,
): Promise<void> {
  const plan = safetensorsOutput(tasks.map(({ plan: { name, shape } }) => ({
    name,
    dtype: "I32",
    shape: [matrixOf(shape).columns],
  })));
  await plan.writeFrame(sink);
  for (const [i, task] of tasks.entries()) {
    const permutation = await permutationOf(file, task);
    await sink.write(plan.offsetOf(i), bytesOf(permutation));
  }
}

/** Reads the groups of the columns, and sorts the columns by them. */
async function permutationOf(
  { source }: TensorFile,
  { tensor, layout: { format, shape, options } }: QuantizeTask,
): Promise<Int32Array> {
  const matrix = matrixOf(shape);
  const groups = new Int32Array(matrix.columns);
  await source.read(orderEntry(tensor).offset, bytesOf(groups));
  const { columns } = groupOf(format.scheme(shape, options), matrix);
  try {
    return columnsByGroup(groups, columns);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(
      `Cannot convert tensor ${quote(tensor.name)}: ${error.message}`,
      { cause: error },
    );
  }
}

/** The part that has the group of each column. */
function orderEntry(tensor: Tensor) {
  const { format, shape, options } = inFormat(tensor)!;
  const { parts } = format.layout(shape, options);
  const name = Object.keys(parts).find((part) =>
    parts[part].holds.some((item) =>
      item.kind === "field" && item.role === "order"
    )
  );
  return tensor.quantized!.parts.get(name!)!;
}
