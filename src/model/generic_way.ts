/**
 * Where the generic way is that formats with ways of their own are judged and
 * searched by. They do without it otherwise, so that a bundle of one need not carry it.
 *
 * @module
 */
import type { Coder } from "../words/format.ts";
import type { TensorOf } from "./stages.ts";

/** Makes what quantizes and dequantizes tile by tile. */
export type GenericWay = <P extends object, R extends object>(
  tensor: TensorOf<R>,
) => Coder<P, R>;

let way: GenericWay | undefined;

/** Says what the generic way is. Entry points do that have it. */
export function useGenericWay(generic: GenericWay): void {
  way = generic;
}

/** The generic way, where an entry point brought it along. */
export function genericWay(): GenericWay | undefined {
  return way;
}
