/**
 * Which id a row in memory has, and where the row of an id is.
 *
 * @module
 */

/** Ids are counted up and never given twice; rows move when others are removed. */
export class Ids {
  #size = 0;
  #next = 0;
  /** By row, and by id; absent as long as row and id are the same. */
  #idOf: Uint32Array | undefined;
  #rowOf: Int32Array | undefined;

  /** Rows that are there. */
  get size(): number {
    return this.#size;
  }

  /** The id that the next row gets. */
  get next(): number {
    return this.#next;
  }

  /** Whether rows lie in the order of their ids, none missing. */
  get plain(): boolean {
    return this.#idOf === undefined;
  }

  /** Takes over the ids of rows that were stored; they are checked already. */
  static of(idOf: Uint32Array | undefined, size: number, next: number): Ids {
    const ids = new Ids();
    ids.#size = size;
    ids.#next = next;
    if (idOf) {
      ids.#idOf = idOf;
      ids.#rowOf = new Int32Array(next).fill(-1);
      idOf.forEach((id, row) => ids.#rowOf![id] = row);
    }
    return ids;
  }

  /** Gives ids to rows that were added at the end. Returns the first. */
  add(count: number): number {
    const first = this.#next;
    if (this.#idOf) {
      this.#idOf = roomier(this.#idOf, this.#size + count);
      this.#rowOf = roomier(this.#rowOf!, first + count);
      for (let i = 0; i < count; i++) {
        this.#idOf[this.#size + i] = first + i;
        this.#rowOf[first + i] = this.#size + i;
      }
    }
    this.#size += count;
    this.#next += count;
    return first;
  }

  /** Forgets an id that is there; the last row has moved to `row`. */
  remove(id: number, row: number): void {
    this.#idOf ??= Uint32Array.from({ length: this.#size }, (_, i) => i);
    this.#rowOf ??= Int32Array.from({ length: this.#next }, (_, i) => i);
    const last = this.#idOf[--this.#size];
    this.#idOf[row] = last;
    this.#rowOf[last] = row;
    this.#rowOf[id] = -1;
  }

  /** The id of a row. */
  idOf(row: number): number {
    return this.#idOf ? this.#idOf[row] : row;
  }

  /** The row of an id; −1 where it was removed or never given. */
  rowOf(id: number): number {
    if (!Number.isInteger(id) || id < 0 || id >= this.#next) return -1;
    return this.#rowOf ? this.#rowOf[id] : id;
  }

  /** The ids that were given and are no more, ascending. */
  removed(): Uint32Array {
    const gone: number[] = [];
    this.#rowOf?.subarray(0, this.#next).forEach((row, id) => {
      if (row < 0) gone.push(id);
    });
    return Uint32Array.from(gone);
  }

  /** The ids of all rows in memory's order. */
  list(): Uint32Array {
    return Uint32Array.from({ length: this.#size }, (_, row) => this.idOf(row));
  }
}

/** The same array, or a larger one with the same contents: doubled, so that many small batches stay cheap. */
function roomier<A extends Uint32Array | Int32Array>(array: A, length: number) {
  if (length <= array.length) return array;
  const larger = new (array.constructor as new (length: number) => A)(
    Math.max(length, 2 * array.length),
  );
  larger.set(array);
  return larger;
}
