/**
 * The metadata of a model while it is put together.
 *
 * @module
 */
import { type GgufElementType, GgufValue } from "../files/gguf_value.ts";

/** Values in the order in which they come; what is undefined is left out. */
export class ModelValues {
  /** The values. */
  readonly all: Map<string, GgufValue> = new Map();
  readonly #architecture: string;

  /** Begins with the architecture. */
  constructor(architecture: string) {
    this.#architecture = architecture;
    this.text("general.architecture", architecture);
  }

  /** A whole number. A key without `general.` is one of the architecture's, as everywhere here. */
  u32(key: string, value: number | undefined): void {
    this.#add(key, "u32", value);
  }

  /** A whole number with a sign. */
  i32(key: string, value: number | undefined): void {
    this.#add(key, "i32", value);
  }

  /** A number. */
  f32(key: string, value: number | undefined): void {
    this.#add(key, "f32", value);
  }

  /** True or false. */
  flag(key: string, value: boolean | undefined): void {
    this.#add(key, "bool", value);
  }

  /** A text. */
  text(key: string, value: string | undefined): void {
    this.#add(key, "string", value);
  }

  #add(
    key: string,
    type: GgufElementType,
    value: number | boolean | string | undefined,
  ): void {
    if (value === undefined) return;
    const name = key.startsWith("general.")
      ? key
      : `${this.#architecture}.${key}`;
    this.all.set(name, GgufValue.of(type, value));
  }
}
