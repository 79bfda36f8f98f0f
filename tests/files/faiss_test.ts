/**
 * faiss' index files: those of faiss read, ours read by faiss where it is there, and what
 * is no index.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readFile } from "node:fs/promises";
import { openFaiss } from "../../src/files/faiss.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { adversarial } from "../adversarial.ts";
import { json, run, safetensorsBytes, writeNpy } from "../cli/support.ts";
import { goldenTensors } from "../formats/safetensors_vectors.ts";
import { hasPython, runPython } from "../peers/python.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { withFolder } from "./temporary_folder.ts";

const folder = new URL("../vectors/faiss_qt4/", import.meta.url).pathname;
const golden = (name: string) => readFile(`${folder}${name}/index.faiss`);
const judge = new URL("faiss_judge.py", import.meta.url).pathname;
const hasJudge = await hasPython(
  ["faiss", "numpy"],
  "indexes are only read back",
  "faiss-cpu",
);

async function done(...args: string[]): Promise<void> {
  const { code, err } = await run(...args);
  assertEquals(code, 0, err);
}

/** The numbers of a `.npy` file. */
async function numbers(path: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(path)).subarray(128);
}

for (
  const name of ["QT_4bit_d7_l2", "QT_4bit_d16_l2", "QT_4bit_uniform_d33_l2"]
) {
  Deno.test(`faiss' index ${name} is read as its scalar code decodes it, and written as it is`, async () => {
    const decoded = await goldenTensors(
      `faiss_qt4/${name}/decoded_scalar.safetensors`,
    );
    await withFolder(async (path) => {
      const from = `${folder}${name}/index.faiss`;
      await done("dequantize", from, "-o", path("x.npy"));
      const [expected] = decoded.values();
      assertSameBytes(await numbers(path("x.npy")), expected.data, name);
      const kept = ["--format", "faiss_qt4", "-o", path("again.faiss")];
      const uniform = name.includes("uniform") ? ["--uniform", "true"] : [];
      await done("convert", from, ...kept, ...uniform);
      assertSameBytes(
        await readFile(path("again.faiss")),
        await golden(name),
        name,
      );
    });
  });
}

Deno.test("the metric of an index is told, and kept on the way through safetensors", async () => {
  await withFolder(async (path) => {
    const from = `${folder}QT_4bit_d16_ip/index.faiss`;
    const told = await json("inspect", from);
    assertEquals([told.container, told.metadata["faiss.metric"]], [
      "faiss",
      "dot",
    ]);
    const format = ["--format", "faiss_qt4", "-o"];
    await done("convert", from, ...format, path("x.safetensors"));
    await done("convert", path("x.safetensors"), ...format, path("x.faiss"));
    assertSameBytes(
      await readFile(path("x.faiss")),
      await golden("QT_4bit_d16_ip"),
      "x",
    );
    const other = ["--metric", "euclidean", ...format, path("y.faiss")];
    await done("convert", from, ...other);
    const { metadata } = await json("inspect", path("y.faiss"));
    assertEquals(metadata["faiss.metric"], "euclidean");
  });
});

const values = adversarial(60 * 48).gauss;

for (
  const [d, uniform, metric] of [
    [7, false, "euclidean"],
    [48, false, "dot"],
    [33, true, "euclidean"],
    [16, true, "dot"],
  ] as const
) {
  Deno.test({
    name:
      `faiss reads our index of [60, ${d}], uniform ${uniform}, and writes the same bytes`,
    ignore: !hasJudge,
    fn: () =>
      withFolder(async (path) => {
        const x = values.slice(0, 60 * d);
        await writeNpy(path("x.npy"), x, [60, d]);
        await Deno.writeFile(path("x.f32"), new Uint8Array(x.buffer));
        const made = ["--format", "faiss_qt4", "--uniform", `${uniform}`];
        const args = [...made, "--metric", metric, "-o", path("x.faiss")];
        await done("quantize", path("x.npy"), ...args);
        await done("dequantize", path("x.faiss"), "-o", path("y.npy"));
        await Deno.writeFile(path("y.f32"), await numbers(path("y.npy")));
        const { success, out, err } = await runPython([
          judge,
          ...["x.faiss", "theirs.faiss", "x.f32", "y.f32"].map(path),
          uniform ? "QT_4bit_uniform" : "QT_4bit",
          metric,
        ], { FAISS_SIMD_LEVEL: "NONE" });
        assert(success, err);
        assertEquals(out.trim(), "0");
        const theirs = await readFile(path("theirs.faiss"));
        assertSameBytes(await readFile(path("x.faiss")), theirs, "x");
      }),
  });
}

Deno.test("what an index cannot hold is refused, and nothing is written", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("x.npy"), values.slice(0, 96), [2, 48]);
    await writeNpy(path("cube.npy"), values.slice(0, 96), [2, 3, 16]);
    const two = ["a", "b"].map((name) => {
      return { name, dtype: "F32", shape: [2, 48], data: values.slice(0, 96) };
    });
    await Deno.writeFile(path("two.safetensors"), safetensorsBytes(two));
    const format = ["--format", "faiss_qt4"];
    const refused: [
      from: string,
      flags: string[],
      code: number,
      why: string,
    ][] = [
      ["x.npy", [], 2, "add --format faiss_qt4"],
      ["x.npy", [...format, "--metric", "cosine"], 2, "metric"],
      ["cube.npy", format, 1, "an index holds vectors [n, d]"],
      ["two.safetensors", format, 1, "there are 2"],
    ];
    for (const [from, flags, code, why] of refused) {
      const args = ["quantize", path(from), "-o", path("o.faiss"), ...flags];
      const outcome = await run(...args);
      assertEquals(outcome.code, code, outcome.err);
      assert(outcome.err.includes(why), outcome.err);
      assert(!await Deno.stat(path("o.faiss")).catch(() => undefined));
    }
    await done("quantize", path("x.npy"), ...format, "-o", path("o.faiss"));
    const one = ["--tensors", "b", ...format, "-o", path("b.faiss")];
    await done("quantize", path("two.safetensors"), ...one);
    assertSameBytes(
      await readFile(path("b.faiss")),
      await readFile(path("o.faiss")),
      "one of two",
    );
    const elsewhere = ["-o", path("o.safetensors"), "--metric", "dot"];
    const outcome = await run("quantize", path("x.npy"), ...elsewhere);
    assertEquals(outcome.code, 2);
    assert(outcome.err.includes("is for .faiss outputs"), outcome.err);
  });
});

const valid = new Uint8Array(await golden("QT_4bit_d7_l2"));

/** The index with other bytes at a place. */
function changed(at: number, ...bytes: number[]): Uint8Array {
  const copy = valid.slice();
  copy.set(bytes, at);
  return copy;
}

const REFUSED: readonly [why: string, bytes: Uint8Array][] = [
  ['its kind is "IxF2"', changed(2, 0x46, 0x32)],
  ["the dimension is 0", changed(4, 0)],
  ["the dimension is -1", changed(4, 255, 255, 255, 255)],
  ["the number of vectors is -", changed(15, 255)],
  ["the number of vectors is 4", changed(15, 0x40)],
  ["it is not trained", changed(32, 0)],
  ["the metric is -", changed(36, 255)],
  ["its quantizer is of type 2", changed(37, 2)],
  ["the dimension of the quantizer is 8, not 7", changed(49, 8)],
  ["the size of a code of the quantizer is 5, not 4", changed(57, 5)],
  ['the count of "x.trained" is 15, its shape takes 14', changed(65, 15)],
  ['the count of "x.codes" is 345, its shape takes 344', changed(129, 0x59)],
  ["it ends at byte 40, within", valid.slice(0, 40)],
  ["it ends at byte 4, within", valid.slice(0, 69)],
  ["beyond the 100 of the file", valid.slice(0, 100)],
  ["beyond the 480 of the file", valid.slice(0, -1)],
  ["it goes on after its codes", Uint8Array.of(...valid, 0)],
];

for (const [why, bytes] of REFUSED) {
  Deno.test(`an index is refused by name: ${why}`, async () => {
    const open = (bytes: Uint8Array) =>
      openFaiss(memorySource(bytes, "x.faiss"), "x");
    const error = await assertRejects(() => open(bytes), SyntaxError, why);
    assert(error.message.startsWith("Cannot read x.faiss as a faiss index: "));
    // The twin of all of them.
    assertEquals((await open(valid)).quantized.length, 1);
  });
}

Deno.test("an index with the argument of a metric is read, and its metric is not written", async () => {
  const bytes = Uint8Array.of(
    ...valid.slice(0, 33),
    4,
    0,
    0,
    0,
    0,
    0,
    0,
    0x40,
    ...valid.slice(37),
  );
  await withFolder(async (path) => {
    await Deno.writeFile(path("p.faiss"), bytes);
    const args = [
      "convert",
      path("p.faiss"),
      "--format",
      "faiss_qt4",
      "-o",
      path("o.faiss"),
    ];
    const { code, err } = await run(...args);
    assertEquals(code, 1);
    assert(err.includes("the metric of the input is 4"), err);
    await done(...args, "--metric", "dot");
    await done("dequantize", path("p.faiss"), "-o", path("x.npy"));
    await done("dequantize", path("o.faiss"), "-o", path("y.npy"));
    assertSameBytes(
      await numbers(path("x.npy")),
      await numbers(path("y.npy")),
      "p",
    );
  });
});
