/**
 * What the command line uses of the Deno standard library. `build.ts` bundles
 * it into `bundle.js`, which is committed and imported: so the command line
 * starts from a checkout under Deno, Node and Bun with nothing installed, and
 * the package on npm depends on nothing.
 *
 * @module
 */
export { format as formatBytes } from "@std/fmt/bytes";
