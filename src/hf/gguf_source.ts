/**
 * The bytes of a GGUF that is nowhere: a header in memory, and tensors that are read
 * from where they are.
 *
 * @module
 */
import type { ByteSource } from "../files/bytes.ts";
import type { GgufPlan } from "../files/gguf_write.ts";
import { joinSources } from "../files/joined_source.ts";
import { type Contents, inMemory } from "./contents.ts";

/** What lies between tensors. */
const ZEROS: Contents = {
  read(_from, into) {
    into.fill(0);
    return Promise.resolve();
  },
};

/**
 * Makes the bytes of a plan readable.
 *
 * @param from What the tensors are read from; closed with the result, and named as it.
 * @param plan Header and places, in the order of the file.
 * @param contents The bytes of each tensor of the plan.
 * @returns The bytes of the whole, zeros between tensors included.
 */
export function ggufSource(
  from: ByteSource,
  { header, tensors, size }: GgufPlan,
  contents: readonly Contents[],
): ByteSource {
  const pieces: ByteSource[] = [];
  let end = 0;
  const add = (until: number, piece: Contents) => {
    if (until === end) return;
    pieces.push({
      name: from.name,
      size: until - end,
      read: (at, into) => piece.read(at, into),
      close: () => Promise.resolve(),
    });
    end = until;
  };
  add(header.length, inMemory(header));
  for (const [no, { offset, byteLength }] of tensors.entries()) {
    add(offset, ZEROS);
    add(offset + byteLength, contents[no]);
  }
  add(size, ZEROS);
  const { source } = joinSources(from.name, pieces);
  return {
    name: from.name,
    size: source.size,
    read: (offset, into) => source.read(offset, into),
    close: () => from.close(),
  };
}
