/** Values seen with their last two axes swapped, in windows of any kind. */
import { assertEquals } from "@std/assert";
import { allocateSlots } from "../../src/stream/memory.ts";
import { swapAxes, SwappedValues } from "../../src/stream/swapped.ts";
import { PlainValues, type Values } from "../../src/stream/values.ts";
import { cut, type Window } from "../../src/words/window.ts";

/** Values that are their own places. */
function counted(shape: readonly number[]): Values {
  return new PlainValues(shape, {
    read(first, out): Promise<void> {
      for (let i = 0; i < out.length; i++) out[i] = first + i;
      return Promise.resolve();
    },
  });
}

/** All values, put together from windows. */
async function gathered(
  values: Values,
  windows: Iterable<Window>,
): Promise<Float32Array> {
  const { rows, columns } = values.matrix;
  const all = new Float32Array(rows * columns).fill(NaN);
  for (const window of windows) {
    const [slot] = allocateSlots(1, window.rows * window.columns);
    const some = (await values.read(window, values.matrix, slot))();
    for (let r = 0; r < window.rows; r++) {
      const from = some.subarray(r * window.columns, (r + 1) * window.columns);
      all.set(from, (window.row + r) * columns + window.column);
    }
  }
  return all;
}

for (
  const shape of [[1, 3, 5], [3, 40, 70], [2, 1, 9], [4, 64, 33], [0, 3, 5]]
) {
  Deno.test(`[${shape}] swapped is the transposes, whatever the windows`, async () => {
    const swapped = new SwappedValues(counted(shape), shape);
    const [matrices, rows, columns] = shape, each = rows * columns;
    const wanted = Float32Array.from({ length: matrices * each }, (_, i) => {
      const at = i % each, row = at % rows, column = Math.floor(at / rows);
      return i - at + row * columns + column;
    });
    assertEquals(swapped.matrix, { rows: matrices * columns, columns: rows });
    assertEquals(swapAxes(shape), [matrices, columns, rows]);
    for (const capacity of [1, 7, 100, 10_000]) {
      const own = swapped.windows(capacity);
      assertEquals(await gathered(swapped, own), wanted);
      const { rows: tall, columns: wide } = swapped.matrix;
      const whole = { row: 0, rows: tall, column: 0, columns: wide };
      const grain = { rows: 1, columns: 4 };
      const others = cut(whole, grain, Math.max(4, capacity));
      assertEquals(await gathered(swapped, others), wanted);
    }
  });
}
