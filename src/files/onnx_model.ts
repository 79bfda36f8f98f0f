/**
 * The fields of an ONNX model that tell of weights: initializers, and the operators
 * that read them.
 *
 * ```text
 * ModelProto    7 graph
 * GraphProto    1 node*  5 initializer*
 * NodeProto     1 input*  3 name  4 op_type  5 attribute*  7 domain
 * Attribute     1 name  3 i  6 g  11 graphs*
 * TensorProto   1 dims*  2 data_type  4 float_data  5 int32_data  7 int64_data  8 name
 *               9 raw_data  10 double_data  11 uint64_data  13 external_data*  14 data_location
 * ```
 *
 * Of the bodies of loops and branches only initializers are read. Everything else is passed over,
 * functions too.
 *
 * Source: onnx 1.23.2, `onnx/onnx.proto`.
 *
 * @module
 */
import { quote } from "./errors.ts";
import {
  ONNX_DEPTH,
  ONNX_TEXT_BYTES,
  TENSOR_COUNT,
  TENSOR_RANK,
} from "./limits.ts";
import {
  type ByteRange,
  signed,
  type WireField,
  type WireReader,
} from "./protobuf.ts";

/** A tensor of the graph. */
export interface Initializer {
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

/** An operator of the graph. */
export interface OnnxNode {
  /** Its name in its domain. */
  readonly operator: string;
  /** Whose operator it is; empty for ONNX itself. */
  readonly domain: string;
  /** Names of its inputs, empty where one is left out. */
  readonly inputs: readonly string[];
  /** Its attributes that are integers. */
  readonly attributes: ReadonlyMap<string, number>;
}

/** A graph inside an operator. */
interface Body {
  /** Its operator, and which of its attributes it is. */
  readonly name: string;
  /** Its fields. */
  readonly range: ByteRange;
}

/** What is read of a model. */
export interface OnnxModel {
  /** Tensors in the order of the file, names unique; before one of a body are operator and attribute: `if/then_branch/w`. */
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Operators that some caller wants. */
  readonly nodes: readonly OnnxNode[];
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

/** Inputs and attributes of an operator; those that are wanted have less than ten. */
const NODE_ITEMS = 64;

/**
 * Reads a model.
 *
 * @param reader The file.
 * @param size Its size.
 * @param wanted Tells the operators to keep.
 * @throws {SyntaxError} If it is none.
 * @throws {RangeError} If it goes beyond a limit.
 */
export async function readModel(
  reader: WireReader,
  size: number,
  wanted: (operator: string) => boolean,
): Promise<OnnxModel> {
  const once = new Once("the model");
  let graph: WireField | undefined;
  for await (const field of reader.fields({ start: 0, end: size }, "it")) {
    if (field.number === 7) graph = once.take(field, 2);
  }
  if (!graph) throw new SyntaxError("it has no graph");
  const found = new GraphReader(reader, wanted);
  await found.read(graph);
  return found;
}

/** Collects what is in a graph. */
class GraphReader implements OnnxModel {
  readonly initializers = new Map<string, Initializer>();
  readonly nodes: OnnxNode[] = [];
  readonly #reader: WireReader;
  readonly #wanted: (operator: string) => boolean;

  constructor(reader: WireReader, wanted: (operator: string) => boolean) {
    this.#reader = reader;
    this.#wanted = wanted;
  }

  async read(graph: ByteRange): Promise<void> {
    const later: Body[] = [];
    for await (const field of this.#reader.fields(graph, "the graph")) {
      if (field.number === 1) {
        const range = bytesOf(field, "a node");
        const [node, bodies] = await readNode(this.#reader, range);
        if (this.#wanted(node.operator)) this.nodes.push(node);
        for (const body of bodies) later.push(body);
      } else if (field.number === 5) {
        const what = `initializer ${this.initializers.size}`;
        const range = bytesOf(field, what);
        const one = await readInitializer(this.#reader, range, what);
        this.#add(one);
      }
    }
    // Names of the graph itself come first.
    for (const body of later) await this.#readBody(body, 1);
  }

  async #readBody({ name, range }: Body, depth: number): Promise<void> {
    if (depth > ONNX_DEPTH) {
      throw new RangeError(
        `its graphs are nested deeper than ${ONNX_DEPTH}, the limit`,
      );
    }
    const what = `the graph at byte ${range.start}`;
    for await (const field of this.#reader.fields(range, what)) {
      if (field.number === 1) {
        const [, bodies] = await readNode(
          this.#reader,
          bytesOf(field, `a node of ${what}`),
        );
        for (const body of bodies) {
          const inner = { ...body, name: `${name}/${body.name}` };
          await this.#readBody(inner, depth + 1);
        }
      } else if (field.number === 5) {
        const range = bytesOf(field, `an initializer of ${what}`);
        const one = await readInitializer(
          this.#reader,
          range,
          `the initializer at byte ${range.start}`,
        );
        const path = `${name}/${one.name}`;
        // Operators need no names, and several may have bodies that are alike.
        const unique = this.initializers.has(path)
          ? `${path} (at byte ${range.start})`
          : path;
        this.#add({ ...one, name: unique, inBody: true });
      }
    }
  }

  #add(one: Initializer): void {
    if (this.initializers.has(one.name)) {
      throw new SyntaxError(
        `two initializers have the name ${quote(one.name)}`,
      );
    }
    if (this.initializers.size === TENSOR_COUNT) {
      throw new RangeError(
        `it has more than ${TENSOR_COUNT} initializers, the limit`,
      );
    }
    this.initializers.set(one.name, one);
  }
}

/** Protobuf takes the last of two fields, other programs the first: a file that has two means to deceive. */
class Once {
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

function bytesOf(field: WireField, what: string): ByteRange {
  checkKind(field, 2, what);
  return field;
}

async function readNode(
  reader: WireReader,
  range: ByteRange,
): Promise<readonly [node: OnnxNode, bodies: readonly Body[]]> {
  const what = `the node at byte ${range.start}`;
  const once = new Once(what), inputs: string[] = [];
  const attributes = new Map<string, number>(), graphs: Body[] = [];
  const text = (field: WireField) =>
    reader.text(bytesOf(field, what), ONNX_TEXT_BYTES, `a name of ${what}`);
  let name = "", operator = "", domain = "";
  for await (const field of reader.fields(range, what)) {
    switch (field.number) {
      case 1: {
        const input = await text(field);
        // Operators of any number of inputs are none of those that are wanted.
        if (inputs.length < NODE_ITEMS) inputs.push(input);
        break;
      }
      case 3:
        name = await text(once.take(field, 2));
        break;
      case 4:
        operator = await text(once.take(field, 2));
        break;
      case 5: {
        const { name, value, bodies } = await readAttribute(
          reader,
          field,
          what,
        );
        for (const range of bodies) graphs.push({ name, range });
        if (value === undefined) break;
        if (attributes.has(name)) {
          throw new SyntaxError(`${what} has ${quote(name)} twice`);
        }
        if (attributes.size < NODE_ITEMS) attributes.set(name, value);
        break;
      }
      case 7:
        domain = await text(once.take(field, 2));
    }
  }
  const called = name || operator;
  const bodies = graphs.map((one) => ({
    ...one,
    name: `${called}/${one.name}`,
  }));
  return [{ operator, domain, inputs, attributes }, bodies];
}

async function readAttribute(
  reader: WireReader,
  field: WireField,
  node: string,
): Promise<{ name: string; value?: number; bodies: readonly ByteRange[] }> {
  const what = `an attribute of ${node}`, once = new Once(what);
  const bodies: ByteRange[] = [];
  let name = "", value: number | undefined;
  for await (const part of reader.fields(bytesOf(field, what), what)) {
    if (part.number === 1) {
      name = await reader.text(once.take(part, 2), ONNX_TEXT_BYTES, what);
    } else if (part.number === 3) value = wholeOf(once.take(part, 0));
    else if (part.number === 6) bodies.push(once.take(part, 2));
    else if (part.number === 11) bodies.push(bytesOf(part, what));
  }
  return { name, value, bodies };
}

function wholeOf(field: WireField): number {
  return Number(signed(field.value));
}

async function readInitializer(
  reader: WireReader,
  range: ByteRange,
  what: string,
): Promise<Initializer> {
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
  if (name === "") throw new SyntaxError(`${what} has no name`);
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
