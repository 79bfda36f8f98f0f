/** The recipes on a real model, whole files byte for byte. */
import { assertEquals } from "@std/assert";
import type { RecipeName } from "../../src/ggml/recipe_list.ts";
import { backend } from "../../src/kernels/engine.ts";
import { recipes } from "../../src/ggml/recipe_list.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { judge } from "./judge.ts";
import { findMiniLm, writeMiniLm } from "./minilm.ts";

const llama = await openLlama();
const folder = await findMiniLm();
const ignore = llama === undefined || folder === undefined;

// The search of scales takes minutes in plain JavaScript; small models prove it there.
const judged: readonly RecipeName[] = backend() === "wasm"
  ? [...recipes.keys()]
  : ["Q4_0"];

for (const recipe of judged) {
  Deno.test(
    `${recipe} of MiniLM is the file that llama.cpp makes`,
    { ignore },
    async () => {
      await withFolder(async (inFolder) => {
        const path = inFolder("minilm.gguf");
        await writeMiniLm(folder!, path);
        const types = await judge(llama!, path, recipe);
        assertEquals(types.size, 101);
        assertEquals(types.get("position_embd.weight"), "F32");
      });
    },
  );
}
