/**
 * The constants of OpenVINO's graphs that layers decompress, and how.
 *
 * @module
 */
import type { Graph, Layer } from "./openvino_graph.ts";
import type { QuantizedEntry } from "./parts.ts";
import { encodeE4M3 } from "../numeric/e4m3.ts";
import { CB4 } from "../schemes/grids.ts";
import { type Reading, readingOf, Unread } from "./readings.ts";
import type { TensorEntry } from "./tensors.ts";

/** The compressed constants of a graph. */
export interface OpenvinoWeights {
  /** Those that are in the format `openvino`. */
  readonly quantized: readonly QuantizedEntry[];
  /** Codes and numbers of the others, by name, and why they are in no format. */
  readonly bound: ReadonlyMap<string, string>;
}

/** Element types of four bits. */
const CODES: ReadonlySet<string> = new Set(["I4", "U4", "NF4", "F4"]);

/** The first version whose first code of two is in the low nibble. */
const LOW_FIRST_YEAR = 2024;

/**
 * Finds the constants that layers decompress.
 *
 * @param graph The graph.
 * @param entries All constants, in its order.
 * @param read Reads one of them, a small one.
 * @returns The weights.
 * @throws {SyntaxError} If a weight and its numbers contradict each other.
 */
export async function findCompressed(
  graph: Graph,
  entries: readonly TensorEntry[],
  read: (entry: TensorEntry) => Promise<Uint8Array>,
): Promise<OpenvinoWeights> {
  const paths = new Paths(graph, entries);
  const year = Number(/^(20[0-9]{2})\./.exec(graph.runtime ?? "")?.[1]);
  const order = year < LOW_FIRST_YEAR ? "high-first" : "low-first";
  const quantized: QuantizedEntry[] = [], bound = new Map<string, string>();
  for (const [i, { name, inBody }] of graph.constants.entries()) {
    const entry = entries[i];
    if (inBody) {
      const why = "it is in the body of a layer, where layers are not read";
      bound.set(name, why);
      continue;
    }
    if (!CODES.has(entry.dtype)) continue;
    const seen: TensorEntry[] = [entry];
    try {
      // Zero points are no weights of their own.
      const decompression = paths.from(entry, seen);
      if (!decompression) continue;
      await checkCodebook(decompression, read);
      const reading = readingFrom(entry, decompression, order);
      quantized.push(readingOf(name, reading, "its graph says"));
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      for (const one of seen) bound.set(one.name, error.message);
    }
  }
  return { quantized, bound };
}

/** What is done to codes. */
interface Decompression {
  /** What the codes are places in. */
  readonly codebook?: TensorEntry;
  readonly zero?: TensorEntry;
  readonly scale: TensorEntry;
  readonly second?: TensorEntry;
  /** Whether groups are made rows afterwards. */
  readonly isReshaped: boolean;
}

/** Follows the layers of a graph. */
class Paths {
  readonly #layers: ReadonlyMap<string, Layer>;
  readonly #constants: ReadonlyMap<Layer, TensorEntry>;
  readonly #byName = new Map<string, Layer>();
  readonly #readers = new Map<Layer, Layer[]>();

  constructor({ layers, constants }: Graph, entries: readonly TensorEntry[]) {
    this.#layers = layers;
    for (const layer of layers.values()) {
      if (layer.type === "Const") this.#byName.set(layer.name, layer);
      for (const from of layer.reads.values()) {
        const read = layers.get(from)!;
        const readers = this.#readers.get(read);
        if (readers) readers.push(layer);
        else this.#readers.set(read, [layer]);
      }
    }
    this.#constants = new Map(
      constants.flatMap(({ name, inBody }, i) =>
        inBody ? [] : [[this.#byName.get(name)!, entries[i]] as const]
      ),
    );
  }

  /**
   * What is done to codes; undefined where they are zero points of others.
   * Constants on the way are added to `seen`.
   */
  from(codes: TensorEntry, seen: TensorEntry[]): Decompression | undefined {
    let at = this.#after(this.#byName.get(codes.name)!, "Convert");
    const gather = this.#reader(at, "Gather");
    const codebook = gather && this.#behind(gather, "0", seen);
    if (gather) at = gather;
    let zero: TensorEntry | undefined;
    const subtract = this.#reader(at, "Subtract");
    if (subtract) {
      if (this.#layers.get(subtract.reads.get("0") ?? "") !== at) return;
      zero = this.#behind(subtract, "1", seen);
      at = subtract;
    }
    const multiply = this.#reader(at, "Multiply");
    if (!multiply) throw new Unread("no Multiply decompresses it");
    const scales = this.#layers.get(
      multiply.reads.get(this.#other(multiply, at)) ?? "",
    );
    const plain = scales && this.#before(scales);
    const isReshaped = this.#reader(multiply, "Reshape") !== undefined;
    if (plain?.type !== "Multiply") {
      const scale = this.#constant(plain, "scale", seen);
      return { codebook, zero, scale, isReshaped };
    }
    return {
      codebook,
      zero,
      scale: this.#behind(plain, "0", seen),
      second: this.#behind(plain, "1", seen),
      isReshaped,
    };
  }

  /** The layer of a type that reads another. */
  #reader(layer: Layer, type: string): Layer | undefined {
    return this.#readers.get(layer)?.find((one) => one.type === type);
  }

  /** The layer itself, or one of a type that reads it. */
  #after(layer: Layer, type: string): Layer {
    return this.#reader(layer, type) ?? layer;
  }

  /** What a Convert reads, or the layer itself. */
  #before(layer: Layer): Layer | undefined {
    return layer.type === "Convert"
      ? this.#layers.get(layer.reads.get("0") ?? "")
      : layer;
  }

  /** The port of two that does not read a layer. */
  #other({ reads }: Layer, { id }: Layer): string {
    return reads.get("0") === id ? "1" : "0";
  }

  /** The constant that a port reads, converted or not. */
  #behind(
    layer: Layer,
    port: string,
    seen: TensorEntry[],
  ): TensorEntry {
    const read = this.#layers.get(layer.reads.get(port) ?? "");
    return this.#constant(read && this.#before(read), layer.type, seen);
  }

  #constant(
    layer: Layer | undefined,
    what: string,
    seen: TensorEntry[],
  ): TensorEntry {
    const entry = layer && this.#constants.get(layer);
    if (!entry) throw new Unread(`its ${what} reads no constant`);
    seen.push(entry);
    return entry;
  }
}

/** Codebooks are constants, and there is one that is known. */
async function checkCodebook(
  { codebook }: Decompression,
  read: (entry: TensorEntry) => Promise<Uint8Array>,
): Promise<void> {
  if (!codebook) return;
  const { dtype, byteLength } = codebook;
  const known = CB4.values.map(encodeE4M3);
  const isKnown = dtype === "F8_E4M3" && byteLength === known.length &&
    (await read(codebook)).every((byte, i) => byte === known[i]);
  if (isKnown) return;
  throw new Unread("its codes are places in a codebook of its own, not CB4's");
}

/** The mode of a weight by the types of codes and scales. */
function modeOf(
  { dtype }: TensorEntry,
  { codebook, zero, scale, second }: Decompression,
): string {
  const types = [dtype, zero?.dtype, scale.dtype, second?.dtype];
  if (codebook && types.join() === "U4,,F16,") return "cb4";
  switch (codebook ? "" : types.join()) {
    case "I4,,F16,":
      return "int4_sym";
    case "U4,U4,F16,":
      return "int4_asym";
    case "NF4,,F16,":
      return "nf4";
    case "F4,,F16,":
      return "fp4";
    case "F4,,F8_E8M0,":
      return "mxfp4";
    case "F4,,F8_E4M3,F32":
      return "nvfp4";
  }
  throw new Unread(
    `no mode${
      codebook ? " with a codebook" : ""
    } has codes, zero points, scales and second-order scale of the types ${
      types.map((type) => type ?? "none").join(", ")
    }`,
  );
}

function readingFrom(
  codes: TensorEntry,
  decompression: Decompression,
  order: string,
): Reading {
  const { zero, scale, second, isReshaped } = decompression;
  const mode = modeOf(codes, decompression);
  const [rows, groups, size] = codes.shape;
  const grouped = isReshaped && codes.shape.length === 3;
  if (!grouped && codes.shape.length !== 2) {
    throw new Unread(`it is [${codes.shape}], no matrix`);
  }
  const numbers = grouped ? [rows, groups, 1] : [rows, 1];
  for (const one of [scale, ...zero ? [zero] : []]) {
    if (one.shape.join() === numbers.join()) continue;
    throw new Unread(
      `its numbers are [${one.shape}], not [${numbers}] as for groups of a row`,
    );
  }
  return {
    format: "openvino",
    shape: grouped ? [rows, groups * size] : codes.shape,
    options: { mode, groupSize: grouped ? size : "row", order },
    parts: {
      weight: codes,
      scale,
      zero_point: zero,
      second_order_scale: second,
    },
  };
}
