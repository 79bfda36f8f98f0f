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
 * What protobuf cannot hold lies in a file beside the model.
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
import { MICROSOFT, type Wire, type Wiring, WIRINGS } from "./onnx_wirings.ts";
import type { QuantizedPlan } from "./parts.ts";
import {
  type Frame,
  integer,
  type LaidOut,
  laidOut,
  message,
  type Piece,
  writeFrame,
} from "./protobuf_write.ts";

const WHERE = "Cannot write ONNX";
const IR_VERSION = 10;
const OPSET = 21;

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
  readonly frame: Frame;
  /** A file beside it that holds data, where it would be too large otherwise: its bytes follow those of the model in offsets. */
  readonly beside?: { readonly name: string; readonly size: number };
  /** Where the data of each tensor goes, or of each of its parts. */
  offsetOf(tensor: string, part?: string): number;
}

/** How a model may be laid out. */
export interface OnnxLayout {
  /** What a file of data beside the model is called. */
  readonly location: string;
  /** The most bytes of a model; what protobuf can hold by default. */
  readonly limit?: number;
}

const encoder = new TextEncoder();

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

/** A tensor of the graph. */
interface Held {
  readonly name: string;
  readonly wire: Wire;
  readonly byteLength: number;
}

function initializer(
  { name, wire: { type, dims } }: Held,
  data: readonly Piece[],
): Piece[] {
  return message(5, [
    ...dims.map((n) => integer(1, n as number)),
    integer(2, type),
    ...text(8, name),
    ...data,
  ]);
}

function inside(one: Held): Piece[] {
  const { name, byteLength } = one;
  return initializer(one, message(9, [{ name, length: byteLength }]));
}

/** Data of fewer bytes stays in the model: onnx's own tools leave it there, too. */
const LEAST_BESIDE = 1024;
/** Data beside the model starts at multiples of this, so that it can be used in place. */
const ALIGNMENT = 64;

/** Data in a file beside the model. */
class Beside {
  readonly offsets = new Map<string, number>();
  size = 0;
  readonly #location: string;

  constructor(location: string) {
    this.#location = location;
  }

  /** An initializer whose data lies there, if there is much of it. */
  initializer(one: Held): Piece[] {
    const { name, byteLength } = one;
    if (byteLength < LEAST_BESIDE) return inside(one);
    const offset = Math.ceil(this.size / ALIGNMENT) * ALIGNMENT;
    this.offsets.set(name, offset);
    this.size = offset + byteLength;
    const told = {
      location: this.#location,
      offset: `${offset}`,
      length: `${byteLength}`,
    };
    const pairs = Object.entries(told).flatMap(([key, value]) =>
      message(13, [...text(1, key), ...text(2, value)])
    );
    return initializer(one, [...pairs, integer(14, 1)]);
  }
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
 * @param layout What to call a file beside it, and when there is one.
 * @returns The plan.
 * @throws {RangeError} If there is no operator for a tensor, no type for its
 * elements, a name is taken twice, or the file goes beyond what protobuf can hold
 * though its data is beside it.
 */
export function planOnnx(
  quantized: readonly QuantizedPlan[],
  plain: readonly PlainInitializer[],
  layout: OnnxLayout,
): OnnxPlan {
  const nodes: Piece[] = [], held: Held[] = [], ends: Piece[] = [];
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
      const wire = wiring.seen?.[part] ??
        { type: onnxTypeOf(spec.dtype)!, dims: spec.shape };
      held.push({ name: called.get(part)!, wire, byteLength: partBytes(spec) });
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
    held.push({ name: take(name), wire: { type, dims: shape }, byteLength });
  }
  const plan = arranged(held, layout, (tensors) => [
    ...nodes,
    ...text(2, "nibblewise"),
    ...tensors,
    ...ends,
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

/** Puts the data into the model, or beside it where it has to be. */
function arranged(
  held: readonly Held[],
  { location, limit = ONNX_BYTES }: OnnxLayout,
  graphOf: (tensors: readonly Piece[]) => readonly Piece[],
): LaidOut & Pick<OnnxPlan, "beside"> {
  const whole = laidOut(modelOf(graphOf(held.flatMap(inside))));
  if (whole.size <= limit) return whole;
  const beside = new Beside(location);
  const tensors = held.flatMap((one) => beside.initializer(one));
  const { size, frame, offsets } = laidOut(modelOf(graphOf(tensors)));
  if (size > limit) {
    throw new RangeError(
      `${WHERE}: ${size} bytes without large tensors are above the limit of protobuf, ${limit}; write .safetensors instead`,
    );
  }
  for (const [name, offset] of beside.offsets) offsets.set(name, size + offset);
  return {
    size,
    frame,
    offsets,
    beside: { name: location, size: beside.size },
  };
}

function modelOf(graph: readonly Piece[]): Piece[] {
  const opset = (domain: string, version: number) =>
    message(8, [...text(1, domain), integer(2, version)]);
  return [
    integer(1, IR_VERSION),
    ...text(2, "nibblewise"),
    ...message(7, graph),
    ...opset("", OPSET),
    ...opset(MICROSOFT, 1),
  ];
}

/** Writes all of a model but the data of its tensors. */
export async function writeOnnxFrame(
  sink: ByteWriter,
  { frame }: OnnxPlan,
): Promise<void> {
  await writeFrame(sink, frame);
}
