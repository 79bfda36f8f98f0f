/**
 * Tensors of an ONNX model: what the fields of a TensorProto say.
 *
 * ```text
 * TensorProto   1 dims*  2 data_type  4 float_data  5 int32_data  7 int64_data  8 name
 *               9 raw_data  10 double_data  11 uint64_data  13 external_data*  14 data_location
 * ```
 *
 * Source: onnx 1.23.2, `onnx/onnx.proto`.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { ONNX_TEXT_BYTES, TENSOR_RANK } from "./limits.ts";
import {
  type ByteRange,
  signed,
  type WireField,
  type WireReader,
} from "./protobuf.ts";

/** A tensor that a model holds. */
export interface OnnxTensor {
  /** Its name. */
  readonly name: string;
  /** Dimensions, not checked. */
  readonly shape: readonly number[];
  /** Whether it is in the body of an operator, whose operators are not read. */
  readonly inBody: boolean;
  /** A number of `TensorProto.DataType`. */
  readonly type: number;
  /** Where its numbers lie, by the number of the field. */
  readonly data: ReadonlyMap<number, ByteRange>;
  /** Where they lie outside the file: keys and values as they are; absent where they do not. */
  readonly external?: ReadonlyMap<string, string>;
}

/** Fields of TensorProto that hold numbers. */
export const DATA = {
  float: 4,
  int32: 5,
  int64: 7,
  raw: 9,
  double: 10,
  uint64: 11,
} as const;

const DATA_FIELDS: ReadonlySet<number> = new Set(Object.values(DATA));

/** Fields that may be there once. Protobuf takes the last of two fields, other programs the first: a file that has two means to deceive. */
export class Once {
  readonly #what: string;
  readonly #seen = new Set<number>();

  constructor(what: string) {
    this.#what = what;
  }

  take(field: WireField, kind: number): WireField {
    checkKind(field, kind, this.#what);
    if (this.#seen.has(field.number)) {
      throw new SyntaxError(`${this.#what} has field ${field.number} twice`);
    }
    this.#seen.add(field.number);
    return field;
  }
}

function checkKind(field: WireField, kind: number, what: string): void {
  if (field.kind === kind) return;
  throw new SyntaxError(
    `field ${field.number} of ${what} is of kind ${field.kind}, not ${kind}`,
  );
}

/** A field that holds bytes. */
export function bytesOf(field: WireField, what: string): ByteRange {
  checkKind(field, 2, what);
  return field;
}

/** A field that is a whole number. */
export function wholeOf(field: WireField): number {
  return Number(signed(field.value));
}

/**
 * Reads a tensor.
 *
 * @param reader The file.
 * @param range Its fields.
 * @param what What it is, for errors.
 * @returns What they say; the name may be empty.
 */
export async function readTensor(
  reader: WireReader,
  range: ByteRange,
  what: string,
): Promise<OnnxTensor> {
  const once = new Once(what), shape: number[] = [];
  const data = new Map<number, ByteRange>(), told = new Map<string, string>();
  let name = "", type = 0, isExternal = false;
  for await (const field of reader.fields(range, what)) {
    const { number } = field;
    if (number === 1) await readDimensions(reader, field, what, shape);
    else if (number === 2) type = wholeOf(once.take(field, 0));
    else if (number === 3) {
      throw new SyntaxError(`${what} is a segment of a tensor`);
    } else if (number === 8) {
      name = await reader.text(once.take(field, 2), ONNX_TEXT_BYTES, what);
    } else if (DATA_FIELDS.has(number)) {
      data.set(number, once.take(field, 2));
    } else if (number === 13) await readPair(reader, field, what, told);
    else if (number === 14) isExternal = once.take(field, 0).value === 1n;
  }
  return {
    name,
    inBody: false,
    shape,
    type,
    data,
    ...(isExternal && { external: told }),
  };
}

/** One dimension, or several one after another. */
async function readDimensions(
  reader: WireReader,
  field: WireField,
  what: string,
  shape: number[],
): Promise<void> {
  const take = (value: bigint) => {
    if (shape.length === TENSOR_RANK) {
      throw new RangeError(`${what} has more than ${TENSOR_RANK} dimensions`);
    }
    shape.push(Number(signed(value)));
  };
  if (field.kind === 0) take(field.value);
  else await reader.eachVarint(bytesOf(field, what), what, take);
}

async function readPair(
  reader: WireReader,
  field: WireField,
  what: string,
  told: Map<string, string>,
): Promise<void> {
  const once = new Once(what);
  let key = "", value = "";
  for await (const part of reader.fields(bytesOf(field, what), what)) {
    if (part.number > 2) continue;
    const text = await reader.text(once.take(part, 2), ONNX_TEXT_BYTES, what);
    if (part.number === 1) key = text;
    else value = text;
  }
  if (told.has(key)) throw new SyntaxError(`${what} has ${quote(key)} twice`);
  told.set(key, value);
}
