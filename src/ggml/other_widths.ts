/**
 * What formats of blocks have in common whose codes have other widths than four bits.
 *
 * @module
 */
import type { BlockSpec } from "../model/block_format.ts";
import { genericCoder } from "../model/define.ts";

/**
 * The generic way, which moves bits of any width, and why nothing is searched.
 *
 * @param bits How many a code has.
 */
export function ofOtherWidth(
  bits: number,
): Pick<BlockSpec<string>, "generic" | "lacks"> {
  return {
    generic: genericCoder,
    lacks: {
      search: `its codes have ${bits} bits, searches are for codes of 4`,
    },
  };
}
