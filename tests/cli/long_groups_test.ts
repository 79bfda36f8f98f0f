// Groups longer than what is in memory at a time, odd ones, and such that share
// no border: files come out as the library makes them of the whole.

import { assert, assertEquals } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { compare, dequantize, quantize } from "../../mod.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { readQuantized } from "../files/read_quantized.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { random } from "../adversarial.ts";
import { bytesOf } from "../../src/stream/memory.ts";
import { run, safetensorsBytes } from "./support.ts";

const COUNT = 8_700_000;

/** Values whose size changes along the tensor, so that a scale of the wrong group shows. */
function valuesOf(): Float32Array {
  const next = random(7);
  return Float32Array.from(
    { length: COUNT },
    (_, i) => (next() * 2 - 1) * (1 + Math.floor(i / 1_000_000)),
  );
}

async function partsIn(path: string): Promise<Record<string, Uint8Array>> {
  const file = await openTensorFile(path);
  try {
    const { quantized: [entry] } = await sortTensors(file);
    const { parts } = await readQuantized(file, entry);
    return Object.fromEntries(
      Object.entries(parts).map(([name, { data }]) => [name, bytesOf(data)]),
    );
  } finally {
    await file.source.close();
  }
}

/** Whether parts are equal; no difference of megabytes is printed. */
function sameParts(
  a: Record<string, Uint8Array>,
  b: object,
): boolean {
  return Object.entries(a).every(([name, bytes]) => {
    const { data } = (b as Record<string, { data: ArrayBufferView }>)[name];
    const other = bytesOf(data);
    return bytes.length === other.length &&
      bytes.every((byte, i) => byte === other[i]);
  });
}

Deno.test("convert and compare agree with the whole between any group sizes", async () => {
  const values = valuesOf(), shape = [COUNT];
  await withFolder(async (path) => {
    await writeFile(
      path("w.safetensors"),
      safetensorsBytes([{ name: "w", dtype: "F32", shape, data: values }]),
    );
    for (
      const [from, to] of [
        [4_200_000, 4_300_000],
        [48, 5_000_000],
        [33, 1_000_002],
        [1_000_002, 1_000_004],
        [4_194_305, 33],
      ]
    ) {
      const first = await run(
        ...["quantize", path("w.safetensors"), "-o", path("a.safetensors")],
        ...["--tensors", "w", "--group-size", String(from), "-q", "--force"],
      );
      assertEquals(first.code, 0, first.err);
      const a = quantize(values, { shape, groupSize: from });
      assert(
        sameParts(await partsIn(path("a.safetensors")), a.parts),
        `${from}`,
      );
      const second = await run(
        ...["convert", path("a.safetensors"), "-o", path("b.safetensors")],
        ...["--format", "int4", "--group-size", String(to), "-q", "--force"],
        "--requantize",
      );
      assertEquals(second.code, 0, second.err);
      const restored = dequantize(a);
      const b = quantize(restored, { shape, groupSize: to });
      assert(
        sameParts(await partsIn(path("b.safetensors")), b.parts),
        `${from} → ${to}`,
      );
      const { out } = await run(
        ...["compare", path("a.safetensors"), path("b.safetensors"), "--json"],
      );
      const { sqnr } = compare(restored, dequantize(b));
      const told = JSON.parse(out).tensors[0].sqnr;
      assert(Math.abs(told - sqnr) < 1e-6, `${told} dB, not ${sqnr}`);
    }
  });
});
