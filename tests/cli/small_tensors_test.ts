// Small tensors are quantized many at a time: each comes out as if it stood
// alone, whatever lies beside it in the file.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { memorySource } from "../../src/files/file_source.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import type { Int4Options } from "../../src/formats/int4.ts";
import { quantize } from "../../src/quantize.ts";
import { random } from "../adversarial.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { type Given, run, safetensorsBytes } from "./support.ts";

const SEED = 11;
/** Ones, odd rows, what is copied for its dtype, float64, and more than a batch takes. */
const KINDS: readonly [dtype: "F32" | "F64" | "I32", shape: number[]][] = [
  ["F32", [1, 1]],
  ["F32", [3, 5]],
  ["I32", [2, 2]],
  ["F64", [2, 7]],
  ["F32", [1, 1]],
  ["F32", [64, 300]],
];

function tensors(): Given[] {
  const next = random(SEED);
  return Array.from({ length: 60 }, (_, i) => {
    const [dtype, shape] = KINDS[i % KINDS.length];
    const Numbers = { F32: Float32Array, F64: Float64Array, I32: Int32Array };
    const data = new Numbers[dtype](shape[0] * shape[1]).map(() =>
      Math.fround(next() * 20 - 9)
    );
    return { name: `t${i}`, dtype, shape, data };
  });
}

async function partsOf(bytes: Uint8Array) {
  const file = await openSafetensors(memorySource(bytes));
  const { quantized } = await sortTensors(file);
  return new Map(quantized.map(({ name, parts }) => [
    name,
    Object.fromEntries(Array.from(parts, ([part, { offset, byteLength }]) => [
      part,
      bytes.slice(offset, offset + byteLength),
    ])),
  ]));
}

const OPTIONS: readonly Int4Options[] = [{}, {
  scaleMethod: "affine",
  groupSize: 4,
}];

for (const options of OPTIONS) {
  Deno.test(`small tensors beside others come out as alone: ${JSON.stringify(options)}`, async () => {
    const given = tensors();
    const flags = Object.entries({ ...options }).flatMap(([name, value]) => [
      `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
      String(value),
    ]);
    await withFolder(async (path) => {
      await writeFile(path("m.safetensors"), safetensorsBytes(given));
      const { code, err } = await run(
        ...["quantize", path("m.safetensors"), "-o", path("q.safetensors")],
        ...[...flags, "--quiet"],
      );
      assertEquals([code, err], [0, ""]);
      const parts = await partsOf(
        new Uint8Array(await readFile(path("q.safetensors"))),
      );
      const floats = given.filter(({ dtype }) => dtype !== "I32");
      assertEquals(parts.size, floats.length, `seed ${SEED}`);
      for (const { name, shape, data } of floats) {
        const values = Float32Array.from(data as Float32Array);
        const expected = quantize(values, {
          format: "int4",
          shape,
          ...options,
        });
        for (const [part, { data }] of Object.entries(expected.parts)) {
          const bytes = new Uint8Array(
            data.buffer,
            data.byteOffset,
            data.byteLength,
          );
          assertEquals(
            parts.get(name)![part],
            bytes.slice(),
            `${name}.${part}, seed ${SEED}`,
          );
        }
      }
    });
  });
}

Deno.test("a NaN among small tensors is told by its own tensor and index, and clamped when asked", async () => {
  const given = tensors();
  (given[31].data as Float32Array)[7] = NaN;
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes(given));
    const call = [
      "quantize",
      path("m.safetensors"),
      "-o",
      path("q.safetensors"),
    ];
    const refused = await run(...call);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, '"t31": NaN at index 7 ([1, 2])');
    const clamped = await run(...call, "--non-finite", "clamp", "--quiet");
    assertEquals([clamped.code, clamped.err], [0, ""]);
  });
});
