/**
 * Groups that do not fit in memory: measured in pieces, then clamped in pieces.
 *
 * @module
 */
import { measureRange } from "../families/grouped.ts";
import { firstNonFinite } from "../numeric/finite.ts";

/** The range of a group whose values come in pieces. */
export class Extent {
  readonly #clamp: boolean;
  #min = Infinity;
  #max = -Infinity;
  #seen = { nan: false, plus: false, minus: false };

  /** `clamp`: NaN and infinities are allowed, and taken as {@linkcode Extent.clamp} makes them. */
  constructor(clamp: boolean) {
    this.#clamp = clamp;
  }

  /** Takes a piece. Throws a RangeError at a NaN or an infinity, if they are not to be clamped. */
  add(values: Float32Array): void {
    if (this.#clamp && firstNonFinite(values) >= 0) return this.#addAny(values);
    if (values.length > 0) this.#widen(...measureRange(values));
  }

  #widen(min: number, max: number): void {
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  #addAny(values: Float32Array): void {
    const seen = this.#seen;
    for (const x of values) {
      if (Number.isFinite(x)) this.#widen(x, x);
      else if (Number.isNaN(x)) seen.nan = true;
      else if (x > 0) seen.plus = true;
      else seen.minus = true;
    }
  }

  /** Largest finite magnitude; what infinities become. */
  get #largest(): number {
    return Math.max(0, -this.#min, this.#max);
  }

  /** Smallest and largest value, after clamping. */
  range(): [min: number, max: number] {
    const { nan, plus, minus } = this.#seen, largest = this.#largest;
    const extra = [
      ...(nan ? [0] : []),
      ...(plus ? [largest] : []),
      ...(minus ? [-largest] : []),
    ];
    const all = [this.#min, this.#max, ...extra].filter(Number.isFinite);
    return all.length === 0 ? [0, 0] : [Math.min(...all), Math.max(...all)];
  }

  /** Writes 0 over NaN and the largest finite magnitude of the group over infinities. */
  clamp(values: Float32Array): void {
    if (firstNonFinite(values) < 0) return;
    const largest = this.#largest;
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) values[i] = 0;
      else if (!Number.isFinite(values[i])) {
        values[i] = Math.sign(values[i]) * largest;
      }
    }
  }
}
