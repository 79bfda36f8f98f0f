/**
 * Writes the digests of what llama.cpp's converter makes of the folders of
 * tests/hf/converter_cases.ts.
 *
 *     deno run -A tests/vectors/hf/converted_generate.ts PYTHON convert_hf_to_gguf.py
 *
 * @module
 */
import {
  CONVERTED,
  convertedModel,
  convertedTokenizer,
} from "../../hf/converter_cases.ts";
import { writeFolder } from "../../hf/made_folder.ts";

const [python, converter] = Deno.args;
const scratch = await Deno.makeTempDir();
const digests: Record<string, string> = {};
for (const name of Object.keys(CONVERTED)) {
  const folder = `${scratch}/${name}`, output = `${scratch}/${name}.gguf`;
  await Deno.mkdir(folder);
  const tokenizer = await convertedTokenizer(name);
  await writeFolder(folder, convertedModel(name), tokenizer);
  const { success, stderr } = await new Deno.Command(python, {
    args: [converter, folder, "--outfile", output, "--outtype", "f32"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const bytes = await Deno.readFile(output);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  digests[name] = new Uint8Array(digest).toHex();
}
await Deno.remove(scratch, { recursive: true });
await Deno.writeTextFile(
  new URL("converted.json", import.meta.url),
  JSON.stringify(digests, null, 2) + "\n",
);
