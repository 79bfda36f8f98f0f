/**
 * A folder as Hugging Face publishes it, where a GGUF is written: its model as llama.cpp knows it.
 *
 * @module
 */
import type { EncodedDtype } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import type { Call, Flag } from "./command.ts";
import type { OutputContainer } from "./output.ts";

/** The flag that names a pre-tokenizer which cannot be told by its hash. */
export const TOKENIZER_FLAG: Flag = {
  name: "tokenizer-pre",
  takes: "NAME",
  help:
    "of a folder to .gguf: llama.cpp's name of the pre-tokenizer, where it is not known by its hash",
};

/**
 * The file as the output wants it: of a folder that names its architecture, the model
 * under llama.cpp's names, unless tensors are renamed by hand.
 *
 * @param call The call; may know `--rename`.
 * @param file The input.
 * @param container What is written.
 * @param dtype What matrices become, where the call says.
 * @returns The model, or the file itself.
 */
export async function asModel(
  call: Call,
  file: TensorFile,
  container: OutputContainer,
  dtype?: EncodedDtype,
): Promise<TensorFile> {
  const { checkpoint } = file;
  if (container !== "gguf" || !checkpoint || call.has("rename")) return file;
  // Only who converts a folder loads the families and tokenizers.
  const { namesArchitecture, openModel } = await import("../hf/model.ts");
  const pre = call.get("tokenizer-pre");
  return await namesArchitecture(checkpoint)
    ? await openModel({ ...file, checkpoint }, { dtype, pre })
    : file;
}
