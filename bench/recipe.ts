/**
 * A whole model by a recipe: here and by native llama.cpp, both on one thread, taking turns.
 *
 * `deno run -A bench/recipe.ts [--recipe Q4_K_M] [--dtype F32] [--mib 256] [--rounds 3] [--minilm]`
 *
 * The model is made up, or the real MiniLM. The results are compared byte for byte. Then
 * the way back to floats, beside reading and writing the bytes alone.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { recipeOf } from "../src/ggml/recipe_list.ts";
import type { RecipeName } from "../src/ggml/recipe_list.ts";
import { json } from "../tests/cli/support.ts";
import { openLlama } from "../tests/peers/llama.ts";
import { quantizeHere } from "../tests/recipes/judge.ts";
import { findMiniLm, writeMiniLm } from "../tests/recipes/minilm.ts";
import {
  layersOf,
  matrix,
  type Model,
  writeModel,
} from "../tests/recipes/models.ts";

const args = parseArgs(Deno.args, {
  string: ["recipe", "dtype", "mib", "rounds"],
  boolean: ["minilm"],
  default: { recipe: "Q4_K_M", dtype: "F32", mib: "256", rounds: "3" },
});
const recipe = String(args.recipe) as RecipeName;
const dtype = String(args.dtype);

/** A llama with as many layers as fill so many mebibytes. */
function madeUp(mib: number): Model {
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

async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

const PIECE = 4 * 2 ** 20;

/** What a command cannot do without: reads a file, and writes and syncs one of so many bytes. */
async function moveBytes(
  from: string,
  to: string,
  count: number,
): Promise<void> {
  const piece = new Uint8Array(PIECE).fill(85);
  using source = await Deno.open(from);
  using target = await Deno.create(to);
  while (await source.read(piece) !== null);
  for (let left = count; left > 0;) {
    left -= await target.write(piece.subarray(0, Math.min(PIECE, left)));
  }
  await target.sync();
}

const llama = await openLlama();
const miniLm = args.minilm ? await findMiniLm() : undefined;
if (!llama || (args.minilm && !miniLm)) Deno.exit(1);
const folder = await Deno.makeTempDir();
try {
  const [model, here, there] = ["model", "here", "there"].map((name) =>
    `${folder}/${name}.gguf`
  );
  if (miniLm) await writeMiniLm(miniLm, model);
  else await writeModel(model, madeUp(Number(args.mib)));
  const ours: number[] = [], theirs: number[] = [];
  for (let round = 0; round < Number(args.rounds); round++) {
    ours.push(await seconds(() => quantizeHere(model, here, recipe)));
    theirs.push(
      await seconds(() =>
        llama.quantize(model, there, recipeOf(recipe).fileType)
      ),
    );
  }
  const floats = `${folder}/floats.safetensors`, moved = `${folder}/moved`;
  const flags = ["--to", "f16", "--force", "--quiet"];
  const restoring: number[] = [], moving: number[] = [];
  for (let round = 0; round < Number(args.rounds); round++) {
    restoring.push(
      await seconds(() => json("dequantize", here, "-o", floats, ...flags)),
    );
    const { size } = await Deno.stat(floats);
    moving.push(await seconds(() => moveBytes(here, moved, size)));
  }
  const [a, b] = [await Deno.readFile(here), await Deno.readFile(there)];
  const same = a.length === b.length && a.every((byte, i) => byte === b[i]);
  const size = (await Deno.stat(model)).size / 2 ** 20;
  const [our, their] = [median(ours), median(theirs)];
  console.log(
    `${recipe} of ${size.toFixed(0)} MiB (${miniLm ? "MiniLM" : dtype}): here ${
      our.toFixed(2)
    } s, llama.cpp ${their.toFixed(2)} s, ` +
      `${(their / our).toFixed(2)} times as fast; ${
        same ? "the same bytes" : "OTHER BYTES"
      }`,
  );
  const [restored, alone] = [median(restoring), median(moving)];
  console.log(
    `and back to float16 safetensors: ${restored.toFixed(2)} s, ` +
      `${(restored / alone).toFixed(2)} times reading and writing alone`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
