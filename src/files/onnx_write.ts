/**
 * Lays out a minimal ONNX model: an operator for each quantized tensor, with an input
 * and an output of its own, and all other tensors as initializers.
 *
 * | format                    | operator             | input of tensor `W`  | output `W.output` |
 * | ------------------------- | -------------------- | -------------------- | ----------------- |
 * | `matmul_nbits`            | MatMulNBits          | `W.input` [rows, K]  | [rows, N]         |
 * | `matmul_bnb4`             | MatMulBnb4           | `W.input` [rows, K]  | [rows, N]         |
 * | `gather_blocks`           | GatherBlockQuantized | `W.input` [indices]  | the rows          |
 * | `onnx_int4`, `onnx_uint4` | DequantizeLinear     |                      | all values        |
 *
 * Operators of opset 21 and of onnxruntime, IR version 10.
 *
 * @module
 */
import type { PartSpec } from "../words/layout.ts";
import { partBytes } from "../words/layout.ts";
import type { ByteWriter } from "../stream/bytes.ts";
import { quote } from "./errors.ts";
import { ONNX_BYTES, ONNX_TEXT_BYTES } from "./limits.ts";
import { onnxTypeOf } from "./onnx_data.ts";
import type { QuantizedPlan } from "./parts.ts";

const WHERE = "Cannot write ONNX";
const IR_VERSION = 10;
const OPSET = 21;
const MICROSOFT = "com.microsoft";

/** A tensor that is no weight of an operator. */
export interface PlainInitializer {
  /** Its name. */
  readonly name: string;
  /** Its dtype, as the rest of the program calls it. */
  readonly dtype: string;
  /** Its dimensions. */
  readonly shape: readonly number[];
  /** Its size in bytes. */
  readonly byteLength: number;
}

/** Where everything of a model goes. */
export interface OnnxPlan {
  /** Bytes of the file. */
  readonly size: number;
  /** All but the tensors' data, and where it goes. */
  readonly frame: readonly {
    readonly offset: number;
    readonly bytes: Uint8Array;
  }[];
  /** Where the data of each tensor goes, or of each of its parts. */
  offsetOf(tensor: string, part?: string): number;
}

/** An input or an output of the graph. */
interface Wire {
  readonly type: number;
  readonly dims: readonly (number | string)[];
}

/** How an operator takes a tensor. */
interface Wiring {
  readonly operator: string;
  readonly domain?: string;
  /** Inputs in order: names of parts, `"input"` for what the caller gives. Parts that are not there are left out. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, number>>;
  readonly input?: Wire;
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

const WIRINGS: ReadonlyMap<
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

// ---- the bytes ----

/** Room for the data of a tensor. */
interface Hole {
  readonly name: string;
  readonly length: number;
}

type Piece = Uint8Array | Hole;

const encoder = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) {
    bytes.push(rest % 128 | 128);
  }
  return [...bytes, rest];
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

function message(field: number, pieces: readonly Piece[]): Piece[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const head = [...varint(field * 8 + 2), ...varint(length)];
  return [Uint8Array.from(head), ...pieces];
}

function text(field: number, value: string): Piece[] {
  const bytes = encoder.encode(value);
  if (bytes.length > ONNX_TEXT_BYTES) {
    throw new RangeError(
      `${WHERE}: the name ${
        quote(value)
      } takes ${bytes.length} bytes; at most ${ONNX_TEXT_BYTES} are written`,
    );
  }
  return message(field, [bytes]);
}

function initializer(
  name: string,
  { type, dims }: Wire,
  byteLength: number,
): Piece[] {
  return message(5, [
    ...dims.map((n) => integer(1, n as number)),
    integer(2, type),
    ...text(8, name),
    ...message(9, [{ name, length: byteLength }]),
  ]);
}

/** An input (11) or an output (12) of the graph. */
function value(field: number, name: string, { type, dims }: Wire): Piece[] {
  const shape = dims.flatMap((n) =>
    message(1, typeof n === "number" ? [integer(1, n)] : text(2, n))
  );
  const tensor = message(1, [integer(1, type), ...message(2, shape)]);
  return message(field, [...text(1, name), ...message(2, tensor)]);
}

function node(
  { operator, domain = "", attributes }: Wiring,
  inputs: readonly string[],
  name: string,
): Piece[] {
  return message(1, [
    ...inputs.flatMap((input) => text(1, input)),
    ...text(2, `${name}.output`),
    ...text(3, name),
    ...text(4, operator),
    ...Object.entries(attributes).flatMap(([key, n]) =>
      message(5, [...text(1, key), integer(3, n), integer(20, 2)])
    ),
    ...text(7, domain),
  ]);
}

/** The name of a part's initializer. */
function partName(
  { endings }: Pick<Wiring, "endings">,
  tensor: string,
  part: string,
): string {
  return tensor + endings[part];
}

function wiringOf(
  plan: QuantizedPlan,
  parts: Record<string, PartSpec>,
): Wiring {
  const { format, shape, options, name } = plan;
  const wiring = WIRINGS.get(format.name);
  try {
    if (!wiring) throw new RangeError("ONNX has no operator for it");
    const { shape: scales } = parts.scale ?? parts.scales ?? { shape: [] };
    return wiring(shape, { ...format.resolve(options, shape), scales });
  } catch (error) {
    throw new RangeError(
      `${WHERE}: tensor ${quote(name)} is ${format.name} [${shape}], and ${
        (error as Error).message
      }; write .safetensors instead`,
      { cause: error },
    );
  }
}

/**
 * Lays out a model.
 *
 * @param quantized Tensors that operators take.
 * @param plain All others.
 * @returns The plan.
 * @throws {RangeError} If there is no operator for a tensor, no type for its
 * elements, a name is taken twice, or the file goes beyond what protobuf can hold.
 */
export function planOnnx(
  quantized: readonly QuantizedPlan[],
  plain: readonly PlainInitializer[],
): OnnxPlan {
  const nodes: Piece[] = [], tensors: Piece[] = [], ends: Piece[] = [];
  const wirings = new Map<string, Wiring>(), names = new Set<string>();
  const take = (name: string) => {
    if (name === "" || names.has(name)) {
      throw new RangeError(
        `${WHERE}: ${quote(name)} would be the name of ${
          name === "" ? "a tensor" : "two tensors"
        }; rename one`,
      );
    }
    names.add(name);
    return name;
  };
  for (const plan of quantized) {
    const { format, shape, options, name } = plan;
    const parts: Record<string, PartSpec> =
      format.layout(shape, format.resolve(options, shape)).parts;
    const wiring = wiringOf(plan, parts), { inputs, input, output } = wiring;
    wirings.set(name, wiring);
    const called = new Map(
      Object.keys(parts).map((
        part,
      ) => [part, take(partName(wiring, name, part))]),
    );
    if (input) called.set("input", take(`${name}.input`));
    nodes.push(...node(
      wiring,
      inputs.flatMap((one) => called.get(one) ?? []),
      name,
    ));
    for (const [part, spec] of Object.entries(parts)) {
      const seen = wiring.seen?.[part] ??
        { type: onnxTypeOf(spec.dtype)!, dims: spec.shape };
      tensors.push(...initializer(called.get(part)!, seen, partBytes(spec)));
    }
    if (input) ends.push(...value(11, `${name}.input`, input));
    ends.push(...value(12, take(`${name}.output`), output));
  }
  for (const { name, dtype, shape, byteLength } of plain) {
    const type = onnxTypeOf(dtype);
    if (type === undefined) {
      throw new RangeError(
        `${WHERE}: tensor ${
          quote(name)
        } is ${dtype}, which ONNX has no type for; leave it out with --skip`,
      );
    }
    tensors.push(...initializer(take(name), { type, dims: shape }, byteLength));
  }
  const opset = (domain: string, version: number) =>
    message(8, [...text(1, domain), integer(2, version)]);
  const graph = [...nodes, ...text(2, "nibblewise"), ...tensors, ...ends];
  const plan = laidOut([
    integer(1, IR_VERSION),
    ...text(2, "nibblewise"),
    ...message(7, graph),
    ...opset("", OPSET),
    ...opset(MICROSOFT, 1),
  ]);
  return {
    ...plan,
    offsetOf(tensor, part): number {
      const name = part === undefined
        ? tensor
        : partName(wirings.get(tensor)!, tensor, part);
      return plan.offsets.get(name)!;
    },
  };
}

function laidOut(pieces: readonly Piece[]) {
  const frame: { offset: number; bytes: Uint8Array }[] = [];
  const offsets = new Map<string, number>();
  let size = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) frame.push({ offset: size, bytes: piece });
    else offsets.set(piece.name, size);
    size += piece.length;
  }
  if (size > ONNX_BYTES) {
    throw new RangeError(
      `${WHERE}: ${size} bytes are above the limit of protobuf, ${ONNX_BYTES}; write .safetensors instead`,
    );
  }
  return { size, frame, offsets };
}

/** Writes all of a model but the data of its tensors. */
export async function writeOnnxFrame(
  sink: ByteWriter,
  { frame }: OnnxPlan,
): Promise<void> {
  // Pieces between two tensors are small, and go out as one.
  for (let i = 0; i < frame.length;) {
    const { offset } = frame[i];
    const run: Uint8Array[] = [];
    let end = offset;
    for (; i < frame.length && frame[i].offset === end; i++) {
      run.push(frame[i].bytes);
      end += frame[i].bytes.length;
    }
    const bytes = new Uint8Array(end - offset);
    let at = 0;
    for (const piece of run) {
      bytes.set(piece, at);
      at += piece.length;
    }
    await sink.write(offset, bytes);
  }
}
