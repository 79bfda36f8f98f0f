/**
 * Layouts: where codes and fields lie. A layout knows nothing of numbers.
 *
 * A part is made of units: areas of the matrix that become a fixed number of
 * bytes. What lies where in a unit is data, from which the sizes of parts, the
 * byte ranges of windows, packing and unpacking all come.
 *
 * @module
 */
import { bytesPerElement, type Dtype } from "./dtypes.ts";
import {
  areasOf,
  type FieldPlan,
  type FieldPlans,
  type Fields,
  type Span,
  type Tile,
} from "./tile.ts";
import {
  type Grain,
  leastCommonMultiple,
  type Matrix,
  whole,
  type Window,
} from "./window.ts";

/** What a part looks like. */
export interface PartSpec<D extends Dtype = Dtype> {
  /** Element type. */
  readonly dtype: D;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
}

/** An area of the matrix that becomes a run of bytes. */
export interface Unit extends Span {
  /** Bytes of a unit. */
  readonly bytes: number;
  /**
   * From one row of the unit to the next, where they are no neighbours: unit u
   * has the rows u, u + rowStep, … of the matrix, whose rows are `rows` · `rowStep`.
   * A window takes all such units of its columns.
   */
  readonly rowStep?: number;
}

/** Codes in a unit. */
export interface CodesItem {
  /** Tells it from fields. */
  readonly kind: "codes";
  /** Offset of the first byte in the unit. */
  readonly at: number;
  /**
   * Where each value of the unit has its code, row by row: nibble 2k is the low
   * half of byte k, nibble 2k + 1 the high half.
   */
  readonly nibbles: readonly number[];
  /** What codes are combined with by exclusive or: 8 stores −8 … 7 in two's complement. */
  readonly flip?: number;
  /** Nibbles of the unit that hold nothing: written as 0, not read. */
  readonly spare?: readonly number[];
  /** The nibble stored for values beyond the end of a row or column; 0 by default. */
  readonly padding?: number;
  /**
   * How many columns a loop over pairs goes through without clearing the pair: at
   * the end of an odd row, the high nibble is then that of the byte before, and 0
   * where there is none.
   */
  readonly stale?: number;
}

/**
 * Some bits of each code in a unit, where codes do not have four: all items of this
 * kind in a unit make up the codes, the lowest bits first.
 */
export interface BitsItem {
  /** Tells it from the others. */
  readonly kind: "bits";
  /** Offset of the first byte in the unit. */
  readonly at: number;
  /** How many bits of a code lie here. */
  readonly width: 1 | 2 | 4 | 8;
  /**
   * Where each value of the unit has them, row by row, counted in steps of
   * {@linkcode width} from the lowest bits of the first byte on.
   */
  readonly places: readonly number[];
  /** How many bits of the code are below these. */
  readonly above: number;
  /** What these bits are combined with by exclusive or: 128 stores −128 … 127 in two's complement. */
  readonly flip?: number;
}

/** How numbers of a field become bytes. */
export interface Codec {
  /** Bytes for all entries together. */
  readonly bytes: number;
  /** How many areas of the field go together, in either direction. */
  readonly areas: Span;
  /** Numbers for each area; 1 but for tables. */
  readonly length?: number;
  /** The number of every byte, where each area has one byte and nothing else. */
  readonly numbers?: Float32Array;
  /** Where the bytes of areas lie, row by row, where that is not one after the other; 0 is stored for areas beyond the end. */
  readonly places?: readonly number[];
  /** What is stored for entries beyond the end of the matrix, where the codec does not see to it. */
  readonly beyond?: number;
  /** What is read just as it was stored: all numbers, or the whole ones from the smallest to the largest; absent where nothing is said of that. */
  readonly keeps?: "all" | readonly [min: number, max: number];
  /** Reads all entries into `to`, from index 0 on. */
  load(bytes: Uint8Array, at: number, to: Float32Array): void;
  /** Writes all entries from `from`, from index 0 on. Entries beyond the end of the matrix are {@linkcode beyond}, or `NaN`. */
  store(from: Float32Array, bytes: Uint8Array, at: number): void;
  /** Reads `count` numbers, each `stride` bytes after the one before, into `to` from index `first` on, to every `step`th; for codecs of one number. */
  loadRun?(
    bytes: Uint8Array,
    at: number,
    stride: number,
    to: Float32Array,
    first: number,
    count: number,
    step: number,
  ): void;
  /** Writes as many. */
  storeRun?(
    from: Float32Array,
    first: number,
    count: number,
    bytes: Uint8Array,
    at: number,
    stride: number,
    step: number,
  ): void;
  /** Reads all entries of `count` neighbouring units into `to`, from index `first` on; for codecs of several numbers whose units are whole bytes. */
  loadUnits?(
    bytes: Uint8Array,
    at: number,
    count: number,
    to: Float32Array,
    first: number,
  ): void;
  /** Writes as many. */
  storeUnits?(
    from: Float32Array,
    first: number,
    count: number,
    bytes: Uint8Array,
    at: number,
  ): void;
}

/** Numbers of a field in a unit. */
export interface FieldItem {
  /** Tells it from codes. */
  readonly kind: "field";
  /** Which field. */
  readonly role: string;
  /** Offset of the first byte in the unit. */
  readonly at: number;
  /** How they are stored. */
  readonly codec: Codec;
  /** Moves them, where it knows how. */
  readonly mover?: FieldMover;
}

/** Moves the numbers of a tile's field between it and a part; false where they are to be moved one by one. */
export interface FieldMover {
  /** Takes them out of the part. */
  unpack(
    part: PartBytes,
    matrix: Matrix,
    item: FieldItem,
    plan: FieldPlan,
    tile: Tile,
  ): boolean;
  /** Puts them into it. */
  pack(
    part: PartBytes,
    matrix: Matrix,
    item: FieldItem,
    plan: FieldPlan,
    tile: Tile,
  ): boolean;
}

/** A text that says something about the whole tensor. */
export interface TextItem {
  /** Tells it from the others. */
  readonly kind: "text";
  /** The text for these fields; as long as the part. */
  write(fields: Fields): string;
  /** Takes from the text what belongs to fields. Throws a RangeError when it contradicts the tensor. */
  read(text: string, fields: Fields): void;
}

/** Bytes that follow from shape and options, for readers that look for them. */
export interface ConstantItem {
  /** Tells it from the others. */
  readonly kind: "constant";
  /** Offset of the first byte in the unit. */
  readonly at: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** The part, for messages, where other bytes than these contradict the tensor; absent where they only tell how it was made. */
  readonly otherwise?: string;
}

/** Bytes of a part, and the window that they were taken for. */
export interface PlacedBytes {
  /** Its bytes: units of the window, in the part's order, without gaps. */
  readonly bytes: Uint8Array;
  /** What the bytes were taken for: the whole matrix, or a window of it. */
  readonly area: Window;
}

/** The same with the plan of the part. */
export interface PartBytes extends PlacedBytes {
  /** The plan of the part in the whole tensor. */
  readonly plan: PartPlan;
}

/** Bytes of a part for one tile of a window after another, which come row by row and share their rows or have none in common. */
export interface NearBytes {
  /** What a tile is read from. */
  reading(tile: Window): PlacedBytes;
  /** Where a tile is written: all of its codes. */
  writing(tile: Window): PlacedBytes;
  /** Puts into the part what was written, and ends all use. */
  close(): void;
}

/** Moves the codes of a tile between it and a part; false where it does not know its units, which are then moved as they are described. */
export interface CodesMover {
  /** Takes them out of the part. */
  unpack(part: PartBytes, matrix: Matrix, item: CodesItem, tile: Tile): boolean;
  /** Puts them into it. */
  pack(part: PartBytes, matrix: Matrix, item: CodesItem, tile: Tile): boolean;
}

/** One part: its units and what lies in them. The end of the part may cut the last unit short. */
export interface PartPlan<D extends Dtype = Dtype> extends PartSpec<D> {
  /** Its units. */
  readonly unit: Unit;
  /** Which units lie together: those of a row, or those of a column. */
  readonly order: "rows" | "columns";
  /** What lies in a unit. */
  readonly holds:
    readonly (CodesItem | BitsItem | FieldItem | TextItem | ConstantItem)[];
  /** Brings the bytes of a tile together where they lie far apart. */
  readonly near?: (
    part: PartBytes,
    matrix: Matrix,
    window: Window,
  ) => NearBytes;
  /** Moves codes all at once where units are not what others have. */
  readonly mover?: CodesMover;
  /** A window takes all columns of the part: which of them it needs is in its data. */
  readonly wholeRows?: boolean;
  /** The length in the file may be another one: it is a text. */
  readonly anyLength?: boolean;
}

/** Where codes and fields of a tensor lie. */
export interface Layout<P extends object = Record<string, PartPlan>> {
  /** The tensor as the layout sees it. */
  readonly matrix: Matrix;
  /** The parts by name. */
  readonly parts: { readonly [K in keyof P]: PartPlan };
}

/** Bytes of a part that lie at regular distances. */
export interface StridedRange {
  /** Offset of the first run. */
  readonly offset: number;
  /** Bytes of a run. */
  readonly length: number;
  /** From the start of one run to the start of the next. */
  readonly stride: number;
  /** How many runs. */
  readonly count: number;
}

/** The units of a part that a window touches. */
export function unitsOf(
  part: PartPlan,
  matrix: Matrix,
  window: Window,
): Window {
  const { rowStep } = part.unit;
  const units = areasOf(
    part.wholeRows ? { ...window, column: 0, columns: matrix.columns } : window,
    part.unit,
  );
  return rowStep === undefined ? units : { ...units, row: 0, rows: rowStep };
}

/** Which bytes of a part a window needs. */
export function rangeOf(
  part: PartPlan,
  matrix: Matrix,
  window: Window,
): StridedRange {
  return rangeWithin(part, matrix, whole(matrix), window);
}

/**
 * Which bytes a window needs of those that were taken of a part.
 *
 * @param part The part.
 * @param matrix The whole tensor.
 * @param area What the bytes were taken for.
 * @param window A window of that area.
 */
export function rangeWithin(
  part: PartPlan,
  matrix: Matrix,
  area: Window,
  window: Window,
): StridedRange {
  const have = unitsOf(part, matrix, area);
  const want = unitsOf(part, matrix, window);
  const { bytes } = part.unit;
  const [major, majors, minor, minors, perMajor] = part.order === "rows"
    ? [
      want.row - have.row,
      want.rows,
      want.column - have.column,
      want.columns,
      have.columns,
    ]
    : [
      want.column - have.column,
      want.columns,
      want.row - have.row,
      want.rows,
      have.rows,
    ];
  const offset = (major * perMajor + minor) * bytes;
  const length = minors * bytes, stride = perMajor * bytes;
  if (length !== stride && majors !== 1) {
    return { offset, length, stride, count: majors };
  }
  // Runs that touch are one, and the last unit may be cut short.
  const all = length * majors - shortAtEnd(part, matrix, want);
  return { offset, length: all, stride: all, count: all === 0 ? 0 : 1 };
}

/** Bytes that the last unit of a part lacks, where units go up to it. */
function shortAtEnd(part: PartPlan, matrix: Matrix, units: Window): number {
  const all = unitsOf(part, matrix, whole(matrix));
  const toEnd = units.row + units.rows === all.rows &&
    units.column + units.columns === all.columns;
  return toEnd && !part.anyLength
    ? all.rows * all.columns * part.unit.bytes - partBytes(part)
    : 0;
}

/** Bytes of a part. */
export function partBytes({ dtype, shape }: PartSpec): number {
  return shape.reduce((product, n) => product * n, bytesPerElement(dtype));
}

/**
 * Where windows of a layout may start so that none shares a byte with another.
 *
 * @param layout The layout.
 * @param fields The fields of its scheme.
 * @param measured Whether ranges of groups are known, so that a group may be cut.
 * @param least What else has to stay together.
 */
export function grainOf(
  layout: Layout<Record<string, PartPlan>>,
  fields: FieldPlans,
  measured = false,
  least?: Span,
): Grain {
  const known = (measured ? measuredGrains : grains).get(layout);
  if (known?.fields === fields && known.least === least) return known.grain;
  const grain = findGrain(layout, fields, measured, least);
  (measured ? measuredGrains : grains).set(layout, { fields, least, grain });
  return grain;
}

/** What was found for a layout, which is made once for tensors alike. */
interface Found {
  readonly fields: FieldPlans;
  readonly least: Span | undefined;
  readonly grain: Grain;
}

const grains = /* @__PURE__ */ new WeakMap<object, Found>();
const measuredGrains = /* @__PURE__ */ new WeakMap<object, Found>();

function findGrain(
  { matrix, parts }: Layout<Record<string, PartPlan>>,
  fields: FieldPlans,
  measured: boolean,
  least?: Span,
): Grain {
  const grain = { rows: 1, columns: 1 };
  const keep = (span: Span) => {
    grain.rows = common(grain.rows, span.rows, matrix.rows);
    grain.columns = common(grain.columns, span.columns, matrix.columns);
  };
  for (const { unit, holds, wholeRows } of Object.values(parts)) {
    const codes = holds.some(({ kind }) => kind === "codes" || kind === "bits");
    const numbers = holds.some((item) =>
      item.kind === "field" && !fields[item.role].shared
    );
    if (codes || numbers && !measured && !wholeRows) {
      keep({ ...unit, rows: unit.rows * (unit.rowStep ?? 1) });
    } // Every window along its row writes such a unit anew: with all that is in it.
    else if (numbers) {
      const together = holds.some((item) =>
        item.kind === "field" && item.codec.areas.columns > 1
      );
      keep(together ? unit : { rows: unit.rows, columns: 1 });
    }
  }
  for (const { span, shared } of Object.values(fields)) {
    if (!measured && !shared) keep(span);
  }
  if (least) keep(least);
  return grain;
}

/** The least number that both divide, up to all that there are. */
function common(a: number, b: number, all: number): number {
  return a >= all || b >= all
    ? Math.max(1, all)
    : Math.min(all, leastCommonMultiple(a, b));
}
