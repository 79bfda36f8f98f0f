/** What recipes decide, without a native judge: each rule once, each refusal with what is accepted beside it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  inRecipeOrder,
  planRecipe,
  type RecipeModel,
  type RecipeOptions,
  type RecipeTensor,
  whyKept,
} from "../../src/ggml/mod.ts";

const model: RecipeModel = {
  architecture: "llama",
  layers: 8,
  experts: 0,
  heads: 8,
  keyHeads: 2,
};

const tensor = (
  name: string,
  shape = [4, 256],
  dtype = "F32",
): RecipeTensor => ({
  name: `${name}.weight`,
  dtype,
  shape,
});

/** The type of the last tensor. */
function typeOf(
  tensors: readonly RecipeTensor[],
  options: RecipeOptions,
  of: Partial<RecipeModel> = {},
): string {
  return planRecipe({ ...model, ...of }, tensors, options).at(-1)!.type;
}

Deno.test("tensors are ordered by layer, then by the bytes of their names", () => {
  const names = [
    "output",
    "blk.10.a",
    "blk.2.b",
    "blk.2.a",
    "\u{1F600}",
    "\uFFFD",
    "blk.x",
    "A",
  ];
  assertEquals(
    inRecipeOrder(names.map((name) => ({ name }))).map(({ name }) => name),
    [
      "A",
      "blk.x",
      "output",
      "\uFFFD",
      "\u{1F600}",
      "blk.2.a",
      "blk.2.b",
      "blk.10.a",
    ],
  );
});

Deno.test("norms, routers, positions and single axes are kept, and nothing beside them", () => {
  for (
    const name of [
      "a_norm",
      "blk.0.ffn_gate_inp",
      "position_embd",
      "token_types",
      "blk.0.ssm_conv1d",
    ]
  ) assert(whyKept(tensor(name)), name);
  assert(whyKept({ name: "a.weight", shape: [1, 256] }));
  assert(whyKept({ name: "blk.0.attn_q.bias", shape: [2, 256] }));
  for (
    const name of [
      "a_norms",
      "blk.0.ffn_gate",
      "token_embd",
      "x.token_types",
      "abcde",
    ]
  ) {
    assertEquals(whyKept(tensor(name)), undefined, name);
  }
});

Deno.test("the embedding is the output where there is no other", () => {
  const [embedding, output] = [tensor("token_embd"), tensor("output")];
  const recipe = "Q4_K_M";
  assertEquals(typeOf([embedding], { recipe }), "Q6_K");
  assertEquals(typeOf([output, embedding], { recipe }), "Q4_K");
  assertEquals(typeOf([embedding], { recipe, outputType: "Q5_0" }), "Q5_0");
  assertEquals(
    typeOf([output, embedding], { recipe, outputType: "Q5_0" }),
    "Q4_K",
  );
  assertEquals(
    typeOf([embedding], { recipe, outputType: "Q5_0", embeddingType: "Q8_0" }),
    "Q8_0",
  );
  assertEquals(
    typeOf([output], { recipe }, { architecture: "falcon" }),
    "Q8_0",
  );
});

Deno.test("a model of 80 layers gives values more bits, if it is of the kind", () => {
  const values = [0, 1].map((i) => tensor(`blk.${i}.attn_v`));
  const five = [...values, ...[2, 3, 4].map((i) => tensor(`blk.${i}.attn_v`))];
  const options = { recipe: "Q4_K_S" } as const;
  assertEquals(typeOf(five, options, { layers: 80 }), "Q5_K");
  assertEquals(typeOf(five, options, { layers: 80, keyHeads: 8 }), "Q4_K");
  assertEquals(
    typeOf(five, options, { layers: 80, architecture: "qwen2", keyHeads: 8 }),
    "Q5_K",
  );
  assertEquals(typeOf(five, options, { layers: 79 }), "Q4_K");
});

Deno.test("rows that fit nothing are refused; those that fit float16 get that", () => {
  const odd = [tensor("blk.0.attn_q", [4, 100])];
  assertThrows(
    () => typeOf(odd, { recipe: "Q4_0" }),
    RangeError,
    "no multiple of 32",
  );
  assertEquals(typeOf(odd, { recipe: "Q4_K_M" }), "F16");
  assertEquals(
    typeOf([tensor("blk.0.attn_q", [4, 96])], { recipe: "Q4_0" }),
    "Q4_0",
  );
  assertThrows(
    () =>
      typeOf([tensor("token_embd", [4, 96])], {
        recipe: "Q4_0",
        embeddingType: "Q4_K",
      }),
    RangeError,
    "multiple of 256",
  );
});

Deno.test("types that are not known or not written are refused", () => {
  const one = [tensor("blk.0.attn_q")];
  const overrides = (type: string) => [{ pattern: /attn/, type }];
  assertThrows(
    () => typeOf(one, { recipe: "Q4_0", overrides: overrides("Q9_0") }),
    RangeError,
    "Q9_0",
  );
  assertThrows(
    () => typeOf(one, { recipe: "Q4_0", overrides: overrides("Q2_K") }),
    RangeError,
    "can be written as",
  );
  assertEquals(
    typeOf(one, { recipe: "Q4_0", overrides: overrides("Q6_K") }),
    "Q6_K",
  );
  // What has the type already is left alone.
  const two = [tensor("blk.0.attn_q", [4, 256], "Q2_K")];
  assertEquals(
    typeOf(two, { recipe: "Q4_0", overrides: overrides("Q2_K") }),
    "Q2_K",
  );
});

Deno.test("integers and strangers are no matrices to quantize, unless they stay as they are", () => {
  for (const dtype of ["I32", "F64", "type 144"]) {
    const one = [tensor("blk.0.attn_q", [4, 256], dtype)];
    assertThrows(
      () => typeOf(one, { recipe: "Q4_0" }),
      RangeError,
      "blk.0.attn_q",
    );
  }
  const kept = [{ pattern: /attn_q/, type: "I32" }];
  const one = [tensor("blk.0.attn_q", [4, 256], "I32")];
  assertEquals(typeOf(one, { recipe: "Q4_0", overrides: kept }), "I32");
});

Deno.test("with experts, a name has to tell its layer", () => {
  const options = { recipe: "Q4_K_M" } as const, experts = 4;
  for (const name of ["ffn_down", "blk.8.ffn_up", "blk.-1.ffn_gate"]) {
    assertThrows(
      () => typeOf([tensor(name)], options, { experts }),
      RangeError,
      "layer",
    );
    typeOf([tensor(name)], options);
  }
  assertEquals(
    typeOf([tensor("blk.7.ffn_down")], options, { experts }),
    "Q6_K",
  );
});

Deno.test("an unknown recipe is refused by name", () => {
  const recipe = "Q4_K_L" as "Q4_K_M";
  assertThrows(() => planRecipe(model, [], { recipe }), RangeError, "Q4_K_M");
  assertEquals(planRecipe(model, [], { recipe: "Q4_K_M" }), []);
});
