/**
 * Where bytes come from and where they go: ranged reads and an output that
 * appears whole or not at all.
 *
 * @module
 */

import type { ByteReader, ByteWriter } from "../stream/bytes.ts";

/** Bytes that can be read anywhere, and what goes with them. */
export interface ByteSource extends ByteReader {
  /** What to call it in messages: a path, or `standard input`. */
  readonly name: string;
  /** Lets go of the file. */
  close(): Promise<void>;
}

/** A temporary file of a run that was killed. */
export interface Leftover {
  /** Where it is. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
}

/** An output under construction: written at any offset, then committed or aborted. */
export interface ByteSink extends ByteWriter {
  /** What to call it in messages. */
  readonly name: string;
  /** What runs before this one left behind beside the output. */
  readonly leftovers?: readonly Leftover[];
  /** Starts to bring what was written to the disk, where that is worth it: little more will be written soon. */
  settle?(): void;
  /** Does of {@linkcode commit} all but giving the name; `commit` does it where this was not called. */
  complete?(): Promise<void>;
  /** Makes the output appear under its name, synced. */
  commit(): Promise<void>;
  /** Takes the name away again after `commit`, where the output replaced nothing. */
  retract?(): Promise<void>;
  /** Removes what was written; harmless after `commit`. */
  abort(): Promise<void>;
}
