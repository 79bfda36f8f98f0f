/**
 * Quantizes a tensor whose values come window by window.
 *
 * @module
 */
import { NoiseMeter } from "../compare.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import { GroupRanges } from "../model/ranges.ts";
import { fits, stages } from "../model/stages.ts";
import { clampNonFinite } from "../numeric/finite.ts";
import { type EncodeContext, groupOf, type Prepass } from "../words/scheme.ts";
import { everywhere } from "../words/tile.ts";
import {
  areaOf,
  cut,
  type Matrix,
  valuesOf,
  whole,
  type Window,
} from "../words/window.ts";
import { ByteMemory, FloatMemory } from "./memory.ts";
import type { StreamTensor } from "./tensor.ts";
import type { WindowBytes } from "./window_bytes.ts";

/** Values in a block: with what is restored of them 1 MiB, which a second-level cache holds. */
const BLOCK_VALUES = 128 * 1024;
/** Blocks of a window at least; small windows, which tests have, are cut too. */
const LEAST_BLOCKS = 8;
const LEAST_BLOCK_VALUES = 64;

/** How a tensor is quantized. */
export interface QuantizerSettings {
  /** Values in a window, if one grain is not more. */
  readonly capacity: number;
  /** What to do about NaN, infinities and scales that cannot be stored. */
  readonly nonFinite: "throw" | "clamp";
  /** Is told of all values and what became of them. */
  readonly meter: NoiseMeter;
  /** Rows that windows should have, so that they are cheap to read. */
  readonly tall?: number;
  /** The same tensor quantized another way, of which only the error is wanted. */
  readonly beside?: StreamTensor;
}

/** A window of values that is wanted. */
export interface QuantizerJob {
  /** The window. */
  readonly window: Window;
  /** Takes the values, which it may change; gives the bytes of the window where it is quantized. */
  take(values: Float32Array, memory: ByteMemory): WindowBytes | undefined;
}

const scratch = new FloatMemory();
const restored = new FloatMemory();
const besideBytes = new ByteMemory();

/** Values to quantize, and what is known of them. */
interface Given {
  readonly values: Float32Array;
  readonly window: Window;
  readonly groups?: GroupRanges;
}

/** Quantizes one tensor. */
export class TensorQuantizer {
  /** What windows are windows of. */
  readonly matrix: Matrix;
  readonly #tensor: StreamTensor;
  readonly #settings: QuantizerSettings;
  readonly #block: number;
  /** Range of all values, where they share a scale. */
  #everything: GroupRanges | undefined;
  #known: Pick<EncodeContext, "ranges" | "known"> = {};
  readonly #besideMeter = new NoiseMeter();

  /** Takes the tensor. */
  constructor(tensor: StreamTensor, settings: QuantizerSettings) {
    this.matrix = tensor.matrix;
    this.#tensor = tensor;
    this.#settings = settings;
    this.#block = Math.min(
      BLOCK_VALUES,
      Math.max(
        LEAST_BLOCK_VALUES,
        Math.ceil(settings.capacity / LEAST_BLOCKS),
      ),
    );
  }

  /** How often all values are read. */
  get passes(): number {
    const { cutting } = this.#tensor;
    return 1 + Number(this.#isClampedWhole) +
      Number(this.#hasPrepass) +
      Number(!fits(cutting, this.#settings.capacity));
  }

  /** Whether something is measured before the first window is quantized; a format that is given all at once does so itself. */
  get #hasPrepass(): boolean {
    const { scheme } = this.#tensor;
    if (!scheme.prepass) return false;
    const most = Math.min(this.#block, this.#settings.capacity);
    return areaOf(whole(this.matrix)) > most || !this.#tensor.isOwn;
  }

  /** Whether non-finite values are replaced by what is known of the whole tensor only. */
  get #isClampedWhole(): boolean {
    const { fields, groupedBy } = this.#tensor.scheme;
    const isWhole = fields[groupedBy]?.shared ?? true;
    return this.#settings.nonFinite === "clamp" &&
      (isWhole || fields[groupedBy].span.rows > 1);
  }

  /** The windows that are wanted; they have to be taken in order. */
  *jobs(): Generator<QuantizerJob, void> {
    this.#besideMeter.reset();
    const { scheme, cutting, tall } = this.#tensor;
    const { capacity } = this.#settings;
    if (this.#isClampedWhole) yield* this.#measureAll();
    if (this.#hasPrepass) yield* this.#prepass(scheme.prepass!());
    const least = Math.max(tall, this.#settings.tall ?? 1);
    for (const stage of stages(this.matrix, cutting, capacity, least)) {
      const groups = stage.measured ? this.#groups(stage.area) : undefined;
      if (groups) {
        for (const window of stage.windows()) yield measuring(groups, window);
      }
      for (const window of stage.windows()) {
        yield {
          window,
          take: (values, memory) =>
            this.#quantize(values, window, groups, memory),
        };
      }
    }
  }

  #groups(area: Window): GroupRanges {
    const span = groupOf(this.#tensor.scheme, this.matrix);
    const clamp = this.#settings.nonFinite === "clamp";
    return new GroupRanges(area, span, clamp);
  }

  *#measureAll(): Generator<QuantizerJob, void> {
    const groups = new GroupRanges(
      whole(this.matrix),
      everywhere(this.matrix),
      true,
    );
    this.#everything = groups;
    for (const window of this.#inOrder()) yield measuring(groups, window);
  }

  *#prepass(prepass: Prepass): Generator<QuantizerJob, void> {
    for (const window of this.#inOrder()) {
      const isLast = window.row + window.rows === this.matrix.rows &&
        window.column + window.columns === this.matrix.columns;
      yield {
        window,
        take: (values): undefined => {
          const clean = this.#clean(values, window, undefined);
          // Throws at a NaN or an infinity.
          measureMagnitude(clean);
          prepass.add(clean);
          if (isLast) this.#known = prepass.result();
        },
      };
    }
  }

  /** Windows in which values come in their order. */
  #inOrder(): Iterable<Window> {
    const { columns } = this.#tensor.cutting;
    const grain = { rows: 1, columns };
    return cut(whole(this.matrix), grain, this.#settings.capacity);
  }

  /** The values without NaN and infinities, where they are allowed. */
  #clean(
    values: Float32Array,
    window: Window,
    groups: GroupRanges | undefined,
  ): Float32Array {
    if (this.#settings.nonFinite === "throw") return values;
    const known = groups ?? this.#everything;
    if (known) {
      known.clean(values, window);
      return values;
    }
    const { columns } = groupOf(this.#tensor.scheme, this.matrix);
    return clampNonFinite(values, window.columns, columns);
  }

  #quantize(
    given: Float32Array,
    window: Window,
    groups: GroupRanges | undefined,
    memory: ByteMemory,
  ): WindowBytes {
    const values = this.#clean(given, window, groups);
    const parts = this.#encode(
      this.#tensor,
      { values, window, groups },
      memory,
      this.#settings.meter,
    );
    const { beside } = this.#settings;
    if (beside && this.#isComparable(beside)) {
      this.#encode(
        beside,
        { values, window },
        besideBytes,
        this.#besideMeter,
      );
    }
    return parts;
  }

  /** Whether windows of the one hold whole groups of the other. */
  #isComparable(beside: StreamTensor): boolean {
    return fits(beside.cutting, this.#settings.capacity);
  }

  /** By how many decibels the error is less than that of the tensor beside, as far as windows were taken; undefined where it is not known. */
  get gained(): number | undefined {
    const { beside, meter } = this.#settings;
    if (!beside || !this.#isComparable(beside)) return undefined;
    const here = meter.result().sqnr, there = this.#besideMeter.result().sqnr;
    return here === there ? 0 : here - there;
  }

  #encode(
    tensor: StreamTensor,
    { values, window, groups }: Given,
    memory: ByteMemory,
    meter: NoiseMeter,
  ): WindowBytes {
    const [parts] = tensor.carve([window], memory);
    const context = (area: Window): EncodeContext => ({
      overflow: this.#settings.nonFinite,
      ...this.#known,
      ...(groups && { ranges: groups.ranges(area) }),
    });
    const byBlocks = groups !== undefined ||
      fits(tensor.cutting, this.#block);
    if (!byBlocks) tensor.encode(values, window, parts, context(window));
    // Each block is quantized, restored and measured while it is in a cache.
    for (const block of tensor.windows(window, this.#block)) {
      const input = this.#valuesOf(values, window, block);
      if (byBlocks) tensor.encode(input, block, parts, context(block));
      const output = restored.take(input.length);
      tensor.decode(parts, block, output);
      meter.add(input, output);
    }
    return parts;
  }

  #valuesOf(
    values: Float32Array,
    window: Window,
    block: Window,
  ): Float32Array {
    const within = {
      ...block,
      row: block.row - window.row,
      column: block.column - window.column,
    };
    return valuesOf(values, window, within, scratch.take);
  }
}

function measuring(groups: GroupRanges, window: Window): QuantizerJob {
  return {
    window,
    take: (values): undefined => groups.add(values, window) as undefined,
  };
}
