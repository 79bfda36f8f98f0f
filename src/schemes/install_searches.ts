/**
 * Gives formats their searches. Imported for this effect by the entry points that
 * have them.
 *
 * @module
 */
import { search } from "./searches.ts";
import { useSearcher } from "./sought.ts";

useSearcher(search);
