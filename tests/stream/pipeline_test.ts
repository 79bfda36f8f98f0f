import { assertEquals, assertRejects } from "@std/assert";
import { memorySource } from "../../src/files/file_source.ts";
import { chunks, readAhead } from "../../src/stream/pipeline.ts";

const bytes = Uint8Array.from({ length: 50 }, (_, i) => i);

for (const count of [1, 2, 3]) {
  Deno.test(`chunks: every byte once, in order, with ${count} buffers`, async () => {
    for (const [start, end] of [[0, 50], [3, 48], [7, 7], [0, 8], [49, 50]]) {
      const seen: number[] = [];
      const buffers = Array.from({ length: count }, () => new Uint8Array(8));
      for await (
        const chunk of chunks(memorySource(bytes), start, end, buffers)
      ) {
        assertEquals(chunk.offset, start + seen.length);
        await Promise.resolve(); // room for a read ahead to spoil this chunk
        seen.push(...chunk.bytes);
      }
      assertEquals(seen, [...bytes.subarray(start, end)]);
    }
  });
}

Deno.test("chunks: reads ahead, but never into the chunk in use", async () => {
  const offsets: number[] = [];
  const source = memorySource(bytes);
  const spy = {
    ...source,
    read: (
      offset: number,
      into: Uint8Array,
    ) => (offsets.push(offset), source.read(offset, into)),
  };
  const buffers = [new Uint8Array(10), new Uint8Array(10), new Uint8Array(10)];
  const iterator = chunks(spy, 0, 50, buffers);
  await iterator.next();
  assertEquals(offsets, [0, 10, 20]);
  await iterator.next();
  assertEquals(offsets, [0, 10, 20, 30]);
  await iterator.return();
});

Deno.test("chunks: a failed read surfaces in its place, after the chunks before it", async () => {
  const seen: number[] = [];
  await assertRejects(
    async () => {
      const buffers = [
        new Uint8Array(20),
        new Uint8Array(20),
        new Uint8Array(20),
      ];
      for await (
        const { offset } of chunks(memorySource(bytes), 0, 60, buffers)
      ) seen.push(offset);
    },
    RangeError,
    "at byte 40: expected 20 bytes, got 10",
  );
  assertEquals(seen, [0, 20]);
});

Deno.test("chunks: refuses no buffers, empty ones, uneven ones", async () => {
  for (const lengths of [[], [0], [8, 9]]) {
    const buffers = lengths.map((length) => new Uint8Array(length));
    await assertRejects(
      () => chunks(memorySource(bytes), 0, 50, buffers).next(),
      RangeError,
    );
  }
});

Deno.test("readAhead: leaving early waits for the reads under way", async () => {
  let running = 0;
  const fill = async (index: number) => {
    running++;
    await new Promise((resolve) => setTimeout(resolve, index));
    running--;
    return index;
  };
  for await (const index of readAhead([0, 1, 2, 3, 4, 5], [0, 0, 0], fill)) {
    if (index === 1) break;
  }
  assertEquals(running, 0);
});
