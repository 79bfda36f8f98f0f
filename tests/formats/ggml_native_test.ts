import { assertEquals } from "@std/assert";
import type { BlockFormat } from "../../src/model/block_format.ts";
import { bits, random } from "../adversarial.ts";
import { openGgml } from "../peers/ggml.ts";
import {
  blockBytes,
  dequantizeBy,
  firstDifference,
  ggmlFormats,
  quantizeBy,
  ways,
  weightedFormats,
} from "./ggml_cases.ts";
import { ggmlData, importanceData } from "./ggml_data.ts";

const native = await openGgml();
const ignore = native === undefined;

const COLUMNS = 512;
const data = Object.entries(ggmlData(4 * COLUMNS));
const weights = Object.entries(importanceData(COLUMNS));

function nativeBlocks(
  format: BlockFormat,
  values: Float32Array<ArrayBuffer>,
  importance?: Float32Array<ArrayBuffer>,
): Uint8Array {
  const blocks = new Uint8Array(values.length * format.bitsPerValue / 8);
  const written = native!.quantize(
    format.name,
    values,
    COLUMNS,
    blocks,
    importance,
  );
  assertEquals(written, blocks.length);
  return blocks;
}

for (const format of ggmlFormats) {
  Deno.test({
    name: `${format.name} quantizes as native ggml does`,
    ignore,
    fn() {
      for (const [name, values] of data) {
        const expected = nativeBlocks(format, values);
        for (const way of ways) {
          const actual = quantizeBy(way, format, values, COLUMNS);
          assertEquals(
            firstDifference(format, actual, expected),
            "equal",
            `${way} ${name}`,
          );
        }
      }
    },
  });

  Deno.test({
    name: `${format.name} dequantizes as native ggml does`,
    ignore,
    fn() {
      const blocks = everyScaleByte(format);
      const expected = new Float32Array(
        blocks.length * 8 / format.bitsPerValue,
      );
      native!.dequantize(format.name, blocks, expected);
      for (const way of ways) {
        assertEquals(
          bits(dequantizeBy(way, format, blocks)),
          bits(expected),
          way,
        );
      }
    },
  });
}

for (const format of weightedFormats) {
  Deno.test({
    name: `${format.name} weighs importance as native ggml does`,
    ignore,
    fn() {
      for (const [name, values] of data) {
        for (const [weightName, importance] of weights) {
          const expected = nativeBlocks(format, values, importance);
          for (const way of ["reference", "wasm"] as const) {
            const actual = quantizeBy(way, format, values, COLUMNS, importance);
            assertEquals(
              firstDifference(format, actual, expected),
              "equal",
              `${way} ${name} weighted ${weightName}`,
            );
          }
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
