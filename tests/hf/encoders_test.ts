/** Made-up folders of encoders as GGUF: llama.cpp parts texts and makes vectors as transformers does. */
import { assert, assertEquals } from "@std/assert";
import { run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import encodings from "../vectors/hf/unigram.encodings.json" with {
  type: "json",
};
import { encoderMean } from "./encoder_oracle.ts";
import { madeEncoderConfig, madeModel, writeFolder } from "./made_folder.ts";

const llama = await openLlama();
/** llama.cpp's gelu is the approximation by tanh, in sixteen bits. */
const TOLERANCE = 0.001;

const file = (name: string) =>
  Deno.readFile(new URL(`../vectors/hf/unigram.${name}`, import.meta.url));
const json = {
  "tokenizer.json": await file("tokenizer.json"),
  "tokenizer_config.json": await file("tokenizer_config.json"),
};
const both = {
  ...json,
  "sentencepiece.bpe.model": await file("sentencepiece.bpe.model"),
};
/** The position of a text's first token: XLM-RoBERTa's are behind the id of the padding. */
const cases = [
  ["XLMRobertaModel", 2, "sentencepiece.bpe.model", both],
  ["XLMRobertaModel", 2, "tokenizer.json", json],
  ["BertModel", 0, "sentencepiece.bpe.model", both],
  ["BertModel", 0, "tokenizer.json", json],
] as const;
const POOLING = {
  "modules.json": [{ type: "sentence_transformers.Pooling", path: "Pooling" }],
};

for (const [name, first, source, tokenizer] of cases) {
  Deno.test(
    `${name} with ${source}: llama.cpp's tokens and vectors are transformers'`,
    { ignore: llama === undefined },
    () =>
      withFolder(async (inFolder) => {
        const folder = inFolder("model"), path = inFolder("model.gguf");
        await Deno.mkdir(`${folder}/Pooling`, { recursive: true });
        await Deno.writeTextFile(
          `${folder}/Pooling/config.json`,
          '{"pooling_mode_mean_tokens": true}',
        );
        const model = madeModel(madeEncoderConfig(name, {
          ...{ vocab_size: 111, bos_token_id: 0, eos_token_id: 2 },
          pad_token_id: 1,
        }));
        await writeFolder(folder, model, { ...tokenizer, ...POOLING });
        const outcome = await run("dequantize", folder, "-o", path);
        assertEquals(outcome.code, 0, outcome.err);
        for (const [i, text] of encodings.texts.entries()) {
          const tokens = [...llama!.tokenize(path, text)];
          assertEquals(tokens, encodings.ids[i], JSON.stringify(text));
        }
        const tokens = encodings.ids[0];
        const vector = llama!.embedding(path, Int32Array.from(tokens));
        const wanted = encoderMean(model, tokens, first);
        const largest = Math.max(...wanted.map(Math.abs));
        for (const [at, value] of vector.entries()) {
          const off = Math.abs(value - wanted[at]) / largest;
          assert(off < TOLERANCE, `value ${at} is off by ${off}`);
        }
      }),
  );
}
