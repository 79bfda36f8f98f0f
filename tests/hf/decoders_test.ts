/** Made-up folders as GGUF: llama.cpp computes what transformers' definition says. */
import { assert, assertEquals } from "@std/assert";
import { run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { decoderLogits } from "./decoder_oracle.ts";
import {
  type MadeConfig,
  madeConfig,
  madeModel,
  writeFolder,
} from "./made_folder.ts";

const llama = await openLlama();
const TOKENS = [17, 200, 5, 99, 99, 254, 31, 64, 128, 3];
/** llama.cpp keeps keys and values in sixteen bits. */
const TOLERANCE = 0.005;

const models: readonly (readonly [what: string, config: MadeConfig])[] = [
  ["llama with grouped queries and biases", madeConfig("LlamaForCausalLM")],
  [
    "llama with larger heads and tied embeddings",
    madeConfig("LlamaForCausalLM", { head_dim: 32, tie_word_embeddings: true }),
  ],
  ["mistral", madeConfig("MistralForCausalLM", { model_type: "mistral" })],
  ["qwen2", madeConfig("Qwen2ForCausalLM", { rope_theta: 1e6 })],
  ["qwen3", madeConfig("Qwen3ForCausalLM", { head_dim: 32 })],
];

for (const [what, config] of models) {
  Deno.test(
    `${what}: the logits of the folder are those of its GGUF`,
    { ignore: llama === undefined },
    () =>
      withFolder(async (inFolder) => {
        const folder = inFolder("model"), path = inFolder("model.gguf");
        await Deno.mkdir(folder);
        const model = madeModel(config);
        await writeFolder(folder, model);
        const flags = ["--tokenizer-pre", "gpt-2"];
        const outcome = await run("dequantize", folder, "-o", path, ...flags);
        assertEquals(outcome.code, 0, outcome.err);
        const rows = llama!.logits(path, Int32Array.from(TOKENS));
        const wanted = decoderLogits(model, TOKENS);
        const largest = Math.max(
          ...wanted.flatMap((row) => [...row.map(Math.abs)]),
        );
        for (const [at, row] of rows.entries()) {
          for (const [token, logit] of row.entries()) {
            const off = Math.abs(logit - wanted[at][token]) / largest;
            assert(off < TOLERANCE, `token ${token} at ${at} is off by ${off}`);
          }
        }
      }),
  );
}
