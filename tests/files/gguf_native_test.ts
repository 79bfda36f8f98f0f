import { assert, assertEquals } from "@std/assert";
import { openGguf } from "../../src/files/gguf_read.ts";
import { ggmlLayoutsById, removedGgmlTypes } from "../../src/ggml/table.ts";
import { ggufTypeId } from "../../src/files/gguf_value.ts";
import { type NativeGgufReader, openGgufReader } from "../peers/gguf.ts";
import { metadataTwins } from "./gguf_metadata_twins.ts";
import { tensorTwins } from "./gguf_tensor_twins.ts";
import { SparseSource } from "./gguf_support.ts";
import { withFolder } from "./temporary_folder.ts";

const native = await openGgufReader();
const options = {
  ignore: native === undefined,
  sanitizeResources: false,
};

Deno.test("native ggml has the same table of types", options, () => {
  for (let id = 0; id <= Math.max(...ggmlLayoutsById.keys()); id++) {
    const [name, size, bytes] = native!.type(id);
    const type = ggmlLayoutsById.get(id);
    if (type === undefined) {
      assert(removedGgmlTypes.has(id), `${id}: ${name}`);
      assertEquals([size, bytes], [0, 0], name);
    } else {
      assertEquals(
        [type.name, type.blockSize, type.blockBytes],
        [name.toUpperCase(), size, bytes],
      );
    }
  }
});

Deno.test(
  "native ggml finds the same in every file that is read here",
  options,
  async (t) => {
    const files = [...metadataTwins, ...tensorTwins]
      .map(({ title, good }) => ({
        title: `the twin of ${title}`,
        bytes: good,
      }));
    for (const name of ["types", "alignment", "empty"]) {
      const url = new URL(`../vectors/gguf_${name}.gguf`, import.meta.url);
      files.push({ title: name, bytes: await Deno.readFile(url) });
    }
    await withFolder(async (inFolder) => {
      const path = inFolder("judged.gguf");
      for (const { title, bytes } of files) {
        await Deno.writeFile(path, bytes);
        await t.step(title, () => compareWithNative(native!, path, bytes));
      }
    });
  },
);

async function compareWithNative(
  reader: NativeGgufReader,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const ours = await openGguf(new SparseSource(bytes));
  const theirs = reader.read(path);
  assert(theirs !== undefined, "native ggml refuses it");
  assertEquals([theirs.version, theirs.alignment], [
    ours.version,
    ours.alignment,
  ]);
  assertEquals(
    theirs.values.map(([key, type]) => [key, type]),
    // ggml gives the type of an array's elements apart.
    [...ours.values].map(([key, { type }]) => [key, ggufTypeId(type)]),
  );
  assertEquals(
    theirs.tensors,
    ours.tensors.map(({ name, dtype, offset, byteLength }) => ({
      name,
      type:
        [...ggmlLayoutsById.values()].find((type) => type.name === dtype)!.id,
      offset,
      byteLength,
    })),
  );
}
