/** Made-up folders as GGUF: the bytes that llama.cpp's own converter writes. */
import { assertEquals } from "@std/assert";
import { run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import digests from "../vectors/hf/converted.json" with { type: "json" };
import {
  CONVERTED,
  convertedModel,
  convertedTokenizer,
} from "./converter_cases.ts";
import { writeFolder } from "./made_folder.ts";

for (const name of Object.keys(CONVERTED)) {
  Deno.test(`${name}: the GGUF is the converter's, byte for byte`, () =>
    withFolder(async (inFolder) => {
      const folder = inFolder(name), path = inFolder("out.gguf");
      await Deno.mkdir(folder);
      const tokenizer = await convertedTokenizer(name);
      await writeFolder(folder, convertedModel(name), tokenizer);
      const { code, err } = await run("dequantize", folder, "-o", path);
      assertEquals(code, 0, err);
      const bytes = await Deno.readFile(path);
      const digest = await crypto.subtle.digest("SHA-256", bytes);
      assertEquals(
        new Uint8Array(digest).toHex(),
        digests[name as keyof typeof digests],
      );
    }));
}
