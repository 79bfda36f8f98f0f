/**
 * The formats themselves, for `./core` and `./js`, which know none by name.
 *
 * @example
 * ```ts
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 *
 * console.log(q4_0.bitsPerValue); // 4.5
 * ```
 *
 * @module
 */
export * from "../formats/registry.ts";
export {
  type FormatExport,
  formats,
  type FormatTypes,
  type FormatTypesByName,
  type Registry,
  type TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
