/**
 * The version of the package.
 *
 * @module
 */

/** The same as in deno.json; a test compares them. */
export const VERSION = "0.1.0";
