/**
 * What schemes on an even grid are, without what works on their tiles (linear.ts): a
 * format that has a way of its own needs that only where tiles are asked for, and an
 * entry point brings it along then.
 *
 * @module
 */
import type { Form, Scheme } from "../words/scheme.ts";
import type { FieldPlans } from "../words/tile.ts";
import { UINT4 } from "./grids.ts";
import type { LinearPlan } from "./linear_plan.ts";

/** What works on the tiles of a scheme. */
export type TileWork = Pick<Scheme, "encode" | "decode">;

/** What a scheme is. */
export function linearForm(plan: LinearPlan): Omit<Scheme, keyof TileWork> {
  const { group, scale = "scale", offset, computeDtype = "F32" } = plan;
  const field = { span: group, shared: plan.prepass !== undefined };
  const fields: FieldPlans = {
    [scale]: field,
    ...(offset && { [offset]: field }),
  };
  return {
    grid: plan.grid ?? UINT4,
    form: formOf(plan),
    fields,
    constants: constantsOf(plan),
    groupedBy: scale,
    computeDtype,
    prepass: plan.prepass,
    byRange: true,
    checks: true,
    padded: plan.padded,
  };
}

function constantsOf(
  { grid, offset, zero = 8 }: LinearPlan,
): Scheme["constants"] {
  if (grid) return { tensorScale: 1 };
  return offset ? undefined : { zero };
}

function formOf({ grid, offset }: LinearPlan): Form {
  if (grid) return "s·g";
  return offset === "bias" ? "s·c + b" : "s·(c − z)";
}

let tileWork: ((plan: LinearPlan) => TileWork) | undefined;

/** Says what works on tiles. Entry points do that have it. */
export function useTileWork(work: (plan: LinearPlan) => TileWork): void {
  tileWork = work;
}

/** Makes a scheme of a format with a way of its own. */
export function linearSchemeApart(plan: LinearPlan): Scheme {
  const work = (): TileWork => {
    if (tileWork) return tileWork(plan);
    throw new Error(
      "Nothing here works on tiles of this format: " +
        'import "@nibblewise/nibblewise/searches" or "@nibblewise/nibblewise/js/searches"',
    );
  };
  return {
    ...linearForm(plan),
    encode: (...given) => work().encode(...given),
    decode: (...given) => work().decode(...given),
  };
}
