/**
 * Quantizing and dequantizing whole blocks in plain JS: the generic way without
 * windows that cut through units, which blocks in a row have no need of.
 *
 * @module
 */
import {
  type BlockLayout,
  packBlocks,
  unpackBlocks,
} from "../layouts/blocks.ts";
import { firstNonFinite, rejectNonFinite } from "../numeric/finite.ts";
import { mayMakeNaNs, settleNaNs } from "../numeric/nan.ts";
import type { Coder, Part } from "../words/format.ts";
import type { Scheme } from "../words/scheme.ts";
import type { FieldPlans, Fields, Tile } from "../words/tile.ts";
import type { TensorOf } from "./stages.ts";

/** Values that are worked on at a time: they and their codes stay in the cache. */
const STRETCH_VALUES = 16384;

/**
 * Makes what quantizes and dequantizes, without searches.
 *
 * @param layout What a block is.
 * @param tensorOf What its numbers mean.
 */
export function blockCoder<R extends object>(
  layout: BlockLayout,
  tensorOf: TensorOf<R>,
): Coder<{ readonly blocks: Part<"U8"> }, R> {
  const bytesAt = (value: number) => value / layout.values * layout.bytes;
  return {
    quantize(values, shape, options, { blocks: { data } }, context = {}): void {
      const { scheme } = tensorOf(shape, options);
      for (const tile of stretches(values.length, layout.values, scheme)) {
        const { column, codes } = tile;
        const own = values.subarray(column, column + codes.length);
        if (!context.checked && firstNonFinite(own) >= 0) {
          rejectNonFinite(values);
        }
        scheme.encode(own, tile, context);
        packBlocks(layout, tile, data.subarray(bytesAt(column)));
      }
    },
    dequantize({ blocks: { data } }, shape, options, out): void {
      const { scheme } = tensorOf(shape, options);
      for (const tile of stretches(out.length, layout.values, scheme)) {
        const { column, codes } = tile;
        unpackBlocks(layout, data.subarray(bytesAt(column)), tile);
        const own = out.subarray(column, column + codes.length);
        scheme.decode(tile, own);
        if (mayMakeNaNs(tile.fields)) settleNaNs(own);
      }
    },
  };
}

/** Tiles of a tensor that is taken for one row: whole blocks, or whole rows where these stay together. */
function* stretches(
  count: number,
  size: number,
  { fields: plans, together }: Scheme,
): Generator<Tile, void> {
  const step = together?.columns ?? size;
  const most = Math.max(1, Math.floor(STRETCH_VALUES / step)) * step;
  const codes = new Uint8Array(Math.min(most, count));
  const one = { matrix: { rows: 1, columns: count }, row: 0, rows: 1, memory };
  for (let column = 0; column < count; column += most) {
    const columns = Math.min(most, count - column);
    const own = codes.subarray(0, columns), fields = fieldsOf(plans, columns);
    yield { ...one, column, columns, codes: own, fields };
  }
}

function memory(length: number): Float32Array {
  return new Float32Array(length);
}

/** The numbers of whole blocks, which cut no area. */
function fieldsOf(plans: FieldPlans, columns: number): Fields {
  const fields: Record<string, Float32Array> = {};
  for (const role of Object.keys(plans)) {
    const { span, length = 1 } = plans[role];
    fields[role] = memory(columns / span.columns * length);
  }
  return fields;
}
