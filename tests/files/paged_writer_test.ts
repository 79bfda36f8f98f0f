import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type PagedHandle, PagedWriter } from "../../src/files/paged_writer.ts";

/** A file in memory that takes its time, and counts what it is asked for. */
class SlowFile {
  bytes = new Uint8Array(0);
  calls = 0;

  async write(from: Uint8Array, at: number, length: number, offset: number) {
    this.calls++;
    await new Promise((resolve) => setTimeout(resolve));
    if (offset + length > this.bytes.length) {
      const longer = new Uint8Array(offset + length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(from.subarray(at, at + length), offset);
    return { bytesWritten: length };
  }

  async read(into: Uint8Array, at: number, length: number, offset: number) {
    this.calls++;
    await new Promise((resolve) => setTimeout(resolve));
    const there = this.bytes.subarray(offset, offset + length);
    into.set(there, at);
    return { bytesRead: there.length };
  }
}

Deno.test("PagedWriter: any writes at any offsets, waited for or not, leave what plain ones leave", async () => {
  const writes = fc.array(
    fc.record({
      offset: fc.integer({ min: 0, max: 3_000_000 }),
      length: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 150_000 })),
      wait: fc.boolean(),
    }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(writes, async (all) => {
      const file = new SlowFile();
      const writer = new PagedWriter(file as unknown as PagedHandle);
      const size = all.reduce(
        (most, { offset, length }) => Math.max(most, length && offset + length),
        0,
      );
      const expected = new Uint8Array(size);
      const pending: Promise<void>[] = [];
      for (const [i, { offset, length, wait }] of all.entries()) {
        const bytes = new Uint8Array(length).fill(i + 1);
        const overlaps = all.slice(0, i).some((other) =>
          other.offset < offset + length && offset < other.offset + other.length
        );
        // Which of two large writes to one place is later is only known when one was waited for.
        if (overlaps) await Promise.all(pending);
        const done = writer.write(offset, bytes);
        if (wait) await done;
        else if (done) pending.push(done);
        if (length > 0) expected.set(bytes, offset);
      }
      await Promise.all(pending);
      await writer.flush();
      assertEquals(file.bytes, expected);
    }),
    { numRuns: 60 },
  );
});

Deno.test("PagedWriter: a hundred thousand small writes in two places are few writes of the file", async () => {
  const file = new SlowFile();
  const writer = new PagedWriter(file as unknown as PagedHandle);
  for (let i = 0; i < 100_000; i++) {
    await writer.write(i, Uint8Array.of(i));
    await writer.write(1_000_000 + 4 * i, Uint8Array.of(i, i, i, i));
  }
  await writer.flush();
  assert(file.calls < 100, `${file.calls} calls`);
  assertEquals(file.bytes.length, 1_400_000);
  for (const i of [0, 255, 65_536, 99_999]) {
    assertEquals(file.bytes[i], i & 255);
    assertEquals(file.bytes[1_000_003 + 4 * i], i & 255);
  }
});

Deno.test("PagedWriter: nothing is read where nothing was written, whatever was behind it", async () => {
  const file = new SlowFile();
  let reads = 0;
  const handle = {
    write: file.write.bind(file),
    read: (...args: Parameters<SlowFile["read"]>) => {
      reads++;
      return file.read(...args);
    },
  };
  const writer = new PagedWriter(handle as unknown as PagedHandle);
  await writer.write(3_000_000, new Uint8Array(100_000).fill(1));
  for (let i = 0; i < 40; i++) {
    await writer.write(65_536 * i, Uint8Array.of(i));
  }
  assertEquals(reads, 0);
  // Where something was, it is read: more pages were written than are kept.
  await writer.write(1, Uint8Array.of(7));
  assert(reads > 0);
  await writer.flush();
  assertEquals([...file.bytes.subarray(0, 3)], [0, 7, 0]);
  assertEquals(file.bytes[65_536 * 39], 39);
  assertEquals(file.bytes[3_000_000], 1);
});
