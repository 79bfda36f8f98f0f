/** Unigram tokenizers: what is read of their files, and what is refused. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { tokenizerValues } from "../../src/hf/tokenizer/mod.ts";

type Files = Readonly<Record<string, Uint8Array | object>>;

/** The values of a tokenizer of some files. */
const valuesOf = (files: Files, vocabSize = 5) =>
  tokenizerValues((name) => {
    const file = Object.hasOwn(files, name) ? files[name] : undefined;
    if (file === undefined || file instanceof Uint8Array) {
      return Promise.resolve(file);
    }
    return Promise.resolve(new TextEncoder().encode(JSON.stringify(file)));
  }, { architecture: "bert", unigram: true, vocabSize });

/** A field of bytes. */
const field = (number: number, bytes: readonly number[]) => [
  ...[8 * number + 2, bytes.length],
  ...bytes,
];
const piece = (text: string, type: number) => {
  const score = new Uint8Array(Float32Array.of(-1.5).buffer);
  const bytes = [...new TextEncoder().encode(text)];
  return field(1, [...field(1, bytes), 21, ...score, 24, type]);
};
/** A table of characters: the bytes of its first part, that part, and its second. */
const CHARSMAP = [4, 0, 0, 0, 1, 2, 3, 4, 97, 0];
const PIECES = [
  ...[piece("<unk>", 2), piece("<s>", 3), piece("</s>", 3)],
  ...[piece("\u2581a", 1), piece("own", 4)],
].flat();
const model = (...fields: readonly (readonly number[])[]) => ({
  "sentencepiece.bpe.model": Uint8Array.from([...PIECES, ...fields.flat()]),
});

Deno.test("sentencepiece.bpe.model: tokens are one further, and settings are its own", async () => {
  const normalizer = field(3, [...field(2, CHARSMAP), 24, 0, 32, 0]);
  const found = await valuesOf(model(normalizer), 8);
  const get = (name: string) => found.get(`tokenizer.ggml.${name}`)?.value;
  assertEquals(get("model"), "t5");
  assertEquals(get("pre"), "default");
  const first = ["<s>", "<pad>", "</s>", "<unk>"];
  const rest = ["\u2581a", "own", "[PAD5]", "[PAD6]"];
  assertEquals(get("tokens"), [...first, ...rest]);
  assertEquals(get("scores"), [0, 0, 0, 0, -1.5, -1.5, -10000, -10000]);
  assertEquals(get("token_type"), [3, 3, 3, 2, 1, 1, 5, 5]);
  assertEquals(get("add_space_prefix"), false);
  assertEquals(get("remove_extra_whitespaces"), false);
  assertEquals(get("precompiled_charsmap"), CHARSMAP);
});

Deno.test("sentencepiece.bpe.model: what it does not say is what SentencePiece takes", async () => {
  const found = await valuesOf(model());
  const get = (name: string) => found.get(`tokenizer.ggml.${name}`)?.value;
  assertEquals(get("add_space_prefix"), true);
  assertEquals(get("remove_extra_whitespaces"), true);
  assertEquals(get("precompiled_charsmap"), undefined);
});

const refusedModels: readonly (readonly [string, Files, RegExp])[] = [
  ["of byte pairs", model(field(2, [24, 2])), /of the kind 2; only 1, Unigram/],
  ["with a token twice", model(piece("own", 1)), /4 and 5 are both "own"/],
  [
    "with a table that is cut",
    model(field(3, field(2, CHARSMAP.slice(0, 8)))),
    /table of characters is cut: it takes 8 bytes/,
  ],
  [
    "with a table of no size",
    model(field(3, field(2, [9]))),
    /cut: it takes 1/,
  ],
  ["with a number for a piece", model([8, 1]), /field 1 .* kind 0, not 2/],
  ["with a text for a flag", model(field(3, field(4, []))), /kind 2, not 0/],
  ["that is cut", model([26, 9]), /takes 9 bytes/],
];
for (const [what, files, message] of refusedModels) {
  Deno.test(`a sentencepiece.bpe.model ${what} is refused`, async () => {
    await valuesOf(model());
    const error = await assertRejects(() => valuesOf(files));
    assertMatch(String(error), /Cannot read sentencepiece\.bpe\.model/);
    assertMatch(String(error), message);
  });
}

const VOCAB = [["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["a", -1]];
const table = (bytes: readonly number[]) => ({
  type: "Precompiled",
  precompiled_charsmap: btoa(String.fromCharCode(...bytes)),
});
const json = (more: object = {}, unigram: object = {}) => ({
  "tokenizer.json": {
    added_tokens: [],
    normalizer: table(CHARSMAP),
    model: { type: "Unigram", unk_id: 3, vocab: VOCAB, ...unigram },
    ...more,
  },
});

Deno.test("tokenizer.json of Unigram: its table, alone or beside what drops white space", async () => {
  const spaces = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };
  for (
    const normalizer of [
      table(CHARSMAP),
      { type: "Sequence", normalizers: [table(CHARSMAP), spaces] },
    ]
  ) {
    const found = await valuesOf(json({ normalizer }), 6);
    const get = (name: string) => found.get(`tokenizer.ggml.${name}`)?.value;
    assertEquals(get("precompiled_charsmap"), CHARSMAP);
    assertEquals(get("token_type"), [3, 3, 3, 2, 1, 5]);
    assertEquals(get("remove_extra_whitespaces"), false);
  }
});

const CLASS = (name: string) => ({
  "tokenizer_config.json": { tokenizer_class: name },
});

const refusedJson: readonly (readonly [string, Files, RegExp])[] = [
  [
    "of WordPiece",
    json({}, { type: "WordPiece" }),
    /model\.type is "WordPiece"; .* Unigram/,
  ],
  ["without a table", json({ normalizer: null }), /normalizer is null/],
  [
    "with another normalizer",
    json({ normalizer: { type: "Lowercase" } }),
    /kind "Lowercase", which llama\.cpp does not have/,
  ],
  [
    "with two tables",
    json({
      normalizer: {
        type: "Sequence",
        normalizers: [table(CHARSMAP), table(CHARSMAP)],
      },
    }),
    /2 parts of the kind "Precompiled", not one/,
  ],
  [
    "with a table that is cut",
    json({ normalizer: table(CHARSMAP.slice(0, 8)) }),
    /table of characters is cut/,
  ],
  [
    "with a table in no base64",
    json({ normalizer: { type: "Precompiled", precompiled_charsmap: "?" } }),
    /no base64/,
  ],
  [
    "with a token twice",
    json({}, { vocab: [...VOCAB, ["a", 0]] }),
    /4 and 5 are both "a"/,
  ],
  [
    "with a score that is no float32",
    json({}, { vocab: [["a", 1e39]] }),
    /model\.vocab\[0\]\[1\] is no number that float32 holds/,
  ],
  ["with ids for scores", json({}, { vocab: { a: 1 } }), /not a list/],
  [
    "with an id of no token",
    json({}, { unk_id: -1 }),
    /model\.unk_id is -1, not a whole number/,
  ],
  [
    "of another class",
    { ...json(), ...CLASS("T5Tokenizer") },
    /tokenizer_class is "T5Tokenizer"/,
  ],
];
for (const [what, files, message] of refusedJson) {
  Deno.test(`a Unigram tokenizer.json ${what} is refused`, async () => {
    await valuesOf({ ...json(), ...CLASS("XLMRobertaTokenizer") });
    const error = await assertRejects(() => valuesOf(files));
    assertMatch(String(error), message);
  });
}

Deno.test("a folder of neither file is refused", async () => {
  await assertRejects(
    () => valuesOf({}),
    RangeError,
    "neither sentencepiece.bpe.model nor tokenizer.json",
  );
});
