/**
 * Lays out protobuf messages around data that is written later.
 *
 * @module
 */
import type { ByteWriter } from "../stream/bytes.ts";

/** Room for data. */
export interface Hole {
  /** What goes there. */
  readonly name: string;
  /** Its bytes. */
  readonly length: number;
}

/** Bytes of a message, or room in it. */
export type Piece = Uint8Array | Hole;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) {
    bytes.push(rest % 128 | 128);
  }
  return [...bytes, rest];
}

/** A field that is a number. */
export function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

/** A field that is bytes: a text, data, or fields. */
export function message(field: number, pieces: readonly Piece[]): Piece[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const head = [...varint(field * 8 + 2), ...varint(length)];
  return [Uint8Array.from(head), ...pieces];
}

/** Bytes and where they go. */
export type Frame = readonly {
  readonly offset: number;
  readonly bytes: Uint8Array;
}[];

/** A file of pieces one after another. */
export interface LaidOut {
  /** Its bytes. */
  readonly size: number;
  /** What is known of them. */
  readonly frame: Frame;
  /** Where each hole is, by its name. */
  readonly offsets: Map<string, number>;
}

/** Puts pieces one after another. */
export function laidOut(pieces: readonly Piece[]): LaidOut {
  const frame: { offset: number; bytes: Uint8Array }[] = [];
  const offsets = new Map<string, number>();
  let size = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) frame.push({ offset: size, bytes: piece });
    else offsets.set(piece.name, size);
    size += piece.length;
  }
  return { size, frame, offsets };
}

/** Writes all but what goes to holes. */
export async function writeFrame(
  sink: ByteWriter,
  frame: Frame,
): Promise<void> {
  // Pieces between two holes are small, and go out as one.
  for (let i = 0; i < frame.length;) {
    const { offset } = frame[i];
    const run: Uint8Array[] = [];
    let end = offset;
    for (; i < frame.length && frame[i].offset === end; i++) {
      run.push(frame[i].bytes);
      end += frame[i].bytes.length;
    }
    const bytes = new Uint8Array(end - offset);
    let at = 0;
    for (const piece of run) {
      bytes.set(piece, at);
      at += piece.length;
    }
    await sink.write(offset, bytes);
  }
}
