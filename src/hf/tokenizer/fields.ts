/**
 * Fields of JSON, taken with their kinds checked: what is wrong is told with its place.
 *
 * @module
 */
import { quote } from "../../files/errors.ts";
import type { Json, JsonObject } from "../../files/json.ts";

/** A field that may be missing: null counts as missing, as it does for the libraries that write these files. */
type Field = Json | undefined;

function wrong(value: Field, place: string, kind: string): never {
  throw new SyntaxError(`${place} is ${show(value)}, not ${kind}`);
}

function show(value: Field): string {
  if (value === undefined) return "missing";
  if (value instanceof Map) return "an object";
  if (Array.isArray(value)) return "a list";
  return typeof value === "string" ? quote(value) : String(value);
}

/** An object. Throws a SyntaxError where it is anything else. */
export function objectOf(value: Field, place: string): JsonObject {
  return value instanceof Map ? value : wrong(value, place, "an object");
}

/** A list. Throws a SyntaxError where it is anything else. */
export function listOf(value: Field, place: string): Json[] {
  return Array.isArray(value) ? value : wrong(value, place, "a list");
}

/** A text. Throws a SyntaxError where it is anything else. */
export function textOf(value: Field, place: string): string {
  return typeof value === "string" ? value : wrong(value, place, "a text");
}

/** A text, or undefined where there is none. */
export function textOr(value: Field, place: string): string | undefined {
  return value === undefined || value === null
    ? undefined
    : textOf(value, place);
}

/** A truth value, or what stands for it where there is none. */
export function flagOr<T extends boolean | undefined>(
  value: Field,
  place: string,
  otherwise: T,
): boolean | T {
  if (value === undefined || value === null) return otherwise;
  return typeof value === "boolean"
    ? value
    : wrong(value, place, "true or false");
}

/** The largest id and count: llama.cpp's tokens are of 32 bits with a sign. */
const LARGEST = 2 ** 31 - 1;

/** A whole number from 0 that fits 31 bits. */
export function countOf(value: Field, place: string): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 &&
      value <= LARGEST
    ? value
    : wrong(value, place, `a whole number up to ${LARGEST}`);
}

/** The `type` of an object, which says how its other fields are meant. */
export function typeOf(value: JsonObject, place: string): string {
  return textOf(value.get("type"), `${place}.type`);
}
