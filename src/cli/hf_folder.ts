/**
 * A folder as Hugging Face publishes it, where a GGUF is written: its model as llama.cpp knows it.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { OutputContainer } from "./output.ts";
import { didYouMean } from "./suggest.ts";
import { alternatives } from "./text.ts";

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
 * @throws {UsageError} If a pre-tokenizer is named that the converter does not know, or for anything else than a model.
 */
export async function asModel(
  call: Call,
  file: TensorFile,
  container: OutputContainer,
  dtype?: EncodedDtype,
): Promise<TensorFile> {
  const { checkpoint } = file, pre = call.get(TOKENIZER_FLAG.name);
  if (container === "gguf" && checkpoint && !call.has("rename")) {
    // Only who converts a folder loads the families and tokenizers.
    const { namesArchitecture, openModel } = await import("../hf/model.ts");
    if (await namesArchitecture(checkpoint)) {
      if (pre !== undefined) await checkPre(pre);
      return await openModel({ ...file, checkpoint }, { dtype, pre });
    }
  }
  if (pre === undefined) return file;
  throw new UsageError(
    `Flag --${TOKENIZER_FLAG.name} is for a folder whose config.json names an architecture, written as .gguf without --rename`,
  );
}

async function checkPre(name: string): Promise<void> {
  const { PRE_NAMES } = await import("../hf/tokenizer/pre_names.ts");
  if (PRE_NAMES.includes(name)) return;
  throw new UsageError(
    `Flag --${TOKENIZER_FLAG.name} cannot be ${printable(name)}: ${
      didYouMean(name, PRE_NAMES, `it is one of ${alternatives(PRE_NAMES)}`)
    }`,
  );
}
