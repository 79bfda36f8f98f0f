/**
 * What `config.json` says of a model, checked as it is asked for: every field is
 * hostile until it has the type and the range that it should.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import type { Json, JsonObject } from "../files/json.ts";

/** Largest count that GGUF has room for. */
const MOST = 0xffff_ffff;

/** A JSON object with typed fields. */
export class Config {
  readonly #where: string;
  readonly #fields: JsonObject;

  /**
   * Takes over an object.
   *
   * @param where What to call it in messages: a path, or a path and a field.
   * @param fields The object.
   */
  constructor(where: string, fields: JsonObject) {
    this.#where = where;
    this.#fields = fields;
  }

  /** Whether a field is there and not null. */
  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  /**
   * A whole number from 1 on.
   *
   * @param key The field.
   * @param otherwise What it is where the field is absent.
   * @throws {RangeError} If it is anything else, or absent without a substitute.
   */
  count(key: string, otherwise?: number): number {
    const value = this.#get(key) ?? otherwise ?? this.#missing(key);
    const isCount = typeof value === "number" && Number.isInteger(value) &&
      value >= 1 && value <= MOST;
    if (!isCount) this.#fail(key, value, `a whole number from 1 to ${MOST}`);
    return value as number;
  }

  /**
   * A finite number.
   *
   * @param key The field.
   * @param otherwise What it is where the field is absent.
   * @throws {RangeError} As {@linkcode count}.
   */
  number(key: string, otherwise?: number): number {
    const value = this.#get(key) ?? otherwise ?? this.#missing(key);
    if (typeof value !== "number" || !Number.isFinite(value)) {
      this.#fail(key, value, "a finite number");
    }
    return value as number;
  }

  /** A number where the field is there; throws a RangeError if it is none. */
  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  /** A count where the field is there; throws a RangeError if it is none. */
  optionalCount(key: string): number | undefined {
    return this.has(key) ? this.count(key) : undefined;
  }

  /** A text where the field is there; throws a RangeError if it is none. */
  text(key: string): string | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== "string") {
      this.#fail(key, value, "a text");
    }
    return value as string | undefined;
  }

  /** True or false where the field is there; throws a RangeError if it is neither. */
  flag(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value !== undefined && typeof value !== "boolean") {
      this.#fail(key, value, "true or false");
    }
    return value as boolean | undefined;
  }

  /** An object where the field is there; throws a RangeError if it is none. */
  object(key: string): Config | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (!(value instanceof Map)) this.#fail(key, value, "an object");
    return new Config(`${key} in ${this.#where}`, value as JsonObject);
  }

  /** The texts of a list where the field is there; throws a RangeError if it is no list of texts. */
  texts(key: string): readonly string[] | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) &&
      value.every((text) => typeof text === "string");
    if (!isList) this.#fail(key, value, "a list of texts");
    return value as string[];
  }

  /** The same with the fields of an object in it above its own, where there is one. */
  withFieldsOf(key: string): Config {
    const value = this.#get(key);
    return value instanceof Map
      ? new Config(this.#where, new Map([...this.#fields, ...value]))
      : this;
  }

  /** Throws a RangeError that says what the config says that cannot be. */
  refuse(reason: string): never {
    throw new RangeError(`Cannot make a GGUF by ${this.#where}: ${reason}`);
  }

  #get(key: string): Json | undefined {
    return this.#fields.get(key) ?? undefined;
  }

  #missing(key: string): never {
    this.refuse(`it does not say ${key}`);
  }

  #fail(key: string, value: Json, wanted: string): never {
    const shown = typeof value === "string"
      ? quote(value)
      : value instanceof Map
      ? "an object"
      : Array.isArray(value)
      ? "a list"
      : printable(String(value));
    this.refuse(`${key} is ${shown}, not ${wanted}`);
  }
}
