/**
 * Writes the golden vectors of ggml's formats: what native ggml makes of the
 * data that tests/formats/ggml_data.ts generates. See README.md beside this file.
 *
 * ```sh
 * deno run -A tests/vectors/ggml_generate.ts
 * ```
 *
 * @module
 */

import { bits } from "../adversarial.ts";
import { ggmlFormats, weightedFormats } from "../formats/ggml_cases.ts";
import { ggmlData, importanceData } from "../formats/ggml_data.ts";
import { type GgmlVectors, sha256, VECTOR_COLUMNS } from "../formats/ggml_vectors.ts";
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { randomBlocks, valueCount } from "../ggml/ggml_cases.ts";
import { openGgml } from "../peers/ggml.ts";

const native = await openGgml();
if (native === undefined) Deno.exit(1);

const data = ggmlData(VECTOR_COLUMNS);
const folder = new URL("ggml/", import.meta.url);

/** The blocks of all data sets, one set after the other. */
function quantizeAll(
  format: (typeof ggmlFormats)[number],
  importance?: Float32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const bytes = VECTOR_COLUMNS * format.bitsPerValue / 8;
  const all = new Uint8Array(bytes * Object.keys(data).length);
  Object.values(data).forEach((values, i) => {
    const blocks = new Uint8Array(bytes);
    native!.quantize(format.name, values, VECTOR_COLUMNS, blocks, importance);
    all.set(blocks, i * bytes);
  });
  return all;
}

const index: GgmlVectors = {
  library: `libggml-base.so of npm:@node-llama-cpp/linux-x64@${native.version}`,
  data: {},
  dequantized: {},
  weighted: {},
  random: {},
};
for (const [name, values] of Object.entries(data)) {
  index.data[name] = await sha256(values);
}
for (const format of ggmlFormats) {
  const blocks = quantizeAll(format);
  await Deno.writeFile(new URL(`${format.name}.bin`, folder), blocks);
  const values = new Float32Array(blocks.length * 8 / format.bitsPerValue);
  native.dequantize(format.name, blocks, values);
  index.dequantized[format.name] = await sha256(bits(values));
}
for (const format of weightedFormats) {
  const hashes: Record<string, string> = {};
  for (const [name, importance] of Object.entries(importanceData(VECTOR_COLUMNS))) {
    hashes[name] = await sha256(quantizeAll(format, importance));
  }
  index.weighted[format.name] = hashes;
}
for (const layout of ggmlLayouts.values()) {
  if (!native.reads(layout.name)) continue;
  const values = new Float32Array(valueCount(layout));
  native.dequantize(layout.name, randomBlocks(layout), values);
  index.random[layout.name] = await sha256(bits(values));
}
await Deno.writeTextFile(new URL("index.json", folder), JSON.stringify(index, null, 1) + "\n");
