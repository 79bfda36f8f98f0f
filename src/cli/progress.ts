/**
 * How far the work is, on one line of a terminal.
 *
 * @module
 */
import type { Io } from "./terminal.ts";
import { bytes, seconds } from "./text.ts";

/** Milliseconds between two updates: fast enough to look alive, slow enough to cost nothing. */
const PAUSE = 100;

/** Milliseconds before the first update: short work shows none. */
const GRACE = 400;

/** The progress of work that is counted in bytes. */
export class Progress {
  readonly #io: Io;
  readonly #total: number;
  readonly #clock: () => number;
  readonly #start: number;
  #done = 0;
  #next: number;
  #shown = false;

  /**
   * Starts the clock.
   *
   * @param io Where to show it; nothing is shown unless that is a terminal.
   * @param total Bytes to do in all.
   * @param clock Milliseconds; for tests.
   */
  constructor(
    io: Io,
    total: number,
    clock: () => number = () => performance.now(),
  ) {
    this.#io = io;
    this.#total = total;
    this.#clock = clock;
    this.#start = clock();
    this.#next = this.#start + GRACE;
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (this.#clock() - this.#start) / 1000;
  }

  /** Counts bytes that are done, in the tensor of this name. */
  add(count: number, name: string): void {
    this.#done += count;
    if (this.#io.err.columns === undefined) return;
    const now = this.#clock();
    if (now < this.#next) return;
    this.#next = now + PAUSE;
    this.#shown = true;
    this.#io.status(this.#line(name));
  }

  #line(name: string): string {
    const elapsed = this.seconds;
    const rate = this.#done / elapsed;
    const left = Math.max(0, this.#total - this.#done) / rate;
    const percent = Math.floor(100 * this.#done / Math.max(1, this.#total));
    return `${String(Math.min(100, percent)).padStart(3)}%  ${
      bytes(this.#done)
    } of ${bytes(this.#total)}  ${bytes(rate)}/s  ${
      seconds(Math.ceil(left))
    } left  ${name}`;
  }

  /** Clears the line. */
  end(): void {
    if (this.#shown) this.#io.status();
    this.#shown = false;
  }
}
