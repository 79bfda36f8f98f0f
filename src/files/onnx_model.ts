/**
 * The fields of an ONNX model that tell of weights: initializers, constants, and the
 * operators that read them.
 *
 * ```text
 * ModelProto    7 graph
 * GraphProto    1 node*  5 initializer*
 * NodeProto     1 input*  2 output*  3 name  4 op_type  5 attribute*  7 domain
 * Attribute     1 name  3 i  5 t  6 g  11 graphs*
 * ```
 *
 * A constant is the output of an operator without inputs, `Constant`, whose attribute
 * `value` is a tensor. Of the bodies of loops and branches initializers and constants
 * are read, and no other operators. Everything else is passed over, functions too.
 *
 * Source: onnx 1.23.2, `onnx/onnx.proto`.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { ONNX_DEPTH, ONNX_TEXT_BYTES, TENSOR_COUNT } from "./limits.ts";
import {
  bytesOf,
  Once,
  type OnnxTensor,
  readTensor,
  wholeOf,
} from "./onnx_tensor.ts";
import type { ByteRange, WireField, WireReader } from "./protobuf.ts";

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

/** What is read of a node. */
interface NodeContents {
  readonly node: OnnxNode;
  /** The tensor of a constant, under the name of its output. */
  readonly constant?: OnnxTensor;
  readonly bodies: readonly Body[];
}

/** What is read of a model. */
export interface OnnxModel {
  /** Initializers and constants in the order of the file, names unique; before one of a body are operator and attribute: `if/then_branch/w`. */
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Operators that some caller wants. */
  readonly nodes: readonly OnnxNode[];
}

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
  readonly tensors = new Map<string, OnnxTensor>();
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
        const { node, constant, bodies } = await readNode(this.#reader, range);
        if (constant) this.#add(constant);
        if (this.#wanted(node.operator)) this.nodes.push(node);
        for (const body of bodies) later.push(body);
      } else if (field.number === 5) {
        const what = `initializer ${this.tensors.size}`;
        this.#add(await readInitializer(this.#reader, field, what));
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
        const node = bytesOf(field, `a node of ${what}`);
        const { constant, bodies } = await readNode(this.#reader, node);
        if (constant) this.#addOfBody(name, constant, node);
        for (const body of bodies) {
          const inner = { ...body, name: `${name}/${body.name}` };
          await this.#readBody(inner, depth + 1);
        }
      } else if (field.number === 5) {
        const called = `the initializer at byte ${field.start}`;
        const one = await readInitializer(this.#reader, field, called);
        this.#addOfBody(name, one, field);
      }
    }
  }

  #addOfBody(body: string, one: OnnxTensor, { start }: ByteRange): void {
    const path = `${body}/${one.name}`;
    // Operators need no names, and several may have bodies that are alike.
    const name = this.tensors.has(path) ? `${path} (at byte ${start})` : path;
    this.#add({ ...one, name, inBody: true });
  }

  #add(one: OnnxTensor): void {
    if (this.tensors.has(one.name)) {
      throw new SyntaxError(`two tensors have the name ${quote(one.name)}`);
    }
    if (this.tensors.size === TENSOR_COUNT) {
      throw new RangeError(
        `it has more than ${TENSOR_COUNT} tensors, the limit`,
      );
    }
    this.tensors.set(one.name, one);
  }
}

async function readInitializer(
  reader: WireReader,
  field: WireField,
  what: string,
): Promise<OnnxTensor> {
  const one = await readTensor(reader, bytesOf(field, what), what);
  if (one.name === "") throw new SyntaxError(`${what} has no name`);
  return one;
}

async function readNode(
  reader: WireReader,
  range: ByteRange,
): Promise<NodeContents> {
  const what = `the node at byte ${range.start}`;
  const once = new Once(what), inputs: string[] = [], values: ByteRange[] = [];
  const attributes = new Map<string, number>(), graphs: Body[] = [];
  const text = (field: WireField) =>
    reader.text(bytesOf(field, what), ONNX_TEXT_BYTES, `a name of ${what}`);
  let name = "", operator = "", domain = "", output = "";
  for await (const field of reader.fields(range, what)) {
    switch (field.number) {
      case 1: {
        const input = await text(field);
        // Operators of any number of inputs are none of those that are wanted.
        if (inputs.length < NODE_ITEMS) inputs.push(input);
        break;
      }
      case 2:
        // The first: a constant has no other.
        output ||= await text(field);
        break;
      case 3:
        name = await text(once.take(field, 2));
        break;
      case 4:
        operator = await text(once.take(field, 2));
        break;
      case 5: {
        const found = await readAttribute(reader, field, what);
        const { name, value, tensor } = found;
        for (const range of found.bodies) graphs.push({ name, range });
        if (tensor && name === "value") values.push(tensor);
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
  const isConstant = operator === "Constant" && domain === "";
  const constant = isConstant && values.length > 0
    ? await readConstant(reader, values, output, what)
    : undefined;
  const node = { operator, domain, inputs, attributes };
  return { node, constant, bodies };
}

async function readConstant(
  reader: WireReader,
  values: readonly ByteRange[],
  output: string,
  what: string,
): Promise<OnnxTensor> {
  if (values.length > 1) throw new SyntaxError(`${what} has "value" twice`);
  if (output === "") throw new SyntaxError(`${what} has no output`);
  const one = await readTensor(reader, values[0], `the constant of ${what}`);
  return { ...one, name: output };
}

interface Attribute {
  readonly name: string;
  /** Where it is an integer. */
  readonly value?: number;
  /** The fields of its tensor. */
  readonly tensor?: ByteRange;
  /** The fields of its graphs. */
  readonly bodies: readonly ByteRange[];
}

async function readAttribute(
  reader: WireReader,
  field: WireField,
  node: string,
): Promise<Attribute> {
  const what = `an attribute of ${node}`, once = new Once(what);
  const bodies: ByteRange[] = [];
  let name = "", value: number | undefined, tensor: ByteRange | undefined;
  for await (const part of reader.fields(bytesOf(field, what), what)) {
    if (part.number === 1) {
      name = await reader.text(once.take(part, 2), ONNX_TEXT_BYTES, what);
    } else if (part.number === 3) value = wholeOf(once.take(part, 0));
    else if (part.number === 5) tensor = once.take(part, 2);
    else if (part.number === 6) bodies.push(once.take(part, 2));
    else if (part.number === 11) bodies.push(bytesOf(part, what));
  }
  return { name, value, tensor, bodies };
}
