/**
 * Everything that formats can be searched for: what sought.ts describes, done.
 *
 * @module
 */
import { hqqSearch } from "./hqq_search.ts";
import { nestedPlan } from "./nested_search.ts";
import { rangePrepass } from "./range_search.ts";
import {
  affineIn,
  biasPlan,
  scalePlan,
  searchedBy,
  type SearchPlan,
  zeroPlan,
} from "./searched.ts";
import type { Searcher, Sought } from "./sought.ts";
import { multiplesPlan } from "./super_block.ts";
import { storedBy, storedScales } from "./stored_scale.ts";
import { pairsPlan } from "./super_block_pairs.ts";

/** What is searched for in groups, one after the other. */
type GroupsSought = Exclude<Sought, { readonly kind: "range" }>;

/** How it is searched for. */
function makePlan(sought: GroupsSought): SearchPlan {
  switch (sought.kind) {
    case "scale":
      return scalePlan(sought.levels, sought.role, storedBy(sought.stored));
    case "zero":
      return zeroPlan(storedScales(sought.stored), sought.least);
    case "bias":
      return biasPlan(affineIn(sought.dtype));
    case "nested":
      return nestedPlan(sought);
    case "multiples":
      return multiplesPlan(sought);
    case "pairs":
      return pairsPlan(sought.size);
    case "hqq":
      return hqqSearch(sought.plan);
  }
}

/** Plans that were made before: formats ask with the same object again and again. */
const plans = new WeakMap<GroupsSought, SearchPlan>();

function planOf(sought: GroupsSought): SearchPlan {
  let plan = plans.get(sought);
  if (!plan) plans.set(sought, plan = makePlan(sought));
  return plan;
}

/** Makes schemes that search. */
export const search: Searcher = (scheme, sought, options, columns) =>
  sought.kind === "range"
    ? { ...scheme, prepass: () => rangePrepass(sought, options) }
    : searchedBy(scheme, planOf(sought), options, columns);
