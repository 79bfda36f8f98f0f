/**
 * Where bytes come from and where they go, as far as streams care.
 *
 * @module
 */

/** Bytes that can be read anywhere, any number of times. */
export interface ByteReader {
  /** How many bytes there are. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; rejects when they are not all there. */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** Bytes that can be written anywhere, in any order. */
export interface ByteWriter {
  /** Writes all of `bytes` at `offset`. The caller may reuse `bytes` once the promise resolves, or at once where there is none. */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined;
}
