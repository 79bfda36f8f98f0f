/**
 * The one way out: all that the program prints passes here, and nothing of it
 * can make a terminal do more than show it.
 *
 * @module
 */
import { visible, visibleJson } from "../files/errors.ts";
import { cutEnd } from "./width.ts";

/** The streams of a process. */
export interface Streams {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Waits until what was written by `out` has left; rejects where it cannot. */
  flushed?(): Promise<void>;
  /** Columns of the terminals that show them; undefined where a stream goes elsewhere. */
  readonly columns?: { readonly out?: number; readonly err?: number };
}

/** Characters that are printed at once. */
const CHUNK_CHARACTERS = 1 << 16;

/** A stream that takes lines and documents. */
export class Printer {
  /** Columns of the terminal that shows it; undefined when it is none. */
  readonly columns: number | undefined;
  readonly #write: (text: string) => void;

  /** Prints by `write`, on a terminal of so many columns. */
  constructor(write: (text: string) => void, columns?: number) {
    this.#write = write;
    this.columns = columns;
  }

  /** Prints lines; a line end inside one is spelled out like all that is unprintable. */
  lines(lines: Iterable<string>): void {
    let text = "";
    for (const line of lines) {
      text += visible(line) + "\n";
      if (text.length < CHUNK_CHARACTERS) continue;
      this.#write(text);
      text = "";
    }
    if (text.length > 0) this.#write(text);
  }

  /** Prints a value as JSON, unprintable characters in its strings as `\uXXXX`. */
  json(value: unknown): void {
    this.#write(visibleJson(JSON.stringify(value, null, 2)) + "\n");
  }
}

/** Where a command prints. */
export class Io {
  /** Results. */
  readonly out: Printer;
  /** What is no result: warnings, errors. */
  readonly err: Printer;
  readonly #control: (text: string) => void;
  readonly #flushed: () => Promise<void>;

  /** Prints on these streams. */
  constructor(streams: Streams) {
    const { columns } = streams;
    this.out = new Printer((text) => streams.out(text), columns?.out);
    this.err = new Printer((text) => streams.err(text), columns?.err);
    this.#control = (text) => streams.err(text);
    this.#flushed = () => streams.flushed?.() ?? Promise.resolve();
  }

  /** Waits until the results have left; rejects where they cannot. */
  flushed(): Promise<void> {
    return this.#flushed();
  }

  /**
   * Shows a line on the terminal until the next one takes its place; nothing
   * where standard error is no terminal.
   *
   * @param text The line, cut to the terminal; undefined clears it.
   */
  status(text?: string): void {
    const { columns } = this.err;
    if (columns === undefined) return;
    const line = text === undefined ? "" : cutEnd(visible(text), columns - 1);
    // Back to the start of the line, and clear what is behind the text.
    this.#control(`\r${line}\x1b[K`);
  }
}
