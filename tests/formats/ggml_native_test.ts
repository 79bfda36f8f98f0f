import { assertEquals } from "@std/assert";
import type { BlockFormat, BlockParts } from "../../src/families/blocks.ts";
import { iq4_nl } from "../../src/formats/iq4_nl.ts";
import { iq4_xs } from "../../src/formats/iq4_xs.ts";
import { mxfp4 } from "../../src/formats/mxfp4.ts";
import { nvfp4 } from "../../src/formats/nvfp4.ts";
import { q4_0 } from "../../src/formats/q4_0.ts";
import { q4_1 } from "../../src/formats/q4_1.ts";
import { q4_k } from "../../src/formats/q4_k.ts";
import { bits } from "../adversarial.ts";
import { type GgmlName, openGgml } from "../peers/ggml.ts";
import { ggmlData, importanceData } from "./ggml_data.ts";

const native = await openGgml();
const ignore = native === undefined;

const weighted: readonly BlockFormat<GgmlName>[] = [
  q4_0,
  q4_1,
  q4_k,
  iq4_nl,
  iq4_xs,
];
const formats: readonly BlockFormat<GgmlName>[] = [...weighted, mxfp4, nvfp4];

const ROWS = 4;
const COLUMNS = 512;
const shape = [ROWS, COLUMNS];

function emptyParts(format: BlockFormat<GgmlName>): BlockParts {
  const spec = format.parts(shape, {}).blocks;
  const data = new Uint8Array(spec.shape.reduce((a, b) => a * b));
  return { blocks: { dtype: "U8", shape: spec.shape, data } };
}

function assertSameAsNative(
  format: BlockFormat<GgmlName>,
  values: Float32Array<ArrayBuffer>,
  importance: Float32Array<ArrayBuffer> | undefined,
  label: string,
): void {
  const options = format.resolve({ importance }, shape);
  const parts = emptyParts(format);
  const expected = new Uint8Array(parts.blocks.data.length);
  native!.quantize(format.name, values, COLUMNS, expected, importance);
  format.reference.quantize(values, shape, options, parts);
  const at = parts.blocks.data.findIndex((byte, i) => byte !== expected[i]);
  const blockBytes = format.bitsPerValue *
    format.span(shape, {}) / 8;
  assertEquals(
    at < 0
      ? "equal"
      : `block ${at / blockBytes | 0} byte ${at % blockBytes}: ${
        parts.blocks.data[at]
      } instead of ${expected[at]}`,
    "equal",
    `${format.name} ${label}`,
  );
}

for (const format of formats) {
  Deno.test({
    name: `${format.name}: reference quantizes as native ggml does`,
    ignore,
    fn() {
      for (const [name, values] of Object.entries(ggmlData(ROWS * COLUMNS))) {
        assertSameAsNative(format, values, undefined, name);
      }
    },
  });

  Deno.test({
    name: `${format.name}: reference dequantizes as native ggml does`,
    ignore,
    fn() {
      const blocks = everyScaleByte(format);
      const { data } = blocks.blocks;
      const length = data.length * 8 / format.bitsPerValue;
      const expected = new Float32Array(length);
      const actual = new Float32Array(length);
      native!.dequantize(
        format.name,
        data as Uint8Array<ArrayBuffer>,
        expected,
      );
      format.reference.dequantize(blocks, [length], {}, actual);
      assertEquals(withoutNaNBits(actual), withoutNaNBits(expected));
    },
  });
}

for (const format of weighted) {
  Deno.test({
    name: `${format.name}: reference weighs importance as native ggml does`,
    ignore,
    fn() {
      const weights = Object.entries(importanceData(COLUMNS));
      for (const [name, values] of Object.entries(ggmlData(ROWS * COLUMNS))) {
        for (const [weightName, importance] of weights) {
          const label = `${name} weighted ${weightName}`;
          assertSameAsNative(format, values, importance, label);
        }
      }
    },
  });
}

/** Blocks of random bytes in which every byte takes all of its 256 values. */
function everyScaleByte(format: BlockFormat<GgmlName>): BlockParts {
  const blockBytes = format.bitsPerValue * format.span(shape, {}) / 8;
  const data = new Uint8Array(blockBytes * 4096);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    const block = i / blockBytes | 0;
    const counts = i % blockBytes < 8 && block < 2048;
    // The head of a block, where scales live, counts; the rest is random.
    data[i] = counts ? (block >> (i % 2 === 0 ? 0 : 3)) & 255 : state >>> 24;
  }
  return { blocks: { dtype: "U8", shape: [data.length], data } };
}

/** Bits of each float32, all NaN alike: which NaN an operation makes is not defined. */
function withoutNaNBits(values: Float32Array): Uint32Array {
  return bits(values).map((word, i) =>
    Number.isNaN(values[i]) ? 0x7fc00000 : word
  );
}
