/**
 * Writes units of a tile to where they lie in a part, four rows at a time: the
 * units of a column lie together, and where they are bytes four make a word.
 *
 * @module
 */

/** Units as elements of an array. */
export type Elements = Int32Array | Uint8Array;

/** Where units of neighbouring rows and columns lie: in elements. */
export interface Places {
  /** The first. */
  readonly at: number;
  /** How many rows. */
  readonly rows: number;
  /** How many in each row. */
  readonly count: number;
  /** From a unit to the next in its row. */
  readonly stride: number;
}

/** Columns that are done at a time, so that what is written of them stays in the cache. */
const BLOCK = 8;

/** Takes units that lie row after row to places where those of a column lie together. */
export function scatterColumns(
  packed: Elements,
  units: Elements,
  { at, rows, count, stride }: Places,
): void {
  const words = wordsOf(units, at, stride), all = { packed, count, stride };
  for (let column = 0; column < count; column += BLOCK) {
    const end = Math.min(count, column + BLOCK), start = at + column * stride;
    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      const first = r * count;
      if (words) fourBytes(all, first + column, first + end, words, start + r);
      else fourEach(all, first + column, first + end, units, start + r);
    }
    for (; r < rows; r++) {
      for (let c = column, to = start + r; c < end; c++, to += stride) {
        units[to] = packed[r * count + c];
      }
    }
  }
}

/** Bytes of a part as words, where columns start at whole ones. */
function wordsOf(
  units: Elements,
  at: number,
  stride: number,
): Int32Array | undefined {
  const { buffer, byteOffset, length } = units;
  return units instanceof Uint8Array && (byteOffset | at | stride) % 4 === 0
    ? new Int32Array(buffer, byteOffset, length >> 2)
    : undefined;
}

/** Units that lie row after row. */
interface Rows {
  readonly packed: Elements;
  /** How many in each row. */
  readonly count: number;
  /** From the place of one to that of the next. */
  readonly stride: number;
}

function fourEach(
  { packed, count, stride }: Rows,
  from: number,
  end: number,
  units: Elements,
  to: number,
): void {
  for (let i = from; i < end; i++, to += stride) {
    units[to] = packed[i];
    units[to + 1] = packed[i + count];
    units[to + 2] = packed[i + 2 * count];
    units[to + 3] = packed[i + 3 * count];
  }
}

function fourBytes(
  { packed, count, stride }: Rows,
  from: number,
  end: number,
  words: Int32Array,
  at: number,
): void {
  const step = stride >> 2;
  for (let i = from, to = at >> 2; i < end; i++, to += step) {
    words[to] = packed[i] | packed[i + count] << 8 |
      packed[i + 2 * count] << 16 | packed[i + 3 * count] << 24;
  }
}
