/**
 * The k best of many, kept in a heap whose root is the worst of them.
 *
 * @module
 */

/** What a search finds: the best first, of equals the one with the smaller id. */
export interface Neighbours {
  /** Ids of rows, as {@linkcode PackedMatrix.add} gave them. */
  readonly ids: Uint32Array;
  /** Their scores: dot products, cosines, or squared Euclidean distances. */
  readonly scores: Float32Array;
}

/** The best k ids by key; larger keys are better, and of equal keys smaller ids. */
export class Best {
  readonly #keys: Float32Array;
  readonly #ids: Uint32Array;
  #count = 0;

  /** Keeps up to `k`. */
  constructor(k: number) {
    this.#keys = new Float32Array(k);
    this.#ids = new Uint32Array(k);
  }

  /** What a key has to reach to get in. */
  get bound(): number {
    return this.#count < this.#keys.length ? -Infinity : this.#keys[0];
  }

  /** Whether a key would get in. */
  takes(key: number, id: number): boolean {
    if (this.#count < this.#keys.length) return true;
    return key > this.#keys[0] || (key === this.#keys[0] && id < this.#ids[0]);
  }

  /** Takes one in, for the worst where all places are taken; `takes` must hold. */
  add(key: number, id: number): void {
    if (this.#count < this.#keys.length) this.#rise(this.#count++, key, id);
    else this.#sink(key, id, this.#count);
  }

  #worse(key: number, id: number, at: number): boolean {
    const other = this.#keys[at];
    return key < other || (key === other && id > this.#ids[at]);
  }

  #put(at: number, key: number, id: number): void {
    this.#keys[at] = key;
    this.#ids[at] = id;
  }

  #rise(at: number, key: number, id: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#worse(key, id, parent)) break;
      this.#put(at, this.#keys[parent], this.#ids[parent]);
      at = parent;
    }
    this.#put(at, key, id);
  }

  #sink(key: number, id: number, count: number): void {
    const keys = this.#keys, ids = this.#ids;
    let at = 0;
    for (let child = 1; child < count; child = 2 * at + 1) {
      const right = child + 1;
      if (right < count && this.#worse(keys[right], ids[right], child)) {
        child = right;
      }
      if (this.#worse(key, id, child)) break;
      this.#put(at, keys[child], ids[child]);
      at = child;
    }
    this.#put(at, key, id);
  }

  /** All of them, the best first; nothing is left. */
  take(): Neighbours {
    const ids = new Uint32Array(this.#count);
    const scores = new Float32Array(this.#count);
    while (this.#count > 0) {
      const last = --this.#count;
      scores[last] = this.#keys[0];
      ids[last] = this.#ids[0];
      const key = this.#keys[last], id = this.#ids[last];
      if (last > 0) this.#sink(key, id, last);
    }
    return { ids, scores };
  }
}
