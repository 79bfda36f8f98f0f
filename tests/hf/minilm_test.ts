/** The folder of a real BERT: its GGUF gives the vectors of one that is written by hand. */
import { assertEquals } from "@std/assert";
import { run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { findMiniLm, writeMiniLm } from "../recipes/minilm.ts";

const llama = await openLlama();
const folder = await findMiniLm();

Deno.test(
  "the vectors of MiniLM are those of its folder",
  { ignore: llama === undefined || folder === undefined },
  () =>
    withFolder(async (inFolder) => {
      const byHand = inFolder("hand.gguf"), own = inFolder("own.gguf");
      await writeMiniLm(folder!, byHand);
      const { code, err } = await run("dequantize", folder!, "-o", own);
      assertEquals([code, err], [0, ""]);
      const text = "Four bits are enough for many things, naïve as it sounds";
      const tokens = llama!.tokenize(own, text);
      assertEquals(llama!.tokenize(byHand, text), tokens);
      assertEquals(
        llama!.embedding(own, tokens),
        llama!.embedding(byHand, tokens),
      );
    }),
);
