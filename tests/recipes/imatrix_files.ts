/**
 * Importance files that tests make.
 *
 * @module
 */
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf } from "../../src/files/gguf_write.ts";

/** A legacy file of these entries. */
export function legacyImportance(
  entries: readonly [name: string, calls: number, sums: readonly number[]][],
  tail: readonly number[] = [],
): Uint8Array {
  const parts: Uint8Array[] = [];
  const i32 = (value: number) =>
    parts.push(new Uint8Array(Int32Array.of(value).buffer));
  i32(entries.length);
  for (const [name, calls, sums] of entries) {
    i32(name.length);
    parts.push(new TextEncoder().encode(name));
    i32(calls);
    i32(sums.length);
    parts.push(new Uint8Array(Float32Array.from(sums).buffer));
  }
  for (const value of tail) i32(value);
  const bytes = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A GGUF importance file. */
export function ggufImportance(
  entries: readonly [name: string, sums: number[][], counts: number[]][],
  keys = ["datasets", "chunk_count", "chunk_size"],
): Uint8Array {
  const all: readonly [string, GgufValue][] = [
    ["datasets", GgufValue.array("string", ["one", "two"])],
    ["chunk_count", GgufValue.of("u32", 5)],
    ["chunk_size", GgufValue.of("u32", 64)],
  ];
  const tensors = entries.flatMap(([name, sums, counts]) => [
    {
      name: `${name}.in_sum2`,
      dtype: "F32",
      shape: [sums.length, sums[0].length],
      data: sums.flat(),
    },
    {
      name: `${name}.counts`,
      dtype: "F32",
      shape: [counts.length, 1],
      data: counts,
    },
  ]);
  const plan = planGguf(
    new Map([
      ["general.type", GgufValue.of("string", "imatrix")],
      ...all.filter(([key]) => keys.includes(key)).map(([key, value]) =>
        [`imatrix.${key}`, value] as const
      ),
    ]),
    tensors,
  );
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  for (const [i, { offset }] of plan.tensors.entries()) {
    bytes.set(
      new Uint8Array(Float32Array.from(tensors[i].data).buffer),
      offset,
    );
  }
  return bytes;
}
