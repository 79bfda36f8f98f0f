/**
 * Copies runs of bytes that lie at regular distances in one array, piece by piece:
 * in the other one the first pieces of all runs lie together, then the second ones …
 *
 * @module
 */

/** Where runs and their pieces lie: in bytes. */
export interface Pieces {
  /** The first run. */
  readonly at: number;
  /** From a run to the next. */
  readonly stride: number;
  /** How many runs. */
  readonly count: number;
  /** Bytes of a run. */
  readonly length: number;
  /** Bytes of a piece of it, but for the last one. */
  readonly piece: number;
  /** From the first pieces to the second ones, in the other array. */
  readonly apart: number;
}

/**
 * Copies runs to where their pieces lie, or back.
 *
 * @param runs The array with the runs.
 * @param pieces The array with the pieces.
 * @param places Where they lie.
 * @param back Whether pieces are copied to runs.
 */
export function copyPieces(
  runs: Uint8Array,
  pieces: Uint8Array,
  places: Pieces,
  back: boolean,
): void {
  const { at, stride, count, length, piece, apart } = places;
  if (stride === length && piece === length) {
    const all = count * length, together = runs.subarray(at, at + all);
    if (back) together.set(pieces.subarray(0, all));
    else pieces.set(together);
    return;
  }
  const offsets = runs.byteOffset | pieces.byteOffset;
  if ((offsets | at | stride | length | piece | apart) % 4 !== 0) {
    return copyElements(runs, pieces, places, back);
  }
  const inWords = {
    ...places,
    at: at / 4,
    stride: stride / 4,
    length: length / 4,
    piece: piece / 4,
    apart: apart / 4,
  };
  const arePairs = piece === 8 && length % 8 === 0;
  const copy = arePairs ? copyPairs : copyElements;
  copy(wordsOf(runs), wordsOf(pieces), inWords, back);
}

function wordsOf({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length >> 2);
}

/** Runs that are asked for before they are copied: each is in another page of memory, which is slow to answer, but answers many at a time. */
const ASKED_RUNS = 16;

/** Bytes that memory gives at a time. */
const LINE_BYTES = 64;

/** What was read when it was asked for: kept, so that no engine leaves reading out. */
let _asked = 0;

/** Reads something of every line of some runs from number `first` on. */
function askFor(
  runs: Int32Array | Uint8Array,
  { at, stride, count, length }: Pieces,
  first: number,
): void {
  const line = LINE_BYTES / runs.BYTES_PER_ELEMENT;
  const end = first + ASKED_RUNS < count ? first + ASKED_RUNS : count;
  let all = 0;
  for (let i = first; i < end; i++) {
    const run = at + i * stride;
    for (let k = 0; k < length; k += line) all |= runs[run + k];
  }
  _asked = all;
}

/** The same in elements of arrays. */
function copyElements(
  runs: Int32Array | Uint8Array,
  pieces: Int32Array | Uint8Array,
  places: Pieces,
  back: boolean,
): void {
  const { at, stride, count, length, piece, apart } = places;
  for (let i = 0, run = at; i < count; i++, run += stride) {
    if (i % ASKED_RUNS === 0) askFor(runs, places, i);
    for (let done = 0, first = 0; done < length; done += piece) {
      const size = length - done < piece ? length - done : piece;
      const from = run + done, to = first + i * size;
      if (back) {
        for (let k = 0; k < size; k++) runs[from + k] = pieces[to + k];
      } else for (let k = 0; k < size; k++) pieces[to + k] = runs[from + k];
      first += apart;
    }
  }
}

/** The same where all pieces are two words: a loop for each takes twice as long. */
function copyPairs(
  runs: Int32Array,
  pieces: Int32Array,
  places: Pieces,
  back: boolean,
): void {
  const { at, stride, count, length, apart } = places;
  for (let i = 0, run = at; i < count; i++, run += stride) {
    if (i % ASKED_RUNS === 0) askFor(runs, places, i);
    const end = run + length;
    for (let from = run, to = 2 * i; from < end; from += 2, to += apart) {
      if (back) {
        runs[from] = pieces[to];
        runs[from + 1] = pieces[to + 1];
      } else {
        pieces[to] = runs[from];
        pieces[to + 1] = runs[from + 1];
      }
    }
  }
}
