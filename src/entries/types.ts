/**
 * The types that formats and results are described in, for every entry point.
 *
 * @module
 */
export type {
  AnyQuantized,
  CommonOptions,
  DequantizeOptions,
} from "../core.ts";
export type {
  BitsandbytesFormat,
  BitsandbytesOptions,
  BitsandbytesParts,
  PackedDtype,
  ResolvedBitsandbytesOptions,
} from "../model/bitsandbytes.ts";
export type {
  BlockFormat,
  BlockOptions,
  BlockParts,
  ResolvedBlockOptions,
} from "../model/block_format.ts";
export type { Comparison, Noise } from "../compare.ts";
export type { GroupSize, ScaleMethod } from "../kernels/grouped.ts";
export type { Overflow } from "../numeric/finite.ts";
export type {
  Float16Values,
  FloatValues,
  OwnFloats,
} from "../numeric/floats.ts";
export type { Bytes, Dtype, DtypeArrays, Shorts } from "../words/dtypes.ts";
export type {
  Candidate,
  Coder,
  Convention,
  Format,
  Part,
  Parts,
  QuantizedTensor,
  Recognized,
} from "../words/format.ts";
export type {
  BitsItem,
  Codec,
  CodesItem,
  CodesMover,
  ConstantItem,
  FieldItem,
  FieldMover,
  Layout,
  NearBytes,
  PartBytes,
  PartPlan,
  PartSpec,
  PlacedBytes,
  StridedRange,
  TextItem,
  Unit,
} from "../words/layout.ts";
export type {
  BooleanOption,
  ChoiceOption,
  NumberOption,
  Option,
  OptionBase,
  RangeOption,
  Schema,
  WeightsOption,
} from "../words/schema.ts";
export type {
  ResolvedSearchOptions,
  ScaleSearch,
  SearchOptions,
} from "../words/search.ts";
export type {
  ComputeDtype,
  EncodeContext,
  Form,
  Grid,
  GroupKernel,
  Prepass,
  Ranges,
  Scheme,
} from "../words/scheme.ts";
export type {
  FieldPlan,
  FieldPlans,
  Fields,
  Run,
  Span,
  Tile,
  TileMemory,
} from "../words/tile.ts";
export type { Grain, Matrix, Window } from "../words/window.ts";
export type { OnnxLinearFormat } from "../model/onnx_linear.ts";
export type { ExponentRule } from "../numeric/e8m0.ts";
export type { ScaleRule } from "../schemes/mx.ts";
