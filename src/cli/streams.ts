/**
 * Printing to the streams of a process, which may be full or have lost their reader.
 *
 * @module
 */
import { errorCode, fileError } from "../files/errors.ts";

/** What is needed of standard output or standard error. */
export interface OutputStream {
  /** Writes text, and tells when it has left or why it cannot. */
  write(text: string, done: (error?: Error | null) => void): unknown;
  /** Listens for errors; one that nobody listens for would end the process. */
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Prints to a stream, until it takes no more. */
export class PrintStream {
  readonly #stream: OutputStream;
  readonly #name: string;
  #last: Promise<void> = Promise.resolve();
  #closed = false;
  #failure: Error | undefined;

  /** Prints to `stream`, which messages call `name`. */
  constructor(stream: OutputStream, name: string) {
    this.#stream = stream;
    this.#name = name;
    stream.on("error", (error) => this.#fail(error));
  }

  /** Prints text. Never throws: {@linkcode PrintStream.flushed} tells what went wrong. */
  print(text: string): void {
    if (this.#closed) return;
    this.#last = new Promise((resolve) => {
      const done = (error?: Error | null) => {
        if (error) this.#fail(error);
        resolve();
      };
      try {
        this.#stream.write(text, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  /** Waits until all has left. Rejects once where it could not; a reader that has seen enough (`| head`) is no error. */
  async flushed(): Promise<void> {
    await this.#last;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    if (
      errorCode(error) === "EPIPE"
    ) return;
    this.#failure = fileError(`Cannot write ${this.#name}`, error);
  }
}
