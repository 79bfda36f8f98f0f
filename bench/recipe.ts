/**
 * A whole model by a recipe, here and by native llama.cpp, both on one thread and taking turns.
 *
 * `deno run -A bench/recipe.ts [--recipe Q4_K_M] [--dtype F32] [--mib 256] [--rounds 3] [--model FILE]`
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { createFile } from "../src/files/file_sink.ts";
import { recipeOf } from "../src/ggml/recipes.ts";
import type { RecipeName } from "../src/ggml/recipe_mixture.ts";
import { openLlama } from "../tests/peers/llama.ts";
import { openModel } from "../tests/recipes/judge.ts";
import { quantizeGguf } from "../src/files/quantize_gguf.ts";
import {
  layersOf,
  matrix,
  type Model,
  writeModel,
} from "../tests/recipes/models.ts";

const args = parseArgs(Deno.args, {
  string: ["recipe", "dtype", "mib", "rounds", "model"],
  default: { recipe: "Q4_K_M", dtype: "F32", mib: "256", rounds: "3" },
});
const recipe = args.recipe as RecipeName;

/** A llama whose layers take eight mebibytes as float32 for each 2 Mi values. */
function madeUp(mib: number, dtype: string): Model {
  const width = 1024, hidden = 3072, keys = 256;
  const values = width * (2 * width + 2 * keys + 3 * hidden);
  const bytes = dtype === "F32" ? 4 : 2;
  const layers = Math.max(1, Math.round(mib * 2 ** 20 / bytes / values));
  return {
    architecture: "llama",
    layers,
    heads: 8,
    keyHeads: 2,
    tensors: [
      matrix("token_embd", [1024, width], dtype),
      matrix("output", [1024, width], dtype),
      ...layersOf(layers, (of) => [
        matrix(of("attn_norm"), [width]),
        matrix(of("attn_q"), [width, width], dtype),
        matrix(of("attn_k"), [keys, width], dtype),
        matrix(of("attn_v"), [keys, width], dtype),
        matrix(of("attn_output"), [width, width], dtype),
        matrix(of("ffn_gate"), [hidden, width], dtype),
        matrix(of("ffn_up"), [hidden, width], dtype),
        matrix(of("ffn_down"), [width, hidden], dtype),
      ]),
    ],
  };
}

async function seconds(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

const llama = await openLlama();
if (!llama) Deno.exit(1);
const folder = await Deno.makeTempDir();
try {
  const model = args.model ?? `${folder}/model.gguf`;
  if (!args.model) {
    await writeModel(model, madeUp(Number(args.mib), args.dtype));
  }
  const here = `${folder}/here.gguf`, there = `${folder}/there.gguf`;
  const times = { here: [] as number[], there: [] as number[] };
  for (let round = 0; round < Number(args.rounds); round++) {
    times.here.push(
      await seconds(async () => {
        const file = await openModel(model);
        const sink = await createFile(here, { force: true });
        await quantizeGguf(file, sink, recipe);
        await sink.commit();
        await file.source.close();
      }),
    );
    times.there.push(
      await seconds(() =>
        llama.quantize(model, there, recipeOf(recipe).fileType)
      ),
    );
  }
  const size = (await Deno.stat(model)).size;
  const [a, b] = [median(times.here), median(times.there)];
  console.log(
    `${recipe} of ${(size / 2 ** 20).toFixed(0)} MiB of ${args.dtype}: ` +
      `here ${a.toFixed(2)} s, llama.cpp ${b.toFixed(2)} s, ${
        (b / a).toFixed(2)
      }x; ` +
      `peak ${(Deno.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB of both`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
