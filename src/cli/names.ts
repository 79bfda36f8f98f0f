/**
 * What vectors are called: a text file of one name a line, and the tensor that
 * keeps it beside a packed matrix.
 *
 * @module
 */
import type { ByteSource } from "../files/bytes.ts";
import { openFile } from "../files/file_source.ts";
import type { TensorFile } from "../files/tensors.ts";
import type { ExtraTensor } from "../search/mod.ts";

/** UTF-8 text, names separated by line feeds. */
const TENSOR = "names";

/** Reads a text file. Throws a SyntaxError where it is not UTF-8. */
export async function readText(path: string): Promise<string> {
  const source = await openFile(path);
  try {
    return await decode(source, 0, source.size);
  } finally {
    await source.close().catch(() => {});
  }
}

async function decode(
  source: ByteSource,
  offset: number,
  length: number,
): Promise<string> {
  const bytes = new Uint8Array(length);
  await source.read(offset, bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new SyntaxError(
      `Cannot read names from ${source.name}: it is not UTF-8`,
      { cause: error },
    );
  }
}

/**
 * Makes a tensor of names.
 *
 * @param text One name a line; the last line may end or not.
 * @param count How many there must be.
 * @param file What to call the text in messages.
 * @returns The tensor.
 * @throws {RangeError} If there are fewer or more.
 */
export function namesTensor(
  text: string,
  count: number,
  file: string,
): ExtraTensor {
  const names = text.replace(/\r?\n$/, "").split(/\r?\n/);
  if (names.length !== count) {
    throw new RangeError(
      `Cannot take names from ${file}: it has ${names.length} lines for ${count} vectors`,
    );
  }
  const bytes = new TextEncoder().encode(names.join("\n"));
  return { name: TENSOR, dtype: "U8", shape: [bytes.length], bytes };
}

/**
 * The names in a file of a packed matrix.
 *
 * @param file The file.
 * @param count How many ids there are.
 * @returns The name of each id; undefined where the file has none.
 * @throws {SyntaxError} If they are not as many, or no text.
 */
export async function namesOf(
  { tensors, source }: TensorFile,
  count: number,
): Promise<readonly string[] | undefined> {
  const entry = tensors.find(({ name }) => name === TENSOR);
  if (entry === undefined) return undefined;
  const text = await decode(source, entry.offset, entry.byteLength);
  const names = text.split("\n");
  if (entry.dtype === "U8" && names.length === count) return names;
  throw new SyntaxError(
    `Cannot read names from ${source.name}: it has ${names.length} for ${count} vectors`,
  );
}
