import { assert, assertRejects } from "@std/assert";
import { openGguf } from "../../src/files/gguf_read.ts";
import { metadataTwins } from "./gguf_metadata_twins.ts";
import { strangerTwins, tensorTwins } from "./gguf_tensor_twins.ts";
import { SparseSource } from "./gguf_support.ts";

for (
  const { title, bad, badSize, error, says, good } of [
    ...metadataTwins,
    ...tensorTwins,
    ...strangerTwins,
  ]
) {
  Deno.test(`refuses ${title}, and reads its twin`, async () => {
    const source = new SparseSource(bad, badSize);
    const thrown = await assertRejects(() => openGguf(source), error, says);
    assert(
      thrown.message.startsWith("Cannot read test.gguf as GGUF: "),
      thrown.message,
    );
    assert(!thrown.message.endsWith("."), thrown.message);
    assert(source.largestRead <= 64 * 1024, `a read of ${source.largestRead}`);
    await openGguf(new SparseSource(good));
  });
}
