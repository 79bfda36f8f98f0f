/**
 * Preloaded (`deno test --preload=tests/force_js.ts`) to run a suite on the
 * plain-JS backend: the core itself reads no environment.
 *
 * @module
 */
import { useBackend } from "../mod.ts";

useBackend("js");
