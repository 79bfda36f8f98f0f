/**
 * Where the numbers of ONNX's tensors lie: in the file as they are, in it as
 * varints, which are decoded into memory, or in files beside it.
 *
 * @module
 */
import { realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import { memorySource, openFile } from "./file_source.ts";
import { joinSources } from "./joined_source.ts";
import { ONNX_DATA_FILES, ONNX_DECODED_BYTES } from "./limits.ts";
import { DATA, type OnnxTensor } from "./onnx_tensor.ts";
import { type ByteRange, signed, type WireReader } from "./protobuf.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

interface ElementType {
  /** What the rest of the program calls it. */
  readonly dtype: string;
  /** Bits of an element. */
  readonly bits: number;
  /** The field that holds its numbers where `raw_data` does not. */
  readonly field: number;
}

/** Element types by their numbers in `TensorProto.DataType`. */
const TYPES: ReadonlyMap<number, ElementType> = new Map(
  ([
    [1, "F32", 32, DATA.float],
    [2, "U8", 8, DATA.int32],
    [3, "I8", 8, DATA.int32],
    [4, "U16", 16, DATA.int32],
    [5, "I16", 16, DATA.int32],
    [6, "I32", 32, DATA.int32],
    [7, "I64", 64, DATA.int64],
    [9, "BOOL", 8, DATA.int32],
    [10, "F16", 16, DATA.int32],
    [11, "F64", 64, DATA.double],
    [12, "U32", 32, DATA.uint64],
    [13, "U64", 64, DATA.uint64],
    [14, "C64", 64, DATA.float],
    [15, "C128", 128, DATA.double],
    [16, "BF16", 16, DATA.int32],
    [17, "F8_E4M3", 8, DATA.int32],
    [18, "F8_E4M3FNUZ", 8, DATA.int32],
    [19, "F8_E5M2", 8, DATA.int32],
    [20, "F8_E5M2FNUZ", 8, DATA.int32],
    [21, "U4", 4, DATA.int32],
    [22, "I4", 4, DATA.int32],
    [23, "F4", 4, DATA.int32],
    [24, "F8_E8M0", 8, DATA.int32],
  ] as const).map((
    [type, dtype, bits, field],
  ) => [type, { dtype, bits, field }]),
);

/** The number of an element type; undefined where ONNX has none of this name. */
export function onnxTypeOf(dtype: string): number | undefined {
  return [...TYPES].find(([, type]) => type.dtype === dtype)?.[0];
}

/** Where a tensor's bytes are: in which source, from where on. */
interface Place {
  readonly source: number;
  readonly offset: number;
}

/** Collects the sources of a model's tensors. */
export class OnnxData {
  readonly #main: ByteSource;
  readonly #reader: WireReader;
  readonly #folder: string | undefined;
  readonly #sources: ByteSource[];
  readonly #files = new Map<string, number>();
  #decoded = 0;

  /** Starts with the file itself; `path` is where files beside it are looked for. */
  constructor(source: ByteSource, reader: WireReader, path?: string) {
    this.#main = source;
    this.#reader = reader;
    this.#folder = path === undefined ? undefined : dirname(path);
    this.#sources = [source];
  }

  /** Files beside the model that its tensors lie in. */
  get paths(): string[] {
    return [...this.#files.keys()];
  }

  /** Closes all files but the model, when it turns out to be none. */
  async close(): Promise<void> {
    for (const source of this.#sources.slice(1)) await source.close();
  }

  /**
   * Finds the bytes of all tensors.
   *
   * @param given The tensors.
   * @returns One source for all, and where each tensor lies in it.
   * @throws {SyntaxError} If a tensor has not the bytes that it needs.
   */
  async place(
    given: Iterable<OnnxTensor>,
  ): Promise<{ source: ByteSource; tensors: TensorEntry[] }> {
    const found: { entry: Omit<TensorEntry, "offset">; place: Place }[] = [];
    for (const one of given) {
      try {
        found.push(await this.#find(one));
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof RangeError)) {
          throw error;
        }
        const message = `tensor ${quote(one.name)}: ${error.message}`;
        throw new SyntaxError(message, { cause: error });
      }
    }
    const joined = joinSources(this.#main.name, this.#sources);
    const tensors = found.map(({ entry, place: { source, offset } }) => ({
      ...entry,
      offset: offset + joined.starts[source],
    }));
    const isOne = this.#sources.length === 1;
    return { source: isOne ? this.#main : joined.source, tensors };
  }

  async #find(one: OnnxTensor) {
    const { name, shape } = one, count = countElements(shape);
    // Texts have no bytes of a fixed length: there is nothing to read or to copy.
    if (one.type === 8) {
      const entry = { name, dtype: "STRING", shape, byteLength: 0 };
      return { entry, place: { source: 0, offset: 0 } };
    }
    const type = TYPES.get(one.type);
    if (!type) {
      throw new SyntaxError(`its data_type ${one.type} is none that is read`);
    }
    const { dtype, bits } = type;
    // Two nibbles to a byte over the whole tensor.
    const byteLength = bits === 4
      ? Math.ceil(count / 2)
      : countElements([count, bits / 8]);
    const entry = { name, dtype, shape, byteLength };
    const place = one.external
      ? await this.#beside(one, one.external, byteLength)
      : await this.#inside(one, type, byteLength);
    return { entry, place };
  }

  /** Numbers in the file itself. */
  async #inside(
    { data }: OnnxTensor,
    { field, bits }: ElementType,
    byteLength: number,
  ): Promise<Place> {
    if (data.size > 1) {
      throw new SyntaxError(
        `its numbers are in the fields ${[...data.keys()].join(", ")} at once`,
      );
    }
    const [[number, range]] = data.size === 0
      ? [[DATA.raw as number, { start: 0, end: 0 }] as const]
      : [...data];
    if (number !== DATA.raw && number !== field) {
      throw new SyntaxError(
        `its numbers are in field ${number}, where those of its type cannot be`,
      );
    }
    const asTheyAre = number === DATA.raw || number === DATA.float ||
      number === DATA.double;
    if (!asTheyAre) return await this.#decode(range, bits, byteLength);
    const there = range.end - range.start;
    if (there !== byteLength) {
      throw new SyntaxError(
        `its shape takes ${byteLength} bytes, but it has ${there}`,
      );
    }
    return { source: 0, offset: range.start };
  }

  /** Numbers as varints: two 4-bit ones, or one of any other type, in each. */
  async #decode(
    range: ByteRange,
    bits: number,
    byteLength: number,
  ): Promise<Place> {
    const width = Math.max(8, bits), count = byteLength * 8 / width;
    // Each varint has a byte at least: no more is allocated than eight times those that are there.
    if (count > range.end - range.start) {
      throw new SyntaxError(
        `its shape takes ${count} numbers, but they have ${
          range.end - range.start
        } bytes`,
      );
    }
    this.#decoded += byteLength;
    if (this.#decoded > ONNX_DECODED_BYTES) {
      throw new RangeError(
        `with it, numbers outside raw_data take more than ${ONNX_DECODED_BYTES} bytes, the limit`,
      );
    }
    const bytes = new Uint8Array(byteLength);
    const view = new DataView(bytes.buffer);
    let index = 0;
    await this.#reader.eachVarint(range, "its data", (value) => {
      if (index >= count) {
        throw new SyntaxError(
          `its shape takes ${count} numbers, but it has more`,
        );
      }
      if (!fits(value, width)) {
        throw new SyntaxError(
          `number ${index} is ${
            signed(value)
          }, which ${width} bits do not hold`,
        );
      }
      const at = index++ * width / 8;
      if (width === 8) view.setUint8(at, Number(value & 255n));
      else if (width === 16) view.setUint16(at, Number(value & 65535n), true);
      else if (width === 32) {
        view.setUint32(at, Number(value & 0xffffffffn), true);
      } else view.setBigUint64(at, value, true);
    });
    if (index < count) {
      throw new SyntaxError(
        `its shape takes ${count} numbers, but it has ${index}`,
      );
    }
    this.#sources.push(memorySource(bytes, this.#main.name));
    return { source: this.#sources.length - 1, offset: 0 };
  }

  /** Numbers in a file beside this one. */
  async #beside(
    { data }: OnnxTensor,
    told: ReadonlyMap<string, string>,
    byteLength: number,
  ): Promise<Place> {
    if (data.size > 0) {
      throw new SyntaxError(
        "its numbers are in the file and beside it at once",
      );
    }
    const offset = wholeText(told, "offset") ?? 0;
    const length = wholeText(told, "length") ?? byteLength;
    if (length !== byteLength) {
      throw new SyntaxError(
        `its shape takes ${byteLength} bytes, but its external data has ${length}`,
      );
    }
    const location = told.get("location") ?? "";
    const source = await this.#open(location);
    const { size } = this.#sources[source];
    if (offset + length > size) {
      throw new SyntaxError(
        `its ${length} bytes from ${offset} on go beyond the ${size} of ${
          quote(location)
        }`,
      );
    }
    return { source, offset };
  }

  /** Opens a file that must lie in the folder of the model, links followed. */
  async #open(location: string): Promise<number> {
    if (this.#folder === undefined) {
      throw new RangeError(
        `its numbers are in ${
          quote(location)
        }, and there is no folder to find it in`,
      );
    }
    const steps = location.split("/");
    // A colon names a drive or a stream of a file on Windows.
    if (
      /[\\:\0]/.test(location) ||
      steps.some((step) => step === "" || step === "." || step === "..")
    ) {
      throw new SyntaxError(
        `its location ${
          quote(location)
        } is no plain path inside the folder of the model`,
      );
    }
    const path = join(this.#folder, location), known = this.#files.get(path);
    if (known !== undefined) return known;
    if (this.#files.size === ONNX_DATA_FILES) {
      throw new RangeError(
        `with it, the tensors lie in more than ${ONNX_DATA_FILES} files, the limit`,
      );
    }
    const source = await openFile(path);
    this.#sources.push(source);
    const home = await realpath(this.#folder);
    const inside = home.endsWith(sep) ? home : home + sep;
    if (!(await realpath(path)).startsWith(inside)) {
      throw new SyntaxError(
        `its location ${
          quote(location)
        } is a link that leaves the folder of the model; copy the file there`,
      );
    }
    this.#files.set(path, this.#sources.length - 1);
    return this.#sources.length - 1;
  }
}

/** Whether a number of 64 bits is one of fewer, with or without a sign. */
function fits(value: bigint, width: number): boolean {
  return width === 64 || BigInt.asUintN(width, value) === value ||
    BigInt.asIntN(width, value) === signed(value);
}

function wholeText(
  told: ReadonlyMap<string, string>,
  key: string,
): number | undefined {
  const text = told.get(key);
  if (text === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SyntaxError(`its external ${key} is ${quote(text)}, no number`);
}
