import { assertEquals } from "@std/assert";
import type { BlockFormat, BlockParts } from "../../src/families/blocks.ts";
import {
  bitsWithOneNaN,
  dequantizeByReference,
  emptyParts,
  firstDifference,
  ggmlFormats,
  quantizeByReference,
  weightedFormats,
} from "./ggml_cases.ts";
import { ggmlData, importanceData } from "./ggml_data.ts";
import {
  readBlocks,
  readIndex,
  sha256,
  VECTOR_COLUMNS,
  vectorValues,
} from "./ggml_vectors.ts";

const index = await readIndex();
const values = vectorValues();

Deno.test("ggml vectors: the generator makes the data that they were made of", async () => {
  for (const [name, set] of Object.entries(ggmlData(VECTOR_COLUMNS))) {
    assertEquals(await sha256(set), index.data[name], name);
  }
  assertEquals(values.length, Object.keys(index.data).length * VECTOR_COLUMNS);
});

for (const format of ggmlFormats) {
  Deno.test(`${format.name}: reference quantizes to the golden blocks`, async () => {
    const actual = quantizeByReference(format, values, VECTOR_COLUMNS);
    assertEquals(
      firstDifference(format, actual, await readBlocks(format.name)),
      "equal",
    );
  });

  Deno.test(`${format.name}: reference dequantizes the golden blocks`, async () => {
    const actual = dequantizeByReference(format, await readBlocks(format.name));
    assertEquals(
      await sha256(bitsWithOneNaN(actual)),
      index.dequantized[format.name],
    );
  });
}

for (const format of weightedFormats) {
  for (
    const [name, importance] of Object.entries(importanceData(VECTOR_COLUMNS))
  ) {
    Deno.test(`${format.name}: reference weighs importance "${name}" to the golden hash`, async () => {
      const actual = quantizeByReference(
        format,
        values,
        VECTOR_COLUMNS,
        importance,
      );
      assertEquals(await sha256(actual), index.weighted[format.name][name]);
    });
  }
}
