/**
 * Where bytes come from and where they go: ranged reads and an output that
 * appears whole or not at all.
 *
 * @module
 */

/** Bytes that can be read anywhere, any number of times. */
export interface ByteSource {
  /** What to call it in messages: a path, or `standard input`. */
  readonly name: string;
  /** How many bytes there are. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; rejects when they are not all there. */
  read(offset: number, into: Uint8Array): Promise<void>;
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
export interface ByteSink {
  /** What to call it in messages. */
  readonly name: string;
  /** What runs before this one left behind beside the output. */
  readonly leftovers?: readonly Leftover[];
  /** Writes all of `bytes` at `offset`. The caller may reuse `bytes` once the promise resolves. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes the output appear under its name, synced. */
  commit(): Promise<void>;
  /** Removes what was written; harmless after `commit`. */
  abort(): Promise<void>;
}
