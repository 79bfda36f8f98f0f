/** Lucene's vectors of 4 bits: the files of a segment read, and what is none of them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { quantize } from "../../mod.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { isSorted, type QuantizedEntry } from "../../src/files/parts.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { json, run } from "../cli/support.ts";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { concat } from "./support.ts";
import { withFolder } from "./temporary_folder.ts";

const folder = new URL("../vectors/lucene99/", import.meta.url).pathname;
const { fround } = Math;

async function withVectors(
  path: string,
  work: (file: TensorFile, quantized: readonly QuantizedEntry[]) => unknown,
): Promise<void> {
  const file = await openTensorFile(path);
  try {
    assert(isSorted(file));
    await work(file, file.quantized);
  } finally {
    await file.source.close();
  }
}

async function bytesOf(
  { source }: TensorFile,
  { parts }: QuantizedEntry,
  part: string,
): Promise<Uint8Array> {
  const { offset, byteLength } = parts.get(part)!;
  const bytes = new Uint8Array(byteLength);
  await source.read(offset, bytes);
  return bytes;
}

for (
  const name of [
    "cosine_packed_raw",
    "dot_product_bytes_raw",
    "euclidean_bytes_unit",
    "maximum_inner_product_packed_unit",
  ]
) {
  Deno.test(`lucene: the vectors of ${name} are read as they were written`, async () => {
    const golden = await goldenTensors(`lucene99/${name}/data.safetensors`);
    const [lower, upper] = floatsOf(golden.get("quantiles")!);
    const step = fround(fround(upper - lower) / 15);
    const codes = golden.get("stored_bytes")!;
    const expected = Float32Array.from(
      codes.data as Uint8Array,
      (code) => fround(fround(code * step) + lower),
    );
    await withFolder(async (path) => {
      for (const ending of ["veq", "vemq"]) {
        const from = `${folder}${name}/vectors.${ending}`;
        await withVectors(from, async (file, [one]) => {
          const stored = golden.get("correction_stored")!.data;
          const corrections = await bytesOf(file, one, "corrections");
          assertSameBytes(corrections, stored, name);
          const [similarity] = name.split(/_(?:packed|bytes)/);
          const compress = name.includes("packed");
          assertEquals(one.options, { similarity, compress });
          assertEquals(one.shape, codes.shape);
        });
        const to = path(`${ending}.npy`);
        const { code, err } = await run("dequantize", from, "-o", to);
        assertEquals(code, 0, err);
        const values = new Uint8Array(await readFile(to)).subarray(128);
        assertSameBytes(values, expected, name);
      }
    });
  });
}

/** A vector of `TwoFields.java`. */
function vector(i: number, length: number): number[] {
  return Array.from({ length }, (_, j) => ((i * 7 + j * 5) % 13 - 6) / 8);
}

Deno.test("lucene: each field is a tensor, with the vectors of the documents that have them", async () => {
  const documents = Array.from({ length: 10 }, (_, i) => i);
  const fields = [
    { documents, length: 8, similarity: "euclidean" },
    {
      documents: documents.filter((i) => i % 3 < 2),
      length: 6,
      similarity: "maximum_inner_product",
    },
  ] as const;
  await withVectors(`${folder}two_fields/vectors.veq`, async (file, found) => {
    assertEquals(found.map(({ name }) => name), ["field_0", "field_1"]);
    for (const [i, { documents, length, similarity }] of fields.entries()) {
      const shape = [documents.length, length];
      const values = Float32Array.from(
        documents.flatMap((i) => vector(i, length)),
      );
      const made = quantize(values, { format: "lucene99", shape, similarity });
      assertEquals(found[i].shape, shape);
      for (const [part, { data }] of Object.entries(made.parts)) {
        const bytes = await bytesOf(file, found[i], part);
        assertSameBytes(bytes, data, `${part} of field ${i}`);
      }
    }
    // A stretch that starts and ends within vectors.
    const { parts } = found[1], codes = parts.get("codes")!;
    const all = await bytesOf(file, found[1], "codes");
    const some = new Uint8Array(8);
    await file.source.read(codes.offset + 2, some);
    assertSameBytes(some, all.subarray(2, 10), "a stretch");
  });
});

Deno.test("lucene: vectors go on to other containers", async () => {
  await withFolder(async (path) => {
    const from = `${folder}two_fields/vectors.vemq`;
    const args = ["--format", "lucene99", "--similarity", "euclidean"];
    const to = path("v.safetensors");
    const { code, err } = await run("convert", from, "-o", to, ...args);
    assertEquals(code, 0, err);
    const { tensors } = await json("inspect", to);
    assertEquals(
      // deno-lint-ignore no-explicit-any -- a document
      tensors.map(({ name, format }: any) => [name, format]),
      [["field_0", "lucene99"], ["field_1", "lucene99"]],
    );
  });
});

const name = "two_fields";
const data = new Uint8Array(await readFile(`${folder}${name}/vectors.veq`));
const meta = new Uint8Array(await readFile(`${folder}${name}/vectors.vemq`));
/** Where the first field starts in the meta file, and the vectors in the other. */
const START = 108;

function changed(bytes: Uint8Array, at: number, ...to: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(to, at);
  return copy;
}

const REFUSED: readonly [why: string, data: Uint8Array, meta: Uint8Array][] = [
  ["does not start as files of Lucene do", changed(data, 0, 0), meta],
  ['of the codec "Lucene99', data, data],
  ["its version is 2", data, changed(meta, 48, 2)],
  ["of different segments", data, changed(meta, 50, 9)],
  ["cut off", data, meta.slice(0, -1)],
  ["cut off", data.slice(0, START), meta],
  ["field -2 is none", data, changed(meta, START, 254, 255, 255, 255)],
  ["field 0 has vectors of an unknown kind", data, changed(meta, 112, 0)],
  ["field 0 has vectors of an unknown kind", data, changed(meta, 116, 4)],
  ["field 0 is at bytes 107", data, changed(meta, 120, 107)],
  [
    "field 0 is at bytes 127 to 207, vectors are from 108",
    concat(data.slice(0, START + 90), data.slice(-16)),
    changed(meta, 120, 127),
  ],
  ["field 0 has 81 bytes for 10 records of 8", data, changed(meta, 121, 81)],
  ["field 0 has 80 bytes for 11 records of 8", data, changed(meta, 123, 11)],
  ["records of", data, changed(meta, 123, 255, 255, 255, 127)],
  ["field 0 has -", data, changed(meta, 126, 128)],
  ["field 0 has codes of 7 bits", data, changed(meta, 131, 7)],
  ["field 0 has no plain compression", data, changed(meta, 132, 2)],
  ["within field 0", data, concat(meta.slice(0, 130), meta.slice(-16))],
  [
    "goes on after the last field",
    data,
    changed(meta, 160, 255, 255, 255, 255),
  ],
];

for (const [why, veq, vemq] of REFUSED) {
  Deno.test(`lucene: vectors are refused by name: ${why}`, async () => {
    await withFolder(async (path) => {
      await writeFile(path("v.veq"), veq);
      await writeFile(path("v.vemq"), vemq);
      const error = await assertRejects(
        () => openTensorFile(path("v.veq")),
        Error,
        why,
      );
      assert(error instanceof SyntaxError || error instanceof RangeError);
      assert(error.message.includes(" as vectors of Lucene: "), error.message);
      // The twin of all of them.
      await writeFile(path("v.veq"), data);
      await writeFile(path("v.vemq"), meta);
      await withVectors(path("v.veq"), (_, found) => {
        assertEquals(found.length, 2);
      });
    });
  });
}

Deno.test("lucene: one file without the other is refused, and bytes without a name", async () => {
  await withFolder(async (path) => {
    await writeFile(path("v.veq"), data);
    await assertRejects(
      () => openTensorFile(path("v.veq")),
      Error,
      "v.vemq: no such file",
    );
    await writeFile(path("v.dat"), data);
    await assertRejects(
      () => openTensorFile(path("v.dat")),
      SyntaxError,
      "pass the path of one of them",
    );
  });
});
