/**
 * Formats of self-contained blocks by kernels, where they have some: whole blocks go
 * there, and what a kernel leaves alone goes to plain JS.
 *
 * @module
 */
import { engineFor } from "../kernels/engine.ts";
import { type Brought, withKernels } from "../kernels/modules.ts";
import { rejectNonFinite, within } from "../numeric/finite.ts";
import type { EncodeContext } from "../words/scheme.ts";
import {
  type BlockKernels,
  type BlockParts,
  type Blocks,
  type BlockSpec,
  type ResolvedBlockOptions,
  useBlockKernels,
} from "./block_format.ts";

/** The part that blocks are. */
export function partOf(data: Uint8Array): BlockParts {
  return {
    blocks: { dtype: "U8", shape: [data.length], data: data as never },
  };
}

/** Quantizes a stretch of whole blocks, or whole rows, in plain JS. */
function quantizeStretch(
  { values: size, bytes }: BlockSpec<string>,
  plain: Blocks,
  values: Float32Array,
  first: number,
  n: number,
  { importance }: ResolvedBlockOptions,
  data: Uint8Array,
  context: EncodeContext | undefined,
): void {
  rejectNonFinite(values, first, first + n);
  const columns = importance?.length ?? n;
  const blocks = data.subarray(
    first / size * bytes,
    (first + n) / size * bytes,
  );
  within(first / size, first, () =>
    plain.quantize(
      values.subarray(first, first + n),
      [n / columns, columns],
      { importance },
      partOf(blocks),
      { ...context, checked: true },
    ));
}

/** What runs the kernels of formats of blocks. */
export const BLOCK_KERNELS: BlockKernels = {
  quantize(spec, plain, values, _shape, options, parts, context): boolean {
    const { values: step, bytes } = spec, { data } = parts.blocks;
    const { importance } = options;
    const kernel = importance ? spec.weightedKernel : spec.quantizeKernel;
    const engine = kernel && engineFor(kernel);
    if (!engine || values.length === 0) return false;
    const columns = importance?.length ?? step;
    engine.run({
      kernel,
      count: values.length,
      step: columns,
      operands: [
        { array: values, access: "read", bits: 32 },
        ...(importance ? [{ array: importance, access: "read" } as const] : []),
        { array: data, access: "write", bytes: columns / step * bytes },
      ],
      numbers: importance ? [columns] : [],
      again: (first, n) =>
        quantizeStretch(
          spec,
          plain,
          values,
          first,
          n,
          options,
          data,
          context,
        ),
    });
    return true;
  },
  dequantize(spec, plain, parts, _shape, _options, out): boolean {
    const { values: step, bytes, dequantizeKernel: kernel } = spec;
    const { data } = parts.blocks, engine = kernel && engineFor(kernel);
    if (!engine || out.length === 0) return false;
    engine.run({
      kernel,
      count: out.length,
      step,
      operands: [
        { array: data, access: "read", bytes },
        { array: out, access: "write", bits: 32 },
      ],
      again: (first, n) =>
        plain.dequantize(
          partOf(
            data.subarray(first / step * bytes, (first + n) / step * bytes),
          ),
          [n],
          {},
          out.subarray(first, first + n),
        ),
    });
    return true;
  },
};

/** What it is given, once formats of blocks run kernels and modules have their WebAssembly. */
export function withBlockKernels<T>(value: T, brought: readonly Brought[]): T {
  useBlockKernels(BLOCK_KERNELS);
  return withKernels(value, brought);
}
