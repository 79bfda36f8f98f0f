/**
 * numpy's `.npy`, versions 1 to 3, read and written.
 *
 * ```text
 * 0  \x93NUMPY, u8 major, u8 minor
 * 8  u16 LE (version 1) or u32 LE: bytes of the header
 *    {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   spaces, \n
 *    the elements
 * ```
 *
 * The header is a Python literal. It is read by a grammar of its own that knows
 * strings, True, False, and tuples of integers, and nothing else.
 *
 * Source: `numpy/lib/_format_impl.py`. The writer gives the bytes that numpy gives.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import { NPY_HEADER_BYTES } from "./limits.ts";
import { NPY_MAGIC } from "./magic.ts";
import {
  asQuantized,
  DESCR_BY_DTYPE,
  type NpyOptions,
  readDescr,
} from "./npy_dtype.ts";
import type { SortedFile } from "./parts.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry } from "./tensors.ts";

/**
 * Reads and checks the header of a `.npy` file.
 *
 * @param source The file.
 * @param name What to call its tensor.
 * @param options What the header does not say.
 * @returns Its one tensor.
 * @throws {SyntaxError} If the header is malformed, or lies about the file.
 */
export async function openNpy(
  source: ByteSource,
  name: string,
  options: NpyOptions = {},
): Promise<SortedFile> {
  try {
    const { header, dataStart } = await readHeader(source);
    const tensor = readTensor(
      header,
      name,
      dataStart,
      source.size,
      options,
    );
    checkSize(tensor, source.size);
    return {
      container: "npy",
      source,
      tensors: [tensor],
      metadata: new Map(),
      quantized: [asQuantized(tensor) ?? []].flat(),
    };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    // What failed to read the bytes tells of the file itself.
    if (error.message.startsWith("Cannot read ")) throw error;
    const message = `Cannot read ${source.name} as .npy: ${error.message}`;
    throw new SyntaxError(message, { cause: error });
  }
}

async function readHeader(
  source: ByteSource,
): Promise<{ header: string; dataStart: number }> {
  const prefix = new Uint8Array(Math.min(12, source.size));
  await source.read(0, prefix);
  if (
    prefix.length < 10 ||
    NPY_MAGIC.some((byte, index) => byte !== prefix[index])
  ) {
    throw new SyntaxError("it does not start with \\x93NUMPY");
  }
  const [major, minor] = prefix.subarray(6);
  if (major < 1 || major > 3 || minor !== 0) {
    throw new SyntaxError(
      `its version is ${major}.${minor}; versions 1.0 to 3.0 can be read`,
    );
  }
  const start = major === 1 ? 10 : 12;
  if (prefix.length < start) {
    throw new SyntaxError(`it ends within its first ${start} bytes`);
  }
  const view = new DataView(prefix.buffer);
  const length = major === 1
    ? view.getUint16(8, true)
    : view.getUint32(8, true);
  if (length > NPY_HEADER_BYTES) {
    throw new SyntaxError(
      `its header of ${length} bytes is above the limit of ${NPY_HEADER_BYTES}`,
    );
  }
  if (start + length > source.size) {
    throw new SyntaxError(
      `its header of ${length} bytes ends beyond the file of ${source.size}`,
    );
  }
  const bytes = new Uint8Array(length);
  await source.read(start, bytes);
  return { header: decodeHeader(bytes), dataStart: start + length };
}

/** What is allowed in a header is ASCII, in whichever encoding the version asks for. */
function decodeHeader(bytes: Uint8Array): string {
  const stranger = bytes.findIndex((byte) => byte > 0x7e);
  if (stranger >= 0) {
    throw new SyntaxError(`its header is not ASCII at byte ${stranger}`);
  }
  return new TextDecoder().decode(bytes);
}

function readTensor(
  header: string,
  name: string,
  offset: number,
  fileBytes: number,
  options: NpyOptions,
): TensorEntry {
  const { descr, fortranOrder, shape } = parseHeader(header);
  const { dtype, itemBytes, bigEndian, numbers } = readDescr(descr, options);
  const count = countElements(shape);
  const byteLength = itemBytes === undefined
    ? fileBytes - offset // a pickle
    : countElements([count, itemBytes]);
  return {
    name,
    dtype,
    shape,
    offset,
    byteLength,
    ...(bigEndian && { bigEndian }),
    ...(numbers !== undefined && { numbers }),
    // With one axis both orders are the same.
    ...(fortranOrder && shape.length > 1 && { fortranOrder }),
  };
}

function checkSize(tensor: TensorEntry, fileBytes: number): void {
  const there = fileBytes - tensor.offset;
  if (there === tensor.byteLength) return;
  throw new SyntaxError(
    `its shape (${
      tensor.shape.join(", ")
    }) of ${tensor.dtype} takes ${tensor.byteLength} bytes, ` +
      `but ${there} follow the header`,
  );
}

interface Header {
  descr: string;
  fortranOrder: boolean;
  shape: number[];
}

/** One token of the header: a string, a word, an integer (Python 2 wrote `5L`), or punctuation. */
const TOKEN =
  /[ \t\n\r]*(?:(['"])([^'"\\]*)\1|([A-Za-z]+)|([0-9]+)L?|([{}()[\]:,-]))/y;

/** Parses the dictionary in a header. */
function parseHeader(text: string): Header {
  const tokens = new Tokens(text.trimEnd());
  const found = new Map<string, string | boolean | number[]>();
  tokens.expect("{");
  while (!tokens.skip("}")) {
    const key = tokens.string();
    if (found.has(key)) {
      throw new SyntaxError(`its header has the key ${quote(key)} twice`);
    }
    tokens.expect(":");
    found.set(key, readValue(tokens, key));
    if (!tokens.skip(",")) {
      tokens.expect("}");
      break;
    }
  }
  tokens.end();
  const { descr, fortran_order: fortranOrder, shape } = Object.fromEntries(
    found,
  );
  if (
    found.size !== 3 || descr === undefined || fortranOrder === undefined ||
    !shape
  ) {
    const keys = [...found.keys()].map(quote).join(", ");
    throw new SyntaxError(
      `its header has the keys ${keys}, not descr, fortran_order, shape`,
    );
  }
  return { descr, fortranOrder, shape } as Header;
}

function readValue(tokens: Tokens, key: string): string | boolean | number[] {
  switch (key) {
    case "descr":
      if (tokens.skip("[")) {
        throw new SyntaxError("it holds records (a list of dtypes)");
      }
      return tokens.string();
    case "fortran_order":
      return tokens.boolean();
    case "shape":
      return tokens.tuple();
  }
  throw new SyntaxError(`its header has an unknown key ${quote(key)}`);
}

class Tokens {
  readonly #text: string;
  #at = 0;
  #next: RegExpExecArray | null = null;

  constructor(text: string) {
    this.#text = text;
    this.#advance();
  }

  #advance(): void {
    TOKEN.lastIndex = this.#at;
    this.#next = TOKEN.exec(this.#text);
    if (this.#next !== null) this.#at = TOKEN.lastIndex;
  }

  #fail(expected: string): never {
    const at = this.#next === null
      ? this.#at
      : this.#at - this.#next[0].trimStart().length;
    throw new SyntaxError(`its header has no ${expected} at character ${at}`);
  }

  skip(mark: string): boolean {
    if (this.#next?.[5] !== mark) return false;
    this.#advance();
    return true;
  }

  expect(mark: string): void {
    if (!this.skip(mark)) this.#fail(mark);
  }

  string(): string {
    const string = this.#next?.[2] ?? this.#fail("string");
    this.#advance();
    return string;
  }

  boolean(): boolean {
    const word = this.#next?.[3];
    if (word !== "True" && word !== "False") this.#fail("True or False");
    this.#advance();
    return word === "True";
  }

  /** `()`, `(5,)`, `(5, 3)`; `(5)` is no tuple in Python. */
  tuple(): number[] {
    const items: number[] = [];
    this.expect("(");
    while (!this.skip(")")) {
      items.push(this.#integer());
      if (this.skip(",")) continue;
      if (items.length === 1) this.#fail("comma");
      this.expect(")");
      break;
    }
    return items;
  }

  #integer(): number {
    if (this.#next?.[5] === "-") this.#fail("dimension from 0 up");
    const digits = this.#next?.[4] ?? this.#fail("integer");
    if (digits.length > 1 && digits.startsWith("0")) {
      this.#fail("integer without leading zeros");
    }
    this.#advance();
    return Number(digits); // countElements refuses what is above 2^53 - 1
  }

  end(): void {
    if (this.#next !== null || this.#at < this.#text.length) this.#fail("end");
  }
}

/** numpy leaves room for the first dimension to grow to so many digits. */
const GROWTH_DIGITS = 21;
const ALIGNMENT = 64;

/**
 * The header of a `.npy` file, byte for byte as numpy writes it; the elements
 * follow it, little-endian, row-major.
 *
 * @param dtype One of BOOL, I8 … U64, F16, F32, F64, C64, BF16.
 * @param shape Dimensions, slowest first.
 * @returns The first bytes of the file, a multiple of 64.
 * @throws {RangeError} If `.npy` has no such dtype, or the shape is none.
 */
export function npyHeader(dtype: string, shape: readonly number[]): Uint8Array {
  const descr = DESCR_BY_DTYPE.get(dtype);
  if (descr === undefined) {
    throw new RangeError(
      `Cannot write dtype ${quote(dtype)} to .npy; write .safetensors instead`,
    );
  }
  countElements(shape);
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const growth = shape.length === 0
    ? 0
    : GROWTH_DIGITS - String(shape[0]).length;
  const used = dictionary.length + growth;
  // numpy fills a whole line more where nothing is left to fill.
  const padding = ALIGNMENT - (10 + used + 1) % ALIGNMENT;
  const text = dictionary + " ".repeat(growth + padding) + "\n";
  const header = new Uint8Array(10 + text.length);
  header.set(NPY_MAGIC);
  header[6] = 1;
  new DataView(header.buffer).setUint16(8, text.length, true);
  for (let i = 0; i < text.length; i++) header[10 + i] = text.charCodeAt(i);
  return header;
}
