/**
 * Tokenizers of Hugging Face folders, against what the `tokenizers` library makes of texts.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseJson } from "../../src/files/json.ts";
import { Effort } from "../../src/hf/tokenizer/effort.ts";
import { Encoder } from "../../src/hf/tokenizer/encoder.ts";
import { objectOf } from "../../src/hf/tokenizer/fields.ts";
import { tokenizerValues } from "../../src/hf/tokenizer/mod.ts";
import { compilePattern } from "../../src/hf/tokenizer/pattern.ts";
import { readVocabulary } from "../../src/hf/tokenizer/vocabulary.ts";

const vectors = new URL("../vectors/hf/", import.meta.url);
const read = (name: string) => Deno.readTextFile(new URL(name, vectors));

interface Encodings {
  readonly texts: readonly string[];
  readonly tokenizers: readonly {
    readonly name: string;
    readonly ids: readonly (readonly number[])[];
  }[];
}
const encodings: Encodings = JSON.parse(await read("encodings.json"));

for (const { name, ids } of encodings.tokenizers) {
  Deno.test(`${name} encodes as the tokenizers library does`, async () => {
    const json = objectOf(
      parseJson(await read(`${name}.tokenizer.json`)),
      name,
    );
    const encoder = new Encoder(json, readVocabulary(json, undefined));
    for (const [i, text] of encodings.texts.entries()) {
      assertEquals(encoder.encode(text), ids[i], JSON.stringify(text));
    }
  });
}

/** A folder in memory. */
const folder = (files: Readonly<Record<string, string>>) => (name: string) =>
  Promise.resolve(
    Object.hasOwn(files, name)
      ? new TextEncoder().encode(files[name])
      : undefined,
  );

const tiny = (vocab: string, more = "") =>
  `{"added_tokens": [], "model": {"type": "BPE", "vocab": ${vocab}, "merges": []}${more}}`;
const values = (tokenizer: string, pre?: string, vocabSize = 4) =>
  tokenizerValues(folder({ "tokenizer.json": tokenizer }), {
    architecture: "qwen2",
    vocabSize,
    pre,
  });

Deno.test("holes are filled, and a key of JavaScript's own is a token like any other", async () => {
  const found = await values(tiny('{"__proto__": 0, "b": 2}'), "qwen2");
  assertEquals(found.get("tokenizer.ggml.tokens")!.value, [
    "__proto__",
    "[PAD1]",
    "b",
    "[PAD3]",
  ]);
  assertEquals(found.get("tokenizer.ggml.token_type")!.value, [1, 5, 1, 5]);
});

Deno.test("a vocabulary that contradicts itself is refused", async () => {
  await values(tiny('{"a": 0, "b": 1}'), "qwen2");
  await assertRejects(
    () => values(tiny('{"a": 0, "b": 0}'), "qwen2"),
    RangeError,
    'tokens "a" and "b" have one id, 0',
  );
  await assertRejects(
    () => values(tiny('{"a": 0, "b": 4}'), "qwen2"),
    RangeError,
    '"b" has the id 4',
  );
  await assertRejects(
    () => values(tiny('{"a": 0.5}'), "qwen2"),
    SyntaxError,
    "0.5, not a whole number",
  );
  await assertRejects(
    () => values(tiny('{"a": 0}'), "qwen2", 2 ** 31),
    RangeError,
    "vocab_size",
  );
});

Deno.test("a pre-tokenizer that is not known is refused with its hash, and taken by name", async () => {
  await assertRejects(
    () => values(tiny('{"a": 0}')),
    RangeError,
    "--tokenizer-pre",
  );
  const found = await values(tiny('{"a": 0}'), "llama-bpe");
  assertEquals(found.get("tokenizer.ggml.pre")!.value, "llama-bpe");
});

Deno.test("regular expressions: possessive and lazy repeats, looks, cases", () => {
  const find = (source: string, text: string) =>
    compilePattern(source, new Effort())(text).map(([a, b]) =>
      text.slice(a, b)
    );
  assertEquals(find("a++a|a+", "aaa"), ["aaa"]);
  assertEquals(find("a+?", "aa"), ["a", "a"]);
  assertEquals(find("(?i:'S)", "'s'S'x"), ["'s", "'S"]);
  assertEquals(find(String.raw`(?<!x)a(?=b)`, "xab ab ac"), ["a"]);
  assertEquals(find(String.raw`\d{1,3}(?=(\d{3})*$)`, "1234567"), [
    "1",
    "234",
    "567",
  ]);
  assertThrows(() => find(String.raw`(a)\1`, "aa"), SyntaxError, "\\1");
});

Deno.test("a regular expression that backtracks without end is an error", () => {
  const find = compilePattern("(a|a)*b", new Effort());
  assertEquals(find("aaab"), [[0, 4]]);
  assertThrows(() => find("a".repeat(60)), RangeError, "steps");
});

/** A piece of SentencePiece: its text, score and type. */
function piece(text: string, score: number, type: number): number[] {
  const bytes = new TextEncoder().encode(text);
  const float = new Uint8Array(Float32Array.of(score).buffer);
  const body = [10, bytes.length, ...bytes, 21, ...float, 24, type];
  return [10, body.length, ...body];
}

const spm = [
  ...piece("<unk>", 0, 2),
  ...piece("<s>", 0, 3),
  ...piece("<0x0A>", 0, 6),
  ...piece("\u2581a", -1.5, 1),
  ...piece("own", -2, 4),
];

const pieces = (model: readonly number[], vocabSize = 8) => {
  const texts = folder({
    "added_tokens.json": '{"<extra>": 5}',
    "tokenizer_config.json":
      '{"added_tokens_decoder": {"6": {"content": "\u2581\u2581", "special": false}, "1": {"content": "<s>", "special": true}}}',
  });
  return tokenizerValues(
    (name) =>
      name === "tokenizer.model"
        ? Promise.resolve(Uint8Array.from(model))
        : texts(name),
    { architecture: "llama", vocabSize },
  );
};

Deno.test("tokenizer.model: tokens, scores and types, with what other files add", async () => {
  const found = await pieces(spm);
  const get = (name: string) => found.get(`tokenizer.ggml.${name}`)!.value;
  assertEquals(get("model"), "llama");
  assertEquals(get("pre"), "default");
  assertEquals(get("tokens"), [
    "<unk>",
    "<s>",
    "<0x0A>",
    "\u2581a",
    "own",
    "<extra>",
    "  ",
    "[PAD7]",
  ]);
  assertEquals(get("scores"), [0, -1000, 0, -1.5, -2, -1000, -1000, -10000]);
  assertEquals(get("token_type"), [2, 3, 6, 1, 1, 4, 4, 5]);
});

Deno.test("tokenizer.model: what is beyond the model's vocabulary is left out", async () => {
  const found = await pieces(spm, 3);
  assertEquals(found.get("tokenizer.ggml.tokens")!.value, [
    "<unk>",
    "<s>",
    "<0x0A>",
  ]);
});

Deno.test("a tokenizer.model that is cut or empty is refused by its name", async () => {
  await pieces(spm);
  await assertRejects(
    () => pieces(spm.slice(0, -1)),
    SyntaxError,
    "Cannot read tokenizer.model",
  );
  await assertRejects(() => pieces([]), SyntaxError, "it has no pieces");
});

Deno.test("signs for spaces and tokens of bytes without tokenizer.model make a llama vocabulary", async () => {
  const tokenizer = await read("bpe_signs.tokenizer.json");
  const files = { "tokenizer.json": tokenizer };
  const vocabSize = 302;
  const found = await tokenizerValues(folder(files), {
    architecture: "llama",
    vocabSize,
  });
  assertEquals(found.get("tokenizer.ggml.model")!.value, "llama");
  const other = await tokenizerValues(folder(files), {
    architecture: "qwen2",
    vocabSize,
    pre: "default",
  });
  assertEquals(other.get("tokenizer.ggml.model")!.value, "gpt2");
});
