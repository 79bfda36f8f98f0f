/**
 * The operators that take tensors of each format in an ONNX model that is written.
 *
 * @module
 */
import { onnxTypeOf } from "./onnx_data.ts";

/** The domain of onnxruntime's own operators. */
export const MICROSOFT = "com.microsoft";

/** An input or an output of the graph. */
export interface Wire {
  /** A number of `TensorProto.DataType`. */
  readonly type: number;
  /** Its dimensions, some of them names for any number. */
  readonly dims: readonly (number | string)[];
}

/** How an operator takes a tensor. */
export interface Wiring {
  /** Its name in its domain. */
  readonly operator: string;
  /** Whose operator it is; absent for ONNX itself. */
  readonly domain?: string;
  /** Inputs in order: names of parts, `"input"` for what the caller gives. Parts that are not there are left out. */
  readonly inputs: readonly string[];
  /** Its attributes. */
  readonly attributes: Readonly<Record<string, number>>;
  /** What the caller gives, where it gives something. */
  readonly input?: Wire;
  /** What it makes. */
  readonly output: Wire;
  /** What follows the tensor's name in that of a part. */
  readonly endings: Readonly<Record<string, string>>;
  /** Parts whose elements or dimensions the operator sees otherwise than the format. */
  readonly seen?: Readonly<Record<string, Wire>>;
}

// deno-lint-ignore no-explicit-any -- each format has options of its own
type Options = any;

const FLOAT = 1, INT64 = 7;

function product(shape: readonly number[], type: number) {
  if (shape.length !== 2) {
    throw new RangeError("its operator takes matrices");
  }
  const [N, K] = shape;
  return {
    domain: MICROSOFT,
    attributes: { K, N },
    input: { type, dims: ["rows", K] },
    output: { type, dims: ["rows", N] },
  };
}

const Q4 = {
  B: "_Q4",
  data: "_Q4",
  scales: "_scales",
  zero_points: "_zero_points",
};

/** DequantizeLinear with codes of a type. */
function dequantizer(codes: number) {
  return (shape: readonly number[], options: Options): Wiring => {
    const { axis, blockSize, scaleDtype, scales } = options;
    const one = axis === "tensor";
    const dims: readonly number[] = one ? [] : scales;
    return {
      operator: "DequantizeLinear",
      inputs: ["data", "scale", "zero_point"],
      attributes: {
        ...(!one && { axis }),
        ...(blockSize > 0 && { block_size: blockSize }),
      },
      output: { type: onnxTypeOf(scaleDtype)!, dims: shape },
      endings: { data: "_Q4", scale: "_scales", zero_point: "_zero_points" },
      seen: {
        data: { type: codes, dims: shape },
        scale: { type: onnxTypeOf(scaleDtype)!, dims },
        zero_point: { type: codes, dims },
      },
    };
  };
}

const INT4 = onnxTypeOf("I4")!, UINT4 = onnxTypeOf("U4")!;

/** How operators take tensors of each format, by its name. */
export const WIRINGS: ReadonlyMap<
  string,
  (shape: readonly number[], options: Options) => Wiring
> = new Map<string, (shape: readonly number[], options: Options) => Wiring>([
  ["matmul_nbits", (shape, { blockSize, scaleDtype, computeDtype }) => {
    if (computeDtype !== scaleDtype) {
      throw new RangeError("its operator computes in the type of the scales");
    }
    const common = product(shape, onnxTypeOf(scaleDtype)!);
    return {
      ...common,
      operator: "MatMulNBits",
      inputs: ["input", "B", "scales", "zero_points"],
      attributes: { ...common.attributes, bits: 4, block_size: blockSize },
      endings: Q4,
    };
  }],
  ["matmul_bnb4", (shape, { blockSize, quantType }) => {
    const common = product(shape, FLOAT);
    return {
      ...common,
      operator: "MatMulBnb4",
      inputs: ["input", "B", "absmax"],
      attributes: {
        ...common.attributes,
        block_size: blockSize,
        quant_type: quantType === "nf4" ? 1 : 0,
      },
      endings: { B: "_Bnb4", absmax: "_absmax" },
    };
  }],
  ["gather_blocks", (shape, { blockSize, symmetric, scales }) => {
    if (shape.length < 2) {
      throw new RangeError("its operator takes two dimensions or more");
    }
    const type = symmetric ? INT4 : UINT4;
    return {
      operator: "GatherBlockQuantized",
      domain: MICROSOFT,
      inputs: ["data", "input", "scales", "zero_points"],
      attributes: {
        block_size: blockSize,
        gather_axis: 0,
        quantize_axis: shape.length - 1,
      },
      input: { type: INT64, dims: ["indices"] },
      output: { type: FLOAT, dims: ["indices", ...shape.slice(1)] },
      endings: Q4,
      seen: {
        data: { type, dims: shape },
        zero_points: { type, dims: scales },
      },
    };
  }],
  ["onnx_int4", dequantizer(INT4)],
  ["onnx_uint4", dequantizer(UINT4)],
]);

/** Whether ONNX has an operator for a format. */
export function hasOnnxOperator(format: string): boolean {
  return WIRINGS.has(format);
}

/**
 * Why no operator takes a tensor.
 *
 * @param tensor Format, shape and options with everything filled in.
 * @returns The reason; undefined where one does.
 */
export function whyNoOperator(
  { format, shape, options }: {
    readonly format: { readonly name: string };
    readonly shape: readonly number[];
    readonly options: object;
  },
): string | undefined {
  const wiring = WIRINGS.get(format.name);
  if (!wiring) return "ONNX has no operator for it";
  try {
    wiring(shape, { ...options, scales: [] });
  } catch (error) {
    if (error instanceof RangeError) return `in ONNX, ${error.message}`;
    throw error;
  }
}
