/**
 * Everything that formats can be searched for: what sought.ts describes, done.
 *
 * @module
 */
import { hqqSearch } from "./hqq_search.ts";
import { nestedPlan } from "./nested_search.ts";
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
import { pairsPlan } from "./super_block_pairs.ts";

/** How it is searched for. */
function makePlan(sought: Sought): SearchPlan {
  switch (sought.kind) {
    case "scale":
      return scalePlan(sought.levels, sought.role, sought.storedOf);
    case "zero":
      return zeroPlan(sought.stored, sought.least);
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
const plans = new WeakMap<Sought, SearchPlan>();

function planOf(sought: Sought): SearchPlan {
  let plan = plans.get(sought);
  if (!plan) plans.set(sought, plan = makePlan(sought));
  return plan;
}

/** Makes schemes that search. */
export const search: Searcher = (scheme, sought, options, columns) =>
  searchedBy(scheme, planOf(sought), options, columns);
