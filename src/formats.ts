/**
 * The map of all formats, and their types by name: made from what the registry
 * exports.
 *
 * @module
 */
import * as registry from "./formats/registry.ts";
import type { Format } from "./words/format.ts";

/** What the registry exports. */
export type Registry = typeof registry;

/** The exports of the registry that are formats: other modules export types and values beside theirs. */
export type FormatExport = {
  [K in keyof Registry]: Registry[K] extends { readonly name: K } ? K : never;
}[keyof Registry];

/**
 * What options a format takes and what parts it makes. `given` has the options
 * beside the name of the format: for older TypeScripts, such as 5.0, which take
 * `{ format }` for options of which all may be absent only if it can be one of them.
 */
export type TypesOf<F> = F extends Format<string, infer O, infer P, infer _R>
  ? { options: O; given: O & { readonly format?: unknown }; parts: P }
  : never;

/** What options each format takes and what parts it makes, as a mapped type. */
export type FormatTypesByName = {
  [K in FormatExport]: TypesOf<Registry[K]>;
};

/**
 * What options each format takes and what parts it makes. An interface, so that a
 * name which is only known to be some format's can index it.
 */
export interface FormatTypes extends FormatTypesByName {}

function isFormat(value: unknown): value is Format {
  return typeof value === "object" && value !== null && "resolve" in value &&
    "layout" in value && "scheme" in value;
}

type FormatMap = ReadonlyMap<keyof FormatTypes, Format>;

function byName(exported: Registry): FormatMap {
  return new Map(
    Object.values(exported).filter(isFormat).map((
      format,
    ) => [format.name as keyof FormatTypes, format as Format]),
  );
}

/**
 * Every format by its name, with its group size, bits per value, error bound and
 * source.
 *
 * @example
 * ```ts
 * import { formats } from "@nibblewise/nibblewise";
 *
 * for (const { name, bitsPerValue, summary } of formats.values()) {
 *   console.log(`${name}: ${bitsPerValue} bits, ${summary}`);
 * }
 * ```
 */
export const formats: ReadonlyMap<keyof FormatTypes, Format> =
  /* @__PURE__ */ byName(registry);
