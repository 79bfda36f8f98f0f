/**
 * A piece, block by block: each is quantized, restored and measured while it
 * is in the second-level cache.
 *
 * @module
 */
import type { NoiseMeter } from "../compare.ts";
import { type AnyQuantized, dequantize, quantize } from "../quantize.ts";
import type { QuantizedTensor } from "../types.ts";
import {
  cut,
  FREE_STEP,
  grainOf,
  type Layout,
  type PartRange,
  type Piece,
  PieceLayout,
  roomFor,
} from "./pieces.ts";
import { viewParts } from "./values.ts";

/** Values in a block at most: with what is restored of them 1 MiB. */
const BLOCK_VALUES = 128 * 1024;

/** Blocks of a piece at least; small pieces, which tests have, are cut too. */
const LEAST_BLOCKS = 8;

/** Where the parts of a block lie in those of its piece. */
interface Block extends Piece {
  readonly ranges: Readonly<Record<string, PartRange>>;
}

/** How pieces of one shape are worked on. */
interface BlockPlan {
  readonly layout: PieceLayout;
  readonly blocks: readonly Block[];
  /** Values in the largest block. */
  readonly room: number;
}

/** What becomes of NaN, of infinities, and of scales that would be infinite. */
type NonFinite = "throw" | "clamp";

/** Quantizes over the parts of `into`, with its options. */
export function quantizeInto(
  into: AnyQuantized,
  values: Float32Array,
  nonFinite: NonFinite = "throw",
): void {
  const { format, shape, options } = into;
  // The names of formats are checked where they come in; here they are only text.
  const any = quantize as (values: Float32Array, options: object) => unknown;
  any(values, { ...options, format, shape, into, nonFinite });
}

/** Quantizes the pieces of a tensor and measures the error. */
export class BlockQuantizer {
  readonly #meter: NoiseMeter;
  readonly #capacity: number;
  readonly #nonFinite: NonFinite;
  #shape = "";
  #plan: BlockPlan | undefined;

  /** Takes what is told of every block, how many values a piece has at most, and whether any values are taken. */
  constructor(
    meter: NoiseMeter,
    pieceValues: number,
    nonFinite: NonFinite = "throw",
  ) {
    this.#meter = meter;
    this.#nonFinite = nonFinite;
    this.#capacity = Math.min(
      BLOCK_VALUES,
      Math.max(FREE_STEP, Math.ceil(pieceValues / LEAST_BLOCKS)),
    );
  }

  /**
   * Quantizes a piece.
   *
   * @param values Its values.
   * @param layout Its format, shape and options.
   * @param quantized Where the result goes: a tensor of the same layout.
   * @param scratch Gives memory for so many restored values.
   * @param range The range of the group that the piece lies in, where it was measured.
   */
  run(
    values: Float32Array,
    layout: Layout,
    quantized: QuantizedTensor,
    scratch: (length: number) => Float32Array,
    range?: readonly [min: number, max: number],
  ): void {
    const plan = this.#planFor(layout);
    // A group that is longer than a block has to be measured: the format does that.
    const whole = plan.layout.measured && range === undefined;
    if (whole) quantizeInto(quantized, values, this.#nonFinite);
    // The plan is that of another piece, whose group had another range.
    const options = plan.layout.measured
      ? plan.layout.options(range)
      : layout.options;
    for (const { first, count, shape, ranges } of plan.blocks) {
      const block = {
        format: quantized.format,
        shape,
        options,
        parts: viewParts(quantized.parts, ranges),
      };
      const input = values.subarray(first, first + count);
      if (!whole) quantizeInto(block, input, this.#nonFinite);
      const restored = scratch(plan.room).subarray(0, count);
      this.#meter.add(input, dequantize(block, { into: restored }));
    }
  }

  #planFor(layout: Layout): BlockPlan {
    const key = layout.shape.join();
    if (this.#plan && key === this.#shape) return this.#plan;
    const { shape } = layout, capacity = this.#capacity;
    const grain = grainOf(layout, capacity);
    const pieces = new PieceLayout(layout, capacity);
    this.#shape = key;
    return this.#plan = {
      layout: pieces,
      blocks: Array.from(cut(shape, capacity, grain), (block) => ({
        ...block,
        ranges: pieces.parts(block),
      })),
      room: roomFor(shape, capacity, grain),
    };
  }
}
