/**
 * Reads OpenVINO's IR: the constants of a graph (`.xml`) in a file beside it (`.bin`),
 * and those that NNCF compressed by the layers that decompress them.
 *
 * ```text
 * codes ─ Convert ─┬─────────────────────────────────┬─ Multiply ─ [Reshape] ─ …
 *                  └─ Subtract ─ Convert ─ zero point ┘      │
 * codebook (f8e4m3) ─ Convert ─ Gather ─ Convert ─ codes
 *             scale (f16), or Convert ─ scale (f8e8m0), or Convert ─ Multiply ─┬─ Convert ─ scale (f8e4m3)
 *                                                                              └─ second-order scale (f32)
 * ```
 *
 * Source: OpenVINO 2026.4, IR of versions 10 and 11; NNCF 3.4.0.
 *
 * @module
 */
import { extname } from "node:path";
import type { ByteSource } from "./bytes.ts";
import { quote, unreadable } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { OPENVINO_XML_BYTES } from "./limits.ts";
import { type Graph, readGraph } from "./openvino_graph.ts";
import { findCompressed } from "./openvino_weights.ts";
import type { SortedFile } from "./parts.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/** What follows in the name of an IR, and what its constants are called. */
const BESIDE = ".bin";

/**
 * Opens a graph and its constants, and checks them.
 *
 * @param source The graph.
 * @param path Where it is: its constants lie beside it.
 * @param open Opens that file.
 * @returns Its constants; those that are compressed are tensors of the format `openvino`.
 * @throws {SyntaxError} If it is none, or contradicts itself.
 * @throws {RangeError} If it goes beyond a limit.
 */
export async function openOpenvino(
  source: ByteSource,
  path?: string,
  open: (path: string) => Promise<ByteSource> = openFile,
): Promise<SortedFile> {
  let constants: ByteSource | undefined;
  try {
    if (path === undefined) {
      throw new SyntaxError(
        `its constants are in a ${BESIDE} beside it: pass its path`,
      );
    }
    const graph = readGraph(await readText(source));
    const beside = path.slice(0, path.length - extname(path).length) + BESIDE;
    if (graph.constants.length > 0) constants = await open(beside);
    const tensors = graph.constants.map((one) => entryOf(one, constants!.size));
    const { quantized, bound } = await findCompressed(
      graph,
      tensors,
      async ({ offset, byteLength }) => {
        const bytes = new Uint8Array(byteLength);
        await constants!.read(offset, bytes);
        return bytes;
      },
    );
    return {
      container: "openvino",
      source: together(source, constants),
      tensors,
      metadata: new Map(),
      quantized,
      bound,
      ...(constants && { paths: [path, beside] }),
    };
  } catch (error) {
    await constants?.close();
    throw unreadable(source.name, "OpenVINO's IR", error);
  }
}

async function readText(source: ByteSource): Promise<string> {
  if (source.size > OPENVINO_XML_BYTES) {
    throw new RangeError(
      `its ${source.size} bytes are above the limit of ${OPENVINO_XML_BYTES}`,
    );
  }
  const bytes = new Uint8Array(source.size);
  await source.read(0, bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new SyntaxError("it is no UTF-8", { cause: error });
  }
}

/** Element types, what the rest of the program calls them, and their bits. */
const TYPES: ReadonlyMap<string, readonly [dtype: string, bits: number]> =
  new Map([
    ["f64", ["F64", 64]],
    ["f32", ["F32", 32]],
    ["f16", ["F16", 16]],
    ["bf16", ["BF16", 16]],
    ["f8e4m3", ["F8_E4M3", 8]],
    ["f8e5m2", ["F8_E5M2", 8]],
    ["f8e8m0", ["F8_E8M0", 8]],
    ["f4e2m1", ["F4", 4]],
    ["nf4", ["NF4", 4]],
    ["i64", ["I64", 64]],
    ["i32", ["I32", 32]],
    ["i16", ["I16", 16]],
    ["i8", ["I8", 8]],
    ["i4", ["I4", 4]],
    ["u64", ["U64", 64]],
    ["u32", ["U32", 32]],
    ["u16", ["U16", 16]],
    ["u8", ["U8", 8]],
    ["u6", ["U6", 6]],
    ["u4", ["U4", 4]],
    ["u3", ["U3", 3]],
    ["u2", ["U2", 2]],
    ["u1", ["U1", 1]],
    ["boolean", ["BOOL", 8]],
  ]);

/** Types whose bytes depend on what they hold. */
const OF_ANY_SIZE = "string";

function entryOf(
  { name, type, shape, offset, size }: Graph["constants"][number],
  room: number,
): TensorEntry {
  const [dtype, bits] = TYPES.get(type) ?? [type.toUpperCase(), undefined];
  if (bits === undefined && type !== OF_ANY_SIZE) {
    throw new SyntaxError(
      `constant ${quote(name)} is of the unknown type ${quote(type)}`,
    );
  }
  const bytes = bits === undefined
    ? size
    : Math.ceil(countElements([...shape, bits]) / 8);
  // Elements of three and six bits are packed in groups.
  const isPacked = bits === 3 || bits === 6;
  if (isPacked ? size < bytes : size !== bytes) {
    throw new SyntaxError(
      `constant ${quote(name)} takes ${bytes} bytes, but has ${size}`,
    );
  }
  if (offset + size > room) {
    throw new SyntaxError(
      `constant ${
        quote(name)
      } has ${size} bytes from ${offset} on, beyond the ${room} of its ${BESIDE}`,
    );
  }
  return { name, dtype, shape, offset, byteLength: size };
}

/** Both files as the one that holds the constants. */
function together(graph: ByteSource, constants?: ByteSource): ByteSource {
  return {
    name: graph.name,
    size: constants?.size ?? 0,
    async read(offset, into): Promise<void> {
      await constants?.read(offset, into);
    },
    async close(): Promise<void> {
      await graph.close();
      await constants?.close();
    },
  };
}
