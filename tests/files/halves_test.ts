import { assertEquals } from "@std/assert";
import {
  encodeHalves,
  firstBeyondF16,
  type HalfDtype,
} from "../../src/files/halves.ts";
import { allocate } from "../../mod.ts";
import { f32ToBf16 } from "../../src/numeric/bf16.ts";
import { f32ToF16 } from "../../src/numeric/f16.ts";

const ENCODE: Readonly<Record<HalfDtype, (x: number) => number>> = {
  F16: f32ToF16,
  BF16: f32ToBf16,
};

/** Every upper half of a float32, with lower halves around where either dtype rounds, and NaN of any payload. */
function hardValues(finite: boolean): Float32Array<ArrayBuffer> {
  const lows = [0, 1, 0x0fff, 0x1000, 0x1001, 0x3000, 0x7fff, 0x8000, 0x8001];
  const bits: number[] = [];
  for (let high = 0; high < 65536; high++) {
    if (finite && (high & 0x7f80) === 0x7f80) continue;
    for (const low of lows) bits.push(high * 65536 + low);
  }
  return new Float32Array(Uint32Array.from(bits).buffer);
}

for (const dtype of ["F16", "BF16"] as const) {
  for (const finite of [true, false]) {
    for (const inside of [true, false]) {
      const values = hardValues(finite);
      Deno.test(`${dtype}: ${finite ? "finite" : "all"} float32 ${inside ? "in WebAssembly memory" : "from the heap"} as one by one`, () => {
        const source = inside ? allocate(values.length) : values;
        if (inside) {
          new Uint8Array(source.buffer, source.byteOffset, values.byteLength)
            .set(new Uint8Array(values.buffer));
        }
        const out = new Uint16Array(values.length);
        const largest = encodeHalves(source, dtype, out);
        for (let i = 0; i < out.length; i++) {
          if (out[i] === ENCODE[dtype](values[i])) continue;
          assertEquals(out[i], ENCODE[dtype](values[i]), `value ${i}`);
        }
        const most = values.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
        assertEquals(largest, most);
        assertEquals(Number.isFinite(most), finite);
      });
    }
  }

  Deno.test(`${dtype}: any number of values, and none behind them`, () => {
    for (let n = 0; n < 70; n++) {
      const values = Float32Array.from({ length: n }, (_, i) => i - n / 3);
      const out = new Uint16Array(n + 4).fill(7);
      assertEquals(
        encodeHalves(values, dtype, out),
        values.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
      );
      assertEquals(
        [...out],
        [...Array.from(values, ENCODE[dtype]), 7, 7, 7, 7],
      );
    }
  });
}

Deno.test("firstBeyondF16: finite values that round to an infinity, not infinities and NaN", () => {
  const below = Math.fround(65519.99);
  assertEquals(firstBeyondF16(Float32Array.of(NaN, -Infinity, below)), -1);
  assertEquals(firstBeyondF16(Float32Array.of(NaN, Infinity, -65520, 1e9)), 2);
});
