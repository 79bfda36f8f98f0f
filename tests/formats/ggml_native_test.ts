import { assertEquals } from "@std/assert";
import type { BlockFormat } from "../../src/families/blocks.ts";
import { random } from "../adversarial.ts";
import { type GgmlName, openGgml } from "../peers/ggml.ts";
import {
  bitsWithOneNaN,
  blockBytes,
  dequantizeByReference,
  firstDifference,
  ggmlFormats,
  quantizeByReference,
  weightedFormats,
} from "./ggml_cases.ts";
import { ggmlData, importanceData } from "./ggml_data.ts";

const native = await openGgml();
const ignore = native === undefined;

const COLUMNS = 512;
const data = Object.entries(ggmlData(4 * COLUMNS));
const weights = Object.entries(importanceData(COLUMNS));

function assertSameAsNative(
  format: BlockFormat<GgmlName>,
  values: Float32Array<ArrayBuffer>,
  importance: Float32Array<ArrayBuffer> | undefined,
  label: string,
): void {
  const actual = quantizeByReference(format, values, COLUMNS, importance);
  const expected = new Uint8Array(actual.length);
  const written = native!.quantize(
    format.name,
    values,
    COLUMNS,
    expected,
    importance,
  );
  assertEquals(written, expected.length);
  assertEquals(
    firstDifference(format, actual, expected),
    "equal",
    `${format.name} ${label}`,
  );
}

for (const format of ggmlFormats) {
  Deno.test({
    name: `${format.name}: reference quantizes as native ggml does`,
    ignore,
    fn() {
      for (const [name, values] of data) {
        assertSameAsNative(format, values, undefined, name);
      }
    },
  });

  Deno.test({
    name: `${format.name}: reference dequantizes as native ggml does`,
    ignore,
    fn() {
      const blocks = everyScaleByte(format);
      const actual = dequantizeByReference(format, blocks);
      const expected = new Float32Array(actual.length);
      native!.dequantize(format.name, blocks, expected);
      assertEquals(bitsWithOneNaN(actual), bitsWithOneNaN(expected));
    },
  });
}

for (const format of weightedFormats) {
  Deno.test({
    name: `${format.name}: reference weighs importance as native ggml does`,
    ignore,
    fn() {
      for (const [name, values] of data) {
        for (const [weightName, importance] of weights) {
          assertSameAsNative(
            format,
            values,
            importance,
            `${name} weighted ${weightName}`,
          );
        }
      }
    },
  });
}

/** 4096 blocks: in half of them the head, where scales live, counts through all bytes; the rest is random. */
function everyScaleByte(format: BlockFormat): Uint8Array<ArrayBuffer> {
  const size = blockBytes(format);
  const next = random(1);
  return Uint8Array.from({ length: size * 4096 }, (_, i) => {
    const block = Math.floor(i / size);
    const counts = i % size < 8 && block < 2048;
    return counts ? (block >> (i % 2 === 0 ? 0 : 3)) & 255 : next() * 256;
  });
}
