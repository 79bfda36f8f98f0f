/**
 * The formats, one line each in the two lists.
 *
 * @module
 */
import type { Format } from "../types.ts";
import { int4, type Int4Options, type Int4Parts } from "./int4.ts";

/** What options each format takes and what parts it makes. */
export interface FormatTypes {
  /** Signed codes with float32 scales. */
  int4: { options: Int4Options; parts: Int4Parts };
}

const ALL: readonly Format[] = [
  int4,
];

/** Every format by its name. */
export const formats: ReadonlyMap<string, Format> = new Map(
  ALL.map((format) => [format.name, format]),
);
