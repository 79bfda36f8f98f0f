// Measures of whole arrays, which all formats share: a module of its own. The rules are
// those of index.ts.

export { magnitude, range } from "./reduce";
export { constants_end, scratch_start } from "./ends";
