/** Folders as GGUF: what is read of them, and what is refused. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { isGguf } from "../../src/files/gguf_read.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { asTheyLie, castTo, interleaved } from "../../src/hf/contents.ts";
import { knownClasses } from "../../src/hf/registry.ts";
import { run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { convertedModel, convertedTokenizer } from "./converter_cases.ts";
import {
  type MadeConfig,
  madeConfig,
  type MadeModel,
  madeModel,
  writeFolder,
} from "./made_folder.ts";

const PRE = ["--tokenizer-pre", "gpt-2"];
const model = madeModel(madeConfig("LlamaForCausalLM"));

/** Quantizes a folder and gives the error, or "" where there is none. */
async function errorOf(
  made: MadeModel,
  flags: readonly string[] = ["--format", "q4_0", ...PRE],
  tokenizer?: Readonly<Record<string, Uint8Array | object>>,
): Promise<string> {
  let error = "";
  await withFolder(async (inFolder) => {
    await Deno.mkdir(inFolder("model"));
    await writeFolder(inFolder("model"), made, tokenizer);
    const to = inFolder("out.gguf");
    const { code, err } = await run(
      "quantize",
      inFolder("model"),
      "-o",
      to,
      ...flags,
    );
    error = code === 0 ? "" : err;
  });
  return error;
}

const withConfig = (more: MadeConfig): MadeModel => ({
  ...model,
  config: { ...model.config, ...more },
});

Deno.test("a folder of a known architecture is quantized", async () => {
  assertEquals(await errorOf(model), "");
});

const refused: readonly (readonly [string, MadeConfig, RegExp])[] = [
  [
    "an unknown architecture",
    { architectures: ["MambaForCausalLM"] },
    /"MambaForCausalLM" is none of BertForMaskedLM.*--rename/,
  ],
  ["more layers", { num_hidden_layers: 4e9 }, /no tensor "model\.layers\.2\./],
  ["heads that do not divide", { num_attention_heads: 3 }, /does not divide/],
  ["other sizes", { intermediate_size: 128 }, /\[96,64\], not \[128,64\]/],
  ["text for a number", { hidden_size: "64" }, /hidden_size is "64", not a/],
  [
    "fewer tokens than embeddings",
    { vocab_size: 300 },
    /is \[257,64\], not \[300,64\]/,
  ],
  [
    "quantized weights",
    { quantization_config: { quant_method: "gptq" } },
    /quantized already.*dequantize/,
  ],
  [
    "an unknown rotation",
    { rope_scaling: { type: "longer", factor: 2 } },
    /rope_type "longer" is none of/,
  ],
];
for (const [what, config, message] of refused) {
  Deno.test(`${what}: refused`, async () => {
    assertMatch(await errorOf(withConfig(config)), message);
  });
}

const encoder = convertedModel("xlm-roberta-json");
const encoderTokenizer = await convertedTokenizer("xlm-roberta-json");
const refusedEncoders: readonly (readonly [string, MadeConfig, RegExp])[] = [
  [
    "a classifier of XLM-RoBERTa",
    { architectures: ["XLMRobertaForSequenceClassification"] },
    /"XLMRobertaForSequenceClassification" is none of .*XLMRobertaModel/,
  ],
  [
    "adapters of XLM-RoBERTa",
    { lora_adaptations: ["retrieval.query"] },
    /lora_adaptations, the adapters of jina-embeddings-v3, .*--rename/,
  ],
  [
    "a padding behind all positions",
    { pad_token_id: 65 },
    /65 is no whole number from 0 that leaves any of 66/,
  ],
  ["a padding between two", { pad_token_id: 0.5 }, /0\.5 is no whole number/],
];
for (const [what, config, message] of refusedEncoders) {
  Deno.test(`${what}: refused`, async () => {
    const error = (more: MadeConfig) =>
      errorOf(
        { ...encoder, config: { ...encoder.config, ...more } },
        ["--format", "q4_0"],
        encoderTokenizer,
      );
    assertEquals(await error({}), "");
    assertMatch(await error(config), message);
  });
}

Deno.test("a tensor that has no name in llama.cpp is refused", async () => {
  const tensors = new Map(model.tensors);
  tensors.set("model.extra.weight", { shape: [1], values: Float32Array.of(1) });
  assertMatch(await errorOf({ ...model, tensors }), /"model\.extra\.weight"/);
});

Deno.test("a pre-tokenizer is one that llama.cpp knows, of a folder of a model", async () => {
  const named = (name: string, ...more: string[]) =>
    errorOf(model, ["--format", "q4_0", "--tokenizer-pre", name, ...more]);
  assertEquals(await named("qwen2"), "");
  assertMatch(await named("qwen-2"), /cannot be qwen-2: did you mean qwen2\?/);
  assertMatch(await named("?"), /cannot be \?: it is one of .*llama-bpe/);
  assertMatch(
    await named("qwen2", "--rename", "^model=own"),
    /without --rename/,
  );
});

Deno.test("a fault of the tokenizer is told with the folder", async () => {
  const error = await errorOf(model, undefined, {
    "vocab.txt": new Uint8Array(),
  });
  assertMatch(error, /Cannot make a GGUF of .*model: .*no tokenizer\.json/);
});

Deno.test("--rename takes the tensors of an unknown architecture", async () => {
  const made = withConfig({ architectures: ["MambaForCausalLM"] });
  const flags = ["--format", "q4_0", "--rename", "^model=own"];
  assertEquals(await errorOf(made, flags), "");
});

Deno.test("the classes that are known are named in order", () => {
  assert(knownClasses().includes("LlamaForCausalLM"));
  assertEquals(knownClasses(), knownClasses().toSorted());
});

Deno.test("a folder is as GGUF what it is at once and in pieces", async () => {
  await withFolder(async (inFolder) => {
    await Deno.mkdir(inFolder("model"));
    await writeFolder(inFolder("model"), model);
    const to = inFolder("out.gguf");
    const call = ["dequantize", inFolder("model"), "-o", to, "--to", "bf16"];
    const { code, err } = await run(...call, ...PRE);
    assertEquals(code, 0, err);
    const file = await openTensorFile(to);
    assert(isGguf(file));
    const dtypes = new Map(
      file.tensors.map(({ name, dtype }) => [name, dtype]),
    );
    assertEquals(dtypes.get("blk.0.attn_q.weight"), "BF16");
    assertEquals(dtypes.get("blk.0.attn_norm.weight"), "F32");
    assertEquals(file.values.get("general.file_type")?.value, 32);
    assertEquals(file.values.get("general.name")?.value, "Model");
    await file.source.close();
  });
});

Deno.test("interleaved rows are the definition's, in pieces of any size", async () => {
  const [heads, headRows, rowBytes] = [3, 6, 5];
  const bytes = Uint8Array.from(
    { length: heads * headRows * rowBytes },
    (_, i) => i,
  );
  const wanted = new Uint8Array(bytes.length);
  for (let row = 0; row < heads * headRows; row++) {
    const head = Math.floor(row / headRows), place = row % headRows;
    const from = head * headRows + (place >> 1) + (place % 2) * headRows / 2;
    const there = bytes.subarray(from * rowBytes, (from + 1) * rowBytes);
    wanted.set(there, row * rowBytes);
  }
  const contents = interleaved(inBytes(bytes), rowBytes, headRows);
  for (let step = 1; step <= bytes.length; step++) {
    assertEquals(await inPieces(contents, bytes.length, step), wanted);
  }
});

Deno.test("norms are summed with one in their own dtype, in pieces of any size", async () => {
  // 2049 is no binary16: torch rounds the sum to 2048, and bfloat16 is summed in float32.
  const halves = new Uint8Array(Uint16Array.of(0x6800, 0x3c00).buffer);

  for (const dtype of ["F16", "BF16"] as const) {
    const entry = { name: "norm", dtype, shape: [2], offset: 0, byteLength: 4 };
    const contents = castTo(inBytes(halves), entry, "F32", 1);
    const whole = await inPieces(contents, 8, 8);
    const sum = new Float32Array(whole.buffer);
    assertEquals(
      sum[0],
      Math.fround(dtype === "F16" ? 2048 : bf16(0x6800) + 1),
    );
    assertEquals(sum[1], dtype === "F16" ? 2 : bf16(0x3c00) + 1);
    for (const step of [1, 2, 3, 5]) {
      assertEquals(await inPieces(contents, 8, step), whole);
    }
  }
});

function bf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0];
}

function inBytes(bytes: Uint8Array) {
  return asTheyLie({
    name: "memory",
    size: bytes.length,
    read(offset, into) {
      into.set(bytes.subarray(offset, offset + into.length));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  }, 0);
}

async function inPieces(
  contents: ReturnType<typeof asTheyLie>,
  size: number,
  step: number,
) {
  const out = new Uint8Array(size);
  for (let at = 0; at < size; at += step) {
    await contents.read(at, out.subarray(at, Math.min(size, at + step)));
  }
  return out;
}
