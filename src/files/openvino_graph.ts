/**
 * The graph of OpenVINO's IR: its layers, and what they read.
 *
 * ```xml
 * <net version="11">
 *   <layers>
 *     <layer id="0" name="weight" type="Const">
 *       <data element_type="u4" shape="10, 3, 32" offset="0" size="480" />
 *     </layer>
 *   </layers>
 *   <edges> <edge from-layer="0" from-port="0" to-layer="1" to-port="0" /> </edges>
 *   <rt_info> <info name="OpenVINO Runtime" value="2026.4.1-…" /> </rt_info>
 * </net>
 * ```
 *
 * @module
 */
import { quote } from "./errors.ts";
import { TENSOR_COUNT, TENSOR_RANK } from "./limits.ts";
import { type Tag, tagsOf } from "./xml.ts";

/** A layer of the graph. */
export interface Layer {
  /** Its number. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** What it does. */
  readonly type: string;
  /** The numbers of the layers that it reads, by port. */
  readonly reads: Map<string, string>;
}

/** A constant, as the graph tells of it. */
export interface Constant {
  /** The name of its layer. */
  readonly name: string;
  /** Its element type. */
  readonly type: string;
  /** Its dimensions, not checked. */
  readonly shape: readonly number[];
  /** Where it starts among the constants. */
  readonly offset: number;
  /** Its bytes there. */
  readonly size: number;
  /** Whether it is in the body of a layer, whose graph is not read. */
  readonly inBody: boolean;
}

/** What is read of a graph. */
export interface Graph {
  /** The layers by their numbers, but for those in bodies of others. */
  readonly layers: ReadonlyMap<string, Layer>;
  /** The constants in order, names unique, those in bodies, too. */
  readonly constants: readonly Constant[];
  /** The version of OpenVINO that wrote it; absent where it does not say. */
  readonly runtime?: string;
}

/** Versions of IR whose constants are told of alike. */
const VERSIONS: readonly string[] = ["10", "11"];

/**
 * Reads a graph.
 *
 * @param text The document.
 * @returns Its graph.
 * @throws {SyntaxError} If it is none, or contradicts itself.
 * @throws {RangeError} If it goes beyond a limit.
 */
export function readGraph(text: string): Graph {
  const reader = new GraphReader();
  for (const tag of tagsOf(text)) reader.take(tag);
  return reader.graph();
}

class GraphReader {
  readonly #layers = new Map<string, Layer>();
  readonly #constants = new Map<string, Constant>();
  /** Layers that are open, the innermost at the end. */
  readonly #open: Layer[] = [];
  #runtime?: string;
  #isNet = false;

  take({ opens, path, attributes }: Tag): void {
    const element = path[path.length - 1];
    if (!opens) {
      if (element === "layer") this.#open.pop();
      return;
    }
    if (path.length === 1) this.#takeRoot(element, attributes);
    const within = path.length > 1 ? path[path.length - 2] : "";
    if (element === "layer") this.#takeLayer(path, attributes);
    else if (element === "data" && within === "layer") {
      this.#takeData(attributes);
    } else if (element === "edge" && path.length === 3) {
      this.#takeEdge(attributes);
    } else if (path[1] === "rt_info") this.#takeInfo(element, attributes);
  }

  graph(): Graph {
    if (!this.#isNet) throw new SyntaxError("it has no net");
    return {
      layers: this.#layers,
      constants: [...this.#constants.values()],
      runtime: this.#runtime,
    };
  }

  #takeRoot(element: string, attributes: Tag["attributes"]): void {
    if (element !== "net" || this.#isNet) {
      throw new SyntaxError(`its root is ${quote(element)}, no net`);
    }
    this.#isNet = true;
    const version = attributes.get("version") ?? "";
    if (VERSIONS.includes(version)) return;
    throw new SyntaxError(
      `it is IR of version ${quote(version)}; only ${
        VERSIONS.join(" and ")
      } are read`,
    );
  }

  #takeLayer(path: readonly string[], attributes: Tag["attributes"]): void {
    const isOfGraph = path.length === 3;
    const text = (key: string) => {
      const value = attributes.get(key);
      if (value !== undefined) return value;
      throw new SyntaxError(`layer ${this.#layers.size} has no ${key}`);
    };
    const layer = {
      id: text("id"),
      // A layer may have several bodies.
      name: isOfGraph ? text("name") : `${path.at(-3)}/${text("name")}`,
      type: text("type"),
      reads: new Map<string, string>(),
    };
    this.#open.push(layer);
    if (!isOfGraph) return;
    if (this.#layers.has(layer.id)) {
      throw new SyntaxError(`two layers have the number ${quote(layer.id)}`);
    }
    this.#layers.set(layer.id, layer);
  }

  #takeData(attributes: Tag["attributes"]): void {
    const layer = this.#open.at(-1);
    if (layer?.type !== "Const") return;
    const inBody = this.#open.length > 1;
    const name = this.#open.map(({ name }) => name).join("/");
    const what = `constant ${quote(name)}`;
    if (name === "" || this.#constants.has(name)) {
      throw new SyntaxError(
        name === "" ? "a constant has no name" : `${what} is there twice`,
      );
    }
    if (this.#constants.size === TENSOR_COUNT) {
      throw new RangeError(
        `it has more than ${TENSOR_COUNT} constants, the limit`,
      );
    }
    this.#constants.set(name, {
      name,
      type: attributes.get("element_type") ?? "",
      shape: shapeOf(attributes.get("shape"), what),
      offset: wholeOf(attributes.get("offset"), `the offset of ${what}`),
      size: wholeOf(attributes.get("size"), `the size of ${what}`),
      inBody,
    });
  }

  #takeEdge(attributes: Tag["attributes"]): void {
    const from = attributes.get("from-layer") ?? "";
    const to = this.#layers.get(attributes.get("to-layer") ?? "");
    const port = attributes.get("to-port") ?? "";
    if (!to || !this.#layers.has(from)) {
      throw new SyntaxError(`an edge leads from or to no layer`);
    }
    if (to.reads.has(port)) {
      throw new SyntaxError(
        `two edges lead to port ${quote(port)} of layer ${quote(to.id)}`,
      );
    }
    to.reads.set(port, from);
  }

  /** The runtime has had an element of its own, and is one of several now. */
  #takeInfo(element: string, attributes: Tag["attributes"]): void {
    const isRuntime = element === "Runtime_version" ||
      element === "info" && attributes.get("name") === "OpenVINO Runtime";
    if (isRuntime) this.#runtime ??= attributes.get("value");
  }
}

function shapeOf(text: string | undefined, what: string): number[] {
  const items = (text ?? "").split(",", TENSOR_RANK + 1);
  if (items.length === 1 && items[0].trim() === "") return [];
  return items.map((item, axis) =>
    wholeOf(item.trim(), `dimension ${axis} of ${what}`)
  );
}

function wholeOf(text: string | undefined, what: string): number {
  if (text !== undefined && /^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SyntaxError(
    text === undefined
      ? `${what} is not there`
      : `${what} is ${quote(text)}, no number`,
  );
}
