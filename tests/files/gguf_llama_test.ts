/**
 * The proof on the consumer: native llama.cpp loads what is written here, and
 * what it writes is read here.
 */
import { assert, assertEquals } from "@std/assert";
import { createFile } from "../../src/files/file_sink.ts";
import { type GgufFile, isGguf } from "../../src/files/gguf_read.ts";
import {
  ggufFileTypes,
  ggufQuantizationVersion,
} from "../../src/files/gguf_types.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { openTensorFile } from "../../src/files/open.ts";
import type { TensorEntry } from "../../src/files/tensors.ts";
import { ggmlFormats, quantizeBy } from "../formats/ggml_cases.ts";
import { openLlama } from "../peers/llama.ts";
import { tinyVocabulary, writeTinyLlama } from "../peers/tiny_llama.ts";
import { withFolder } from "./temporary_folder.ts";

const llama = await openLlama();
const ignore = llama === undefined;
const sentence = "the zebra\n";

async function openModel(path: string): Promise<GgufFile> {
  const file = await openTensorFile(path);
  assert(isGguf(file));
  return file;
}

async function dataOf(file: GgufFile, { offset, byteLength }: TensorEntry) {
  const bytes = new Uint8Array(byteLength);
  await file.source.read(offset, bytes);
  return bytes;
}

/** Writes `file` anew, the data of each tensor by `convert`, which may change its dtype. */
async function rewrite(
  file: GgufFile,
  path: string,
  metadata: readonly [string, GgufValue][],
  convert: (
    tensor: TensorEntry,
  ) => { dtype: string; data(bytes: Uint8Array<ArrayBuffer>): Uint8Array },
): Promise<void> {
  const converted = file.tensors.map((tensor) => ({
    ...tensor,
    ...convert(tensor),
  }));
  const plan = planGguf(new Map([...file.values, ...metadata]), converted);
  const sink = await createFile(path, { force: true });
  try {
    await writeGgufFrame(sink, plan);
    for (const [i, { offset }] of plan.tensors.entries()) {
      await sink.write(
        offset,
        converted[i].data(await dataOf(file, file.tensors[i])),
      );
    }
    await sink.commit();
  } finally {
    await sink.abort();
  }
}

const unchanged = ({ dtype }: TensorEntry) => ({
  dtype,
  data: (bytes: Uint8Array) => bytes,
});

/** Error as a part of the signal's size. */
function relativeError(
  expected: readonly Float32Array[],
  actual: readonly Float32Array[],
): number {
  let error = 0;
  let signal = 0;
  for (const [row, values] of expected.entries()) {
    for (const [i, value] of values.entries()) {
      error += (value - actual[row][i]) ** 2;
      signal += value ** 2;
    }
  }
  return Math.sqrt(error / signal);
}

Deno.test(
  "native llama.cpp loads a model that is written here",
  { ignore },
  async () => {
    await withFolder(async (inFolder) => {
      const path = inFolder("f32.gguf");
      await writeTinyLlama(path);
      const tokens = llama!.tokenize(path, sentence);
      // <s> ▁the ▁ z e b r a <0x0A>
      assertEquals([...tokens], [1, 288, 259, 285, 264, 261, 277, 260, 13]);
      const logits = llama!.logits(path, tokens);
      assertEquals(logits.length, tokens.length);
      for (const row of logits) {
        assertEquals(row.length, tinyVocabulary);
        assert(row.every(Number.isFinite));
        assert(new Set(row).size > tinyVocabulary / 2);
      }
      assertEquals(llama!.logits(path, tokens), logits);
    });
  },
);

for (const format of ggmlFormats) {
  Deno.test(
    `native llama.cpp computes the same with ${format.name} from here as with its own`,
    { ignore },
    async () => {
      await withFolder(async (inFolder) => {
        const source = inFolder("f32.gguf");
        await writeTinyLlama(source);
        const original = await openModel(source);
        const fileType = ggufFileTypes.get(format.name)!;
        const path = inFolder("ours.gguf");
        await rewrite(original, path, [
          ["general.file_type", GgufValue.of("u32", fileType)],
          [
            "general.quantization_version",
            GgufValue.of("u32", ggufQuantizationVersion),
          ],
        ], (tensor) => {
          if (tensor.shape.length === 1) return unchanged(tensor);
          const columns = tensor.shape[1];
          return {
            dtype: format.name.toUpperCase(),
            data: (bytes) =>
              quantizeBy(
                "reference",
                format,
                new Float32Array(bytes.buffer),
                columns,
              ),
          };
        });
        await original.source.close();
        const tokens = llama!.tokenize(source, sentence);
        const ours = llama!.logits(path, tokens);
        const error = relativeError(llama!.logits(source, tokens), ours);
        assert(error > 0.01 && error < 0.5, `${error}`);
        // llama_model_quantize has no NVFP4: its files come from converters.
        if (format.name === "nvfp4") return;
        const theirPath = inFolder("theirs.gguf");
        llama!.quantize(source, theirPath, fileType, { pure: true });
        assertEquals(ours, llama!.logits(theirPath, tokens));
        await assertSameTensors(path, theirPath);
        await assertCopyIsExact(theirPath, inFolder("copy.gguf"));
      });
    },
  );
}

async function assertSameTensors(path: string, theirPath: string) {
  const ours = await openModel(path);
  const theirs = await openModel(theirPath);
  assertEquals(theirs.tensors.length, ours.tensors.length);
  for (const tensor of ours.tensors) {
    const twin = theirs.tensors.find(({ name }) => name === tensor.name)!;
    assertEquals([twin.dtype, twin.shape], [tensor.dtype, tensor.shape]);
    assertEquals(
      await dataOf(theirs, twin),
      await dataOf(ours, tensor),
      tensor.name,
    );
  }
  for (const [key, { type, value }] of ours.values) {
    const twin = theirs.values.get(key)!;
    assertEquals([twin.type, twin.value], [type, value], key);
  }
  await Promise.all([ours.source.close(), theirs.source.close()]);
}

async function assertCopyIsExact(path: string, copyPath: string) {
  const file = await openModel(path);
  await rewrite(file, copyPath, [], unchanged);
  await file.source.close();
  assertEquals(await Deno.readFile(copyPath), await Deno.readFile(path));
}
