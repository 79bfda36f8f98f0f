import { assertEquals } from "@std/assert";
import { bits } from "../adversarial.ts";
import {
  dequantizeBy,
  firstDifference,
  ggmlFormats,
  quantizeBy,
  ways,
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
  for (const way of ways) {
    Deno.test(`${format.name} by ${way} quantizes to the golden blocks`, async () => {
      const actual = quantizeBy(way, format, values, VECTOR_COLUMNS);
      assertEquals(
        firstDifference(format, actual, await readBlocks(format.name)),
        "equal",
      );
    });

    Deno.test(`${format.name} by ${way} dequantizes the golden blocks`, async () => {
      const actual = dequantizeBy(way, format, await readBlocks(format.name));
      assertEquals(await sha256(bits(actual)), index.dequantized[format.name]);
    });
  }
}

for (const format of weightedFormats) {
  for (const way of ways) {
    Deno.test(`${format.name} by ${way} weighs importance to the golden hashes`, async () => {
      for (
        const [name, importance] of Object.entries(
          importanceData(VECTOR_COLUMNS),
        )
      ) {
        const actual = quantizeBy(
          way,
          format,
          values,
          VECTOR_COLUMNS,
          importance,
        );
        assertEquals(
          await sha256(actual),
          index.weighted[format.name][name],
          name,
        );
      }
    });
  }
}
