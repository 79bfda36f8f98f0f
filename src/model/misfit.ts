/**
 * Holding the entries of a checkpoint to a layout.
 *
 * @module
 */
import type { Candidate } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";

/** An entry that is not what a layout has. */
export interface Misfit {
  /** The part. */
  readonly name: string;
  /** What was found, in words. */
  readonly seen: string;
  /** What it has to be. */
  readonly wanted: string;
}

/**
 * The first part that is missing, or has another dtype or shape than the layout says.
 *
 * @param candidate The entries.
 * @param layout What there should be, with whatever parts.
 */
export function firstMisfit(
  { parts }: Candidate,
  { parts: plans }: { readonly parts: object },
): Misfit | undefined {
  for (const [name, plan] of Object.entries(plans as Layout["parts"])) {
    const { dtype, shape, anyLength } = plan;
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    const fits = part && part.dtype === dtype &&
      (anyLength || String(part.shape) === String(shape));
    if (fits) continue;
    const seen = part ? `${part.dtype} [${part.shape}]` : "missing";
    return { name, seen, wanted: `${dtype} [${shape}]` };
  }
  return undefined;
}
