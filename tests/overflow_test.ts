// Finite values whose scale is beyond the type that it is stored in: refused by
// the name of the group, or cut to what a finite scale holds.

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import {
  type Backend,
  backend as backendInForce,
  compare,
  dequantize,
  formats,
  quantize,
  useBackend,
} from "../mod.ts";
import { ScaleOverflow } from "../src/numeric/finite.ts";
import { adversarial } from "./adversarial.ts";
import { shapeFor } from "./format_cases.ts";
import { optionCases } from "./options.ts";

const BACKENDS: Backend[] = ["wasm", "js"];

function onEach(run: (backend: Backend) => void): void {
  const before = backendInForce();
  try {
    for (const backend of BACKENDS) {
      useBackend(backend);
      run(backend);
    }
  } finally {
    useBackend(before);
  }
}

/** Values of each format's group 3 of 8, and a magnitude whose scale just overflows. */
const OVERFLOWING = [
  { format: "q4_0", group: 32, fits: 440_000, overflows: 700_000 },
  { format: "q4_1", group: 32, fits: 65_000, overflows: 1_100_000 },
  { format: "q4_k", group: 256, fits: 4e6, overflows: 7e7 },
  { format: "iq4_nl", group: 32, fits: 6e6, overflows: 1e7 },
  { format: "iq4_xs", group: 256, fits: 1.2e8, overflows: 3e8 },
] as const;

function spread(n: number, at: number, magnitude: number): Float32Array {
  const values = adversarial(n).weights;
  for (let i = 0; i < 32; i++) values[at + i] = (i / 31 - 0.5) * 2 * magnitude;
  return values;
}

for (const { format, group, fits, overflows } of OVERFLOWING) {
  for (const weighted of [false, true]) {
    const label = weighted ? `${format} with importance` : format;
    Deno.test(`${label} names the group whose float16 scale overflows, and cuts it where asked`, () => {
      onEach((backend) => {
        const n = 8 * group, columns = 4 * group, shape = [2, columns];
        const importance = new Float32Array(columns).fill(1);
        const options = { format, shape, ...(weighted && { importance }) };
        const at = 3 * group;
        assertEquals(
          dequantize(quantize(spread(n, at, fits), options)).findIndex((x) =>
            !Number.isFinite(x)
          ),
          -1,
        );
        const values = spread(n, at, overflows), given = values.slice();
        const error = assertThrows(
          () => quantize(values, options),
          RangeError,
          `group 3, from index ${at} on: its scale overflows float16`,
        );
        assert(error instanceof ScaleOverflow);
        assertEquals([error.group, error.first], [3, at]);
        const q = quantize(values, { ...options, nonFinite: "clamp" });
        assertEquals(values, given);
        const back = dequantize(q);
        assert(back.every(Number.isFinite), backend);
        // Cut, but not by much: what fits without is still there.
        const kept = back.subarray(at, at + group).map(Math.abs);
        assertGreater(Math.max(...kept), 0.9 * fits);
        // Without importance other groups are as if nothing had been.
        const rest = dequantize(quantize(spread(n, at, 0), options));
        if (!weighted) {
          assertEquals(back.subarray(0, at), rest.subarray(0, at));
          assertEquals(back.subarray(at + group), rest.subarray(at + group));
        }
      });
    });
  }
}

for (const scaleMethod of ["minmax", "affine"] as const) {
  Deno.test(`int4 names the group whose range is beyond float32 by ${scaleMethod}, and saturates where asked`, () => {
    onEach((backend) => {
      for (const groupSize of [32, 31, 20_000, "row", "tensor"] as const) {
        const columns = groupSize === 20_000 ? 40_000 : 128;
        const shape = [2, columns];
        const size = typeof groupSize === "number" ? groupSize : columns;
        const index = groupSize === "tensor" ? 0 : Math.ceil(columns / size);
        const at = groupSize === "tensor" ? 0 : columns;
        const values = adversarial(2 * columns).weights;
        const options = { shape, groupSize, scaleMethod };
        values[columns] = 1.7e38;
        values[columns + 1] = -1.7e38;
        assert(dequantize(quantize(values, options)).every(Number.isFinite));
        values[columns] = 3e38;
        values[columns + 1] = -3e38;
        const error = assertThrows(
          () => quantize(values, options),
          RangeError,
          `group ${index}, from index ${at} on: its scale overflows float32`,
        );
        assert(error instanceof ScaleOverflow);
        const back = dequantize(
          quantize(values, { ...options, nonFinite: "clamp" }),
        );
        assert(back.every(Number.isFinite), `${backend} ${groupSize}`);
        assertGreater(back[columns], 1.4e38);
        assertGreater(-1.4e38, back[columns + 1]);
      }
    });
  });
}

Deno.test("int4 refuses a given range that is beyond float32, each end and the whole, warm or cold", () => {
  onEach(() => {
    const ones = new Float32Array(100).fill(1);
    const by = (min: number, max: number, scaleMethod: "minmax" | "absmax") =>
      quantize(ones, { scaleMethod, range: [min, max] });
    for (let i = 0; i < 2000; i++) {
      assertThrows(() => by(1e39, 1e39, "minmax"), RangeError, "range");
    }
    assertThrows(() => by(-3e38, 3e38, "minmax"), RangeError, "group 0");
    assertEquals(by(-3e38, 3e38, "absmax").parts.codes.data[0], 0);
    assertEquals(by(-1, 1, "minmax").parts.codes.data[0], 0x77);
  });
});

Deno.test("no format of finite values gives a NaN: it refuses by group, or cuts them", () => {
  onEach((backend) => {
    let refused = 0;
    for (const { format, shape, options, label } of optionCases()) {
      // What is computed in float16 overflows there, as in the library.
      if (options.computeDtype === "F16") continue;
      const n = shape.reduce((a, b) => a * b, 1);
      const sets = adversarial(n), { huge, gauss, mixedMagnitudes } = sets;
      const scaled = [1e4, 1e6, 1e8, 1e18, 1e20].map((by) =>
        gauss.map((x) => x * by)
      );
      for (const values of [huge, gauss, mixedMagnitudes, ...scaled]) {
        const given = { ...options, format: format.name as "int4", shape };
        try {
          const back = dequantize(quantize(values, given));
          assert(!back.some(Number.isNaN), `${label} ${backend}`);
        } catch (error) {
          assert(
            error instanceof ScaleOverflow ||
              String(error).includes("no way to store"),
            `${label} ${backend} ${error}`,
          );
          refused++;
        }
        const cut = quantize(values, { ...given, nonFinite: "clamp" });
        const back = dequantize(cut);
        assert(!back.some(Number.isNaN), `${label} ${backend} cut`);
      }
    }
    assertGreater(refused, 100);
  });
});

Deno.test("values that fit are the same bytes whether an overflow is cut or refused", () => {
  for (const [name, format] of formats) {
    const { gauss } = adversarial(4096);
    const options = { format: name, shape: shapeFor(format, 4096) } as const;
    const plain = quantize(gauss, options as { format: "q4_0" });
    const clamped = quantize(gauss, {
      ...options as { format: "q4_0" },
      nonFinite: "clamp",
    });
    assertEquals(clamped, plain);
    assertGreater(compare(gauss, dequantize(plain)).sqnr, 10);
  }
});
