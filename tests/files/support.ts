import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { memorySource } from "../../src/files/file_source.ts";
import type { ByteSource } from "../../src/files/bytes.ts";

const vectors = join(import.meta.dirname!, "..", "vectors", "files");

/** The bytes of a golden file. */
export async function vector(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(vectors, name)));
}

/** The path of a file as people have them. */
export function casePath(name: string): string {
  return join(vectors, "..", "cases", name);
}

/** The bytes of a file as people have them. */
export async function caseBytes(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(casePath(name)));
}

/** What the golden arrays hold at each logical index. */
export function ramp(length: number): number[] {
  return Array.from({ length }, (_, i) => (i % 97 - 48) / 4);
}

/** Bytes of ASCII or UTF-8 text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Joins arrays of bytes. */
export function concat(...pieces: (Uint8Array | number[])[]): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** A source that fails the test when anybody reads beyond `limit` bytes in all. */
export function meteredSource(bytes: Uint8Array, limit: number): ByteSource {
  const source = memorySource(bytes, "probe");
  let read = 0;
  return {
    ...source,
    read(offset, into) {
      read += into.length;
      if (read > limit) throw new Error(`read ${read} bytes of ${limit}`);
      return source.read(offset, into);
    },
  };
}
