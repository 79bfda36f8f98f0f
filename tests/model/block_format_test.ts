import { assertEquals, assertThrows } from "@std/assert";
import type {
  BlockFormat,
  BlockOptions,
} from "../../src/model/block_format.ts";
import { mxfp4 } from "../../src/formats/mxfp4.ts";
import { nvfp4 } from "../../src/formats/nvfp4.ts";
import { q4_0 } from "../../src/formats/q4_0.ts";
import { q4_k } from "../../src/formats/q4_k.ts";
import { grainOf, type Layout } from "../../src/words/layout.ts";
import { adversarial } from "../adversarial.ts";
import {
  emptyParts,
  ggmlFormats,
  weightedFormats,
} from "../formats/ggml_cases.ts";

const none = {};

Deno.test("blocks: parts have the shape of the values, the last axis in bytes", () => {
  const shapeOf = (format: BlockFormat, shape: number[]) =>
    format.layout(shape, none).parts.blocks.shape;
  assertEquals(shapeOf(q4_0, [2, 3, 64]), [2, 3, 36]);
  assertEquals(shapeOf(q4_k, [256]), [144]);
  assertEquals(shapeOf(q4_0, [5, 0]), [5, 0]);
});

Deno.test("blocks: bits per value are those of ggml", () => {
  const bits = Object.fromEntries(
    ggmlFormats.map((f) => [f.name, f.bitsPerValue]),
  );
  assertEquals(bits, {
    ...{
      q4_0: 4.5,
      q4_1: 5,
      q4_k: 4.5,
      iq4_nl: 4.5,
      iq4_xs: 4.25,
      mxfp4: 4.25,
      nvfp4: 4.5,
      q5_0: 5.5,
      q5_1: 6,
      q5_k: 5.5,
      q6_k: 6.5625,
      q8_0: 8.5,
    },
  });
});

Deno.test("blocks: a last axis that is no multiple of the block is refused by name", () => {
  const message =
    "Cannot lay out shape [2,100] as q4_k: the last axis is 100, it must be a multiple of 256";
  assertThrows(() => q4_k.resolve(none, [2, 100]), RangeError, message);
  assertThrows(() => q4_0.resolve(none, []), RangeError, "the last axis is 1");
  assertEquals(q4_k.resolve(none, [2, 512]), { search: "reference" });
  assertEquals(q4_k.resolve(none, [0]), { search: "reference" });
});

Deno.test("blocks: NaN and infinities are refused with their index, finite values are not", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const values = new Float32Array(256).fill(1);
    values[77] = bad;
    for (const format of ggmlFormats) {
      const quantize = () =>
        format.quantize(values, [256], none, emptyParts(format, [256]));
      assertThrows(quantize, RangeError, `${bad} at index 77`);
    }
  }
  const values = new Float32Array(256).fill(1);
  for (const format of ggmlFormats) {
    format.quantize(values, [256], none, emptyParts(format, [256]));
  }
});

Deno.test("blocks: importance is checked for type, length and values", () => {
  const importance = new Float32Array(64).fill(1);
  const weighted = { search: "reference", importance } as const;
  assertEquals(q4_0.resolve({ importance }, [2, 64]), weighted);
  assertEquals(
    q4_0.resolve({ importance: [...importance] }, [2, 64]),
    weighted,
  );
  const reject = (
    given: unknown,
    error: typeof RangeError | typeof TypeError,
    text: string,
  ) =>
    assertThrows(
      () => q4_0.resolve({ importance: given } as BlockOptions, [2, 64]),
      error,
      text,
    );
  reject("1", TypeError, "Float32Array");
  reject(
    importance.subarray(1),
    RangeError,
    "63 weights, the last axis has 64 columns",
  );
  for (const bad of [-1, NaN, Infinity]) {
    reject(
      importance.map((w, i) => i === 5 ? bad : w),
      RangeError,
      `${bad} at index 5`,
    );
  }
  assertEquals(
    q4_0.resolve({ importance: importance.fill(0) }, [64]),
    weighted,
  );
});

Deno.test("blocks: formats whose scales ignore weights refuse importance", () => {
  const importance = new Float32Array(64).fill(1);
  for (const format of [mxfp4, nvfp4]) {
    assertThrows(
      () => format.resolve({ importance }, [64]),
      RangeError,
      format.name,
    );
    assertEquals(format.resolve({}, [64]), { search: "reference" });
  }
});

Deno.test("blocks: with importance a tensor may be cut between rows only", () => {
  const importance = new Float32Array(512).fill(1);
  for (const format of weightedFormats) {
    const grain = (options: { importance?: Float32Array }) => {
      const { fields, together } = format.scheme([4, 512], options);
      const layout = format.layout([4, 512], options) as unknown as Layout;
      return grainOf(layout, fields, false, together).columns;
    };
    assertEquals(grain({ importance }), 512);
    assertEquals(512 % grain({}), 0);
  }
});

// Magnitudes that all scales can hold: where a scale is subnormal or infinite there is no bound.
Deno.test("blocks: errors stay within the bound of the format", () => {
  const sets = adversarial(4096);
  for (const format of ggmlFormats) {
    const group = format.groupSize as number;
    for (
      const name of [
        "gauss",
        "plusMinusMax",
        "near2ulp",
        "integers",
        "oneOutlier",
        "positive",
      ]
    ) {
      const values = sets[name];
      const parts = emptyParts(format, [4096]);
      const out = new Float32Array(4096);
      format.reference.quantize(values, [4096], none, parts);
      format.reference.dequantize(parts, [4096], none, out);
      const worst = worstError(values, out, group);
      assertEquals(
        worst <= format.errorBound,
        true,
        `${format.name} ${name}: ${worst}`,
      );
    }
  }
});

/** Largest error of a value as a fraction of its group's largest magnitude. */
function worstError(
  values: Float32Array,
  out: Float32Array,
  group: number,
): number {
  let worst = 0;
  for (let from = 0; from < values.length; from += group) {
    let largest = 0, error = 0;
    for (let i = from; i < from + group; i++) {
      largest = Math.max(largest, Math.abs(values[i]));
      error = Math.max(error, Math.abs(values[i] - out[i]));
    }
    if (largest > 0) worst = Math.max(worst, error / largest);
  }
  return worst;
}
