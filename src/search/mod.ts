/**
 * Search among vectors in 4 bits a value, and products with them, without
 * unpacking: a million 384-dimensional embeddings take 200 MB.
 *
 * @module
 */
export {
  type FetchingSearchOptions,
  PackedMatrix,
  type ScoreOptions,
  type SearchOptions,
} from "./matrix.ts";
export type { Neighbours } from "./best.ts";
export type { GridName } from "./grid.ts";
export type { Estimator, MatrixOptions, RowScale } from "./options.ts";
export type { Metric, Precision } from "./query.ts";
export type { FetchRows, FloatRows, Rescore } from "./rescore.ts";
export type { Float16Values, FloatValues } from "../numeric/floats.ts";
