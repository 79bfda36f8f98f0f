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
export type * from "./types.ts";
