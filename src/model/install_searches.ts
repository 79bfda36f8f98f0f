/**
 * Gives formats their searches, and those with ways of their own the generic way, in
 * which they are searched. Imported for this effect by the entry points that have them.
 *
 * @module
 */
import { linearScheme } from "../schemes/linear.ts";
import { useTileWork } from "../schemes/linear_form.ts";
import { search } from "../schemes/searches.ts";
import { useSearcher } from "../schemes/sought.ts";
import { genericCoder } from "./define.ts";
import { useGenericWay } from "./generic_way.ts";

useSearcher(search);
useGenericWay(genericCoder);
useTileWork(linearScheme);
