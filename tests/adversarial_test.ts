import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { adversarial, bits, nudge, sweep, unaligned } from "./adversarial.ts";

Deno.test("adversarial sets are finite, of the asked length, and equal on every call", () => {
  const first = adversarial(1000);
  const second = adversarial(1000);
  assert(Object.keys(first).length >= 20);
  for (const [name, values] of Object.entries(first)) {
    assertEquals(values.length, 1000, name);
    assert(values.every(Number.isFinite), name);
    assertEquals(bits(values), bits(second[name]), name);
  }
});

Deno.test("adversarial sets hold what their names promise", () => {
  const sets = adversarial(4096);
  assert(sets.negativeZero.some((x) => Object.is(x, -0)));
  assert(sets.subnormal.every((x) => Math.abs(x) < 2 ** -126));
  assert(sets.huge.some((x) => Math.abs(x) > 2.9e38));
  assert(sets.positive.every((x) => x >= 0));
  assert(sets.negative.every((x) => x <= 0));
  assert(sets.ties7.some((x) => x % 1 !== 0 && Math.abs(x % 1) === 0.5));
  assert(
    sets.powersOfTwo.every((x) => Number.isInteger(Math.log2(Math.abs(x)))),
  );
});

Deno.test("adversarial sets of any length exist, the empty one included", () => {
  for (const length of [0, 1, 2, 31, 33]) {
    for (const values of Object.values(adversarial(length))) {
      assertEquals(values.length, length);
    }
  }
});

Deno.test("nudge moves by single units in the last place", () => {
  assertEquals(nudge(1, 1), 1 + 2 ** -23);
  assertEquals(nudge(1, -1), 1 - 2 ** -24);
  assertNotEquals(nudge(-3, 1), -3);
});

Deno.test("sweep covers every alignment and keeps NaN outside the view", () => {
  const alignments = new Set<number>();
  for (const { values, offset } of sweep(adversarial(64).gauss)) {
    alignments.add(values.byteOffset % 16);
    const around = new Float32Array(values.buffer);
    if (offset > 0) assert(Number.isNaN(around[offset - 1]));
    assert(Number.isNaN(around[offset + values.length]));
    assert(!values.some(Number.isNaN));
  }
  assertEquals(alignments, new Set([0, 4, 8, 12]));
});

Deno.test("unaligned copies, so that writing to the view leaves the source alone", () => {
  const source = Float32Array.of(1, 2, 3);
  unaligned(source, 1)[0] = 9;
  assertEquals(source[0], 1);
});
