/**
 * Search among vectors in 4 bits a value, and products with them, without
 * unpacking: a million 384-dimensional embeddings take 200 MB.
 *
 * @module
 */
import "../model/install.ts";
export { PackedMatrix } from "./matrix.ts";
export type {
  FetchingSearchOptions,
  ScoreOptions,
  SearchOptions,
} from "./call.ts";
export type { Neighbours } from "./best.ts";
export type {
  ExtraTensor,
  MatrixFile,
  MatrixSource,
  OwnBytes,
} from "./file.ts";
export type { ByteSource } from "../files/bytes.ts";
export type { ByteReader } from "../stream/bytes.ts";
export type { GridName } from "./grid.ts";
export type { Estimator, MatrixOptions, RowScale } from "./options.ts";
export type { Metric, Precision } from "./query.ts";
export type { FetchRows, FloatRows, Rescore } from "./rescore.ts";
export type { Float16Values, FloatValues } from "../numeric/floats.ts";
export { dot, matmul } from "./matmul.ts";
export type { MultipliableTensor } from "./weights.ts";
export type { Bytes, Dtype, DtypeArrays, Shorts } from "../words/dtypes.ts";
export type { Part, Parts, QuantizedTensor } from "../words/format.ts";
export type { PartSpec } from "../words/layout.ts";
export {
  type SearchWorkers,
  startWorkers,
  type WebWorker,
  type WorkerSearchOptions,
} from "./workers.ts";
