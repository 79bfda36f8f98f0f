/**
 * The operators of ONNX and onnxruntime that read 4-bit weights, and which format
 * each of them is.
 *
 * @module
 */
import { quote } from "./errors.ts";
import type { OnnxNode } from "./onnx_model.ts";
import type { QuantizedEntry } from "./parts.ts";
import { type Reading, readingOf, Unread } from "./readings.ts";
import type { TensorEntry } from "./tensors.ts";

/** What a node looks like to those that read it. */
interface Operands {
  /** The input of an index, where it is an initializer. */
  input(index: number): TensorEntry | undefined;
  /** Whether there is an input, whatever it is. */
  has(index: number): boolean;
  /** An attribute, or what it is by default. */
  attribute(name: string, otherwise?: number): number;
}

interface Operator {
  readonly domains: readonly string[];
  /** Index of the input that is the weight. */
  readonly weight: number;
  /** Indices of the inputs that are numbers of the weight. */
  readonly numbers: readonly number[];
  read(weight: TensorEntry, operands: Operands): Reading;
}

const MICROSOFT = "com.microsoft";
/** 4-bit integers, and the format of each. */
const INTEGERS: ReadonlyMap<string, string> = new Map([
  ["I4", "onnx_int4"],
  ["U4", "onnx_uint4"],
]);

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["MatMulNBits", {
    domains: [MICROSOFT],
    weight: 1,
    numbers: [2, 3],
    read(B, { input, has, attribute }): Reading {
      if (attribute("bits", 4) !== 4) {
        throw new Unread(`its codes have ${attribute("bits")} bits`);
      }
      if (has(4)) throw new Unread("it has g_idx");
      if (attribute("weight_prepacked", 0) !== 0) {
        throw new Unread("it is packed for one processor");
      }
      const scales = input(2), zero_points = input(3);
      if (has(3) && zero_points?.dtype !== "U8") {
        throw new Unread("its zero points are no packed integers");
      }
      return {
        format: "matmul_nbits",
        shape: [attribute("N"), attribute("K")],
        options: {
          blockSize: attribute("block_size"),
          symmetric: !zero_points,
          scaleDtype: scales?.dtype,
        },
        parts: { B, scales, zero_points },
      };
    },
  }],
  ["DequantizeLinear", {
    domains: ["", "ai.onnx", MICROSOFT],
    weight: 0,
    numbers: [1, 2],
    read(data, { input, has, attribute }): Reading {
      const format = INTEGERS.get(data.dtype);
      if (!format) throw new Unread(`its codes are ${data.dtype}`);
      if (attribute("output_dtype", 0) !== 0) {
        throw new Unread("its values are not of the type of the scales");
      }
      const scale = input(1), zero_point = input(2);
      if (has(2) && zero_point?.dtype !== data.dtype) {
        throw new Unread("its zero points are not of the type of the codes");
      }
      const blockSize = attribute("block_size", 0);
      const isOne = scale && blockSize === 0 &&
        scale.shape.every((n) => n === 1);
      return {
        format,
        shape: data.shape,
        options: {
          ...(isOne
            ? { axis: "tensor" }
            : { axis: axisOf(attribute("axis", 1), data), blockSize }),
          symmetric: !zero_point,
          scaleDtype: scale?.dtype,
        },
        parts: { data, scale, zero_point },
      };
    },
  }],
  ["GatherBlockQuantized", {
    domains: [MICROSOFT],
    weight: 0,
    numbers: [2, 3],
    read(data, { input, attribute }): Reading {
      if (!INTEGERS.has(data.dtype)) {
        throw new Unread(`its codes are ${data.dtype}`);
      }
      const scales = input(2), zero_points = input(3);
      const symmetric = data.dtype === "I4";
      if (symmetric === (zero_points !== undefined)) {
        throw new Unread(
          symmetric ? "signed codes have zero points" : "it has no zero points",
        );
      }
      const axis = axisOf(attribute("quantize_axis", 1), data);
      if (axis !== data.shape.length - 1) {
        throw new Unread("its blocks are not along the last axis");
      }
      return {
        format: "gather_blocks",
        shape: data.shape,
        options: { blockSize: attribute("block_size", 128), symmetric },
        parts: { data, scales, zero_points },
      };
    },
  }],
  ["MatMulBnb4", {
    domains: [MICROSOFT],
    weight: 1,
    numbers: [2],
    read(B, { input, attribute }): Reading {
      if (attribute("transB", 1) !== 1) throw new Unread("it is transposed");
      return {
        format: "matmul_bnb4",
        shape: [attribute("N"), attribute("K")],
        options: {
          quantType: ["fp4", "nf4"][attribute("quant_type")],
          blockSize: attribute("block_size"),
        },
        parts: { B, absmax: input(2) },
      };
    },
  }],
]);

function axisOf(axis: number, { shape }: TensorEntry): number {
  return axis < 0 ? axis + shape.length : axis;
}

/** Whether an operator may read a 4-bit weight. */
export function readsWeights(operator: string): boolean {
  return OPERATORS.has(operator);
}

/** The weights of a model. */
export interface OnnxWeights {
  /** Those that are in a format of this program. */
  readonly quantized: readonly QuantizedEntry[];
  /** Codes and numbers of the others, by name, and why they are in no format. */
  readonly bound: ReadonlyMap<string, string>;
}

/** What quantizers put behind the name of a weight. */
const ENDING = /_(DQ_Q4|Q4|Bnb4|quantized)$/;

/**
 * Finds the weights that operators read.
 *
 * @param nodes The operators.
 * @param entries All tensors, names unique.
 * @returns The weights, checked, under the names that they had before they were quantized.
 * @throws {SyntaxError} If an operator and its tensors contradict each other, or two operators.
 */
export function findWeights(
  nodes: readonly OnnxNode[],
  entries: readonly TensorEntry[],
): OnnxWeights {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const found = new Map<TensorEntry, QuantizedEntry>();
  const bound = new Map<string, string>(), names = new Set<string>();
  for (const node of nodes) {
    const operator = OPERATORS.get(node.operator);
    const input = (index: number) => byName.get(node.inputs[index] ?? "");
    const weight = operator && input(operator.weight);
    if (!weight || !operator.domains.includes(node.domain)) continue;
    const before = found.get(weight);
    const stem = weight.name.replace(ENDING, "");
    const free = stem !== "" && !byName.has(stem) && !names.has(stem);
    const name = before?.name ?? (free ? stem : weight.name);
    try {
      const one = readNode(operator, node, name, weight, input);
      if (before && !isSame(before, one)) {
        throw new SyntaxError(
          `tensor ${quote(weight.name)} is read by two operators in two ways`,
        );
      }
      found.set(weight, one);
      names.add(name);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      const why =
        `it belongs to a ${node.operator} that is not read: ${error.message}`;
      for (const index of [operator.weight, ...operator.numbers]) {
        const entry = input(index);
        if (entry) bound.set(entry.name, why);
      }
    }
  }
  return { quantized: [...found.values()], bound };
}

function readNode(
  { read }: Operator,
  { inputs, attributes, operator }: OnnxNode,
  name: string,
  weight: TensorEntry,
  input: (index: number) => TensorEntry | undefined,
): QuantizedEntry {
  const reading = read(weight, {
    input,
    has: (index) => (inputs[index] ?? "") !== "",
    attribute(name, otherwise): number {
      const value = attributes.get(name) ?? otherwise;
      if (value !== undefined) return value;
      throw new SyntaxError(
        `the ${operator} of tensor ${
          quote(weight.name)
        } has no attribute ${name}`,
      );
    },
  });
  return readingOf(name, reading, "its operator says");
}

function isSame(a: QuantizedEntry, b: QuantizedEntry): boolean {
  const text = ({ format, shape, options, parts }: QuantizedEntry) =>
    JSON.stringify([format.name, shape, options, [...parts]]);
  return text(a) === text(b);
}
