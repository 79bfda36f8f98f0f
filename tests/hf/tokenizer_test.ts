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
