/**
 * The files of a tokenizer: read once, and what is wrong is told with the name of the file.
 *
 * @module
 */
import { unreadable } from "../../files/errors.ts";
import { type JsonObject, parseJson } from "../../files/json.ts";
import { TOKENIZER_BYTES } from "../../files/limits.ts";
import { objectOf } from "./fields.ts";

/** Gives the bytes of a file of the folder; undefined where there is none. */
export type ReadFile = (name: string) => Promise<Uint8Array | undefined>;

// A byte order mark is no JSON, and part of a token elsewhere: it is not dropped.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The files of a folder. */
export class TokenizerFolder {
  readonly #read: ReadFile;
  readonly #objects = new Map<string, Promise<JsonObject | undefined>>();

  /** Reads files by `read`. */
  constructor(read: ReadFile) {
    this.#read = read;
  }

  /**
   * The bytes of a file; undefined where there is none.
   *
   * @throws {RangeError} If there are more than a tokenizer has.
   */
  async bytes(name: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#read(name);
    if (bytes !== undefined && bytes.length > TOKENIZER_BYTES) {
      throw new RangeError(
        `Cannot read ${name}: ${bytes.length} bytes are above the limit of ${TOKENIZER_BYTES}`,
      );
    }
    return bytes;
  }

  /** The text of a file. Throws a SyntaxError where it is not UTF-8. */
  async text(name: string): Promise<string | undefined> {
    const bytes = await this.bytes(name);
    if (bytes === undefined) return undefined;
    try {
      return decoder.decode(bytes);
    } catch {
      throw new SyntaxError(`Cannot read ${name}: it is not UTF-8`);
    }
  }

  /** The object that a file of JSON holds. Throws a SyntaxError where it is none. */
  object(name: string): Promise<JsonObject | undefined> {
    const known = this.#objects.get(name);
    if (known !== undefined) return known;
    const object = this.#parse(name);
    this.#objects.set(name, object);
    return object;
  }

  async #parse(name: string): Promise<JsonObject | undefined> {
    const text = await this.text(name);
    if (text === undefined) return undefined;
    return within(name, () => objectOf(parseJson(text), "the file"));
  }
}

/**
 * Does something with what a file holds.
 *
 * @param name The file, for messages.
 * @param work What to do; its errors about values get the name of the file.
 * @returns What it returns.
 */
export function within<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unreadable(name, "part of a tokenizer", error);
  }
}
