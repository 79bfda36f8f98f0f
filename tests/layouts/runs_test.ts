import { assertEquals } from "@std/assert";
import { gather, scatter } from "../../src/layouts/runs.ts";

Deno.test("runs are taken together and put apart, short and long, at whole words and amid them", () => {
  for (const length of [0, 1, 3, 4, 64, 66, 256, 260]) {
    for (const gap of [0, 1, 4, 30]) {
      for (const start of [0, 1, 4]) {
        for (const count of [0, 1, 2, 5]) {
          const range = { offset: 8, length, stride: length + gap, count };
          const size = 16 + count * range.stride;
          const bytes = new Uint8Array(start + size).subarray(start);
          bytes.forEach((_, i) => bytes[i] = i * 7 + 1);
          const expected = Array.from(
            { length: length * count },
            (_, i) => {
              const run = Math.floor(i / length);
              return bytes[8 + run * range.stride + i % length];
            },
          );
          const together = new Uint8Array(length * count);
          gather(bytes, range, together);
          const label = JSON.stringify({ ...range, start });
          assertEquals([...together], expected, label);
          const apart = new Uint8Array(start + size).subarray(start).fill(9);
          scatter(together, range, apart);
          for (let i = 0; i < size; i++) {
            const at = i - 8, run = Math.floor(at / range.stride);
            const inside = at >= 0 && run < count && at % range.stride < length;
            assertEquals(apart[i], inside ? bytes[i] : 9, `${label} ${i}`);
          }
        }
      }
    }
  }
});
