/**
 * What happens to the numbers of tensors that were quantized before.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import type { FormatTensor } from "../stream/tensor.ts";
import { TENSOR_SCALES } from "../model/tensor_scale.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import { inFormat, isQuantized, type Tensor } from "./tensors.ts";

const NAMES: Readonly<Record<ComputeDtype, string>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/** What becomes of a tensor. */
interface Task {
  readonly tensor: Tensor;
  readonly layout: FormatTensor;
  readonly repacked: boolean;
}

/** Warnings of what is quantized again, and of values that the new format rounds otherwise. */
export function numberWarnings(tasks: readonly Task[]): string[] {
  return [...ofRequantized(tasks), ...ofRounding(tasks)];
}

function ofRequantized(tasks: readonly Task[]): string[] {
  const again = tasks.filter(({ tensor, repacked }) =>
    isQuantized(tensor) && !repacked
  );
  if (again.length === 0) return [];
  const from = new Set(again.map(({ tensor: { dtype } }) => dtype));
  return [
    `${
      again.length === 1
        ? `tensor ${quote(again[0].tensor.name)} was`
        : `${again.length} tensors were`
    } quantized before (${
      [...from].join(", ")
    }): they go through their values, and the error told here is added to that of before`,
  ];
}

/** Codes and scales are the same, but not what libraries make of them. */
function ofRounding(tasks: readonly Task[]): string[] {
  const changes = new Map<string, Task[]>();
  for (const task of tasks) {
    const from = task.repacked ? inFormat(task.tensor) : undefined;
    if (!from) continue;
    for (const rounded of ROUNDED) {
      const [before, after] = [rounded.to(from), rounded.to(task.layout)];
      if (before === after || !rounded.matters(from)) continue;
      const change = `${from.format.name} rounds ${rounded.what} to ${
        NAMES[before]
      }, ${task.layout.format.name} to ${NAMES[after]}`;
      changes.set(change, [...changes.get(change) ?? [], task]);
    }
  }
  return Array.from(
    changes,
    ([change, [first, ...more]]) =>
      `${
        more.length === 0
          ? `tensor ${quote(first.tensor.name)} has`
          : `${more.length + 1} tensors have`
      } the same codes and scales as before, but ${change}`,
  );
}

/** What libraries round on the way to values. */
const ROUNDED: readonly {
  readonly what: string;
  /** The type that it is rounded to. */
  to(tensor: FormatTensor): ComputeDtype;
  /** Whether there is such a thing. */
  matters(tensor: FormatTensor): boolean;
}[] = [
  {
    what: "values",
    to: (tensor) => schemeOf(tensor).computeDtype,
    matters: () => true,
  },
  {
    what: "the product of two scales",
    to: (tensor) => schemeOf(tensor).productDtype ?? "F32",
    matters: (tensor) => {
      const { fields } = schemeOf(tensor);
      return TENSOR_SCALES.some((role) => role in fields);
    },
  },
];

function schemeOf({ format, shape, options }: FormatTensor): Scheme {
  return format.scheme(shape, options);
}
