/**
 * The proof on the consumer that searched scales are ordinary bytes: native
 * llama.cpp loads such files. How far its results move is printed, beside those
 * of the reference and of its own search: less error in weights is no promise
 * about them, so that only a bound is asserted.
 */
import { assert, assertEquals } from "@std/assert";
import { ggufFileTypes } from "../../src/files/gguf_types.ts";
import { backend } from "../../src/kernels/engine.ts";
import { run } from "../cli/support.ts";
import { type NativeLlama, openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { openModel } from "../recipes/judge.ts";
import { findMiniLm, writeMiniLm } from "../recipes/minilm.ts";
import { withFolder } from "./temporary_folder.ts";

const llama = await openLlama();
const folder = await findMiniLm();

/** What a model makes of tokens: one row or several. */
type Answer = (
  llama: NativeLlama,
  path: string,
  tokens: Int32Array,
) => Float32Array[];

const answers: Readonly<Record<"llama" | "bert", Answer>> = {
  llama: (llama, path, tokens) => llama.logits(path, tokens),
  bert: (llama, path, tokens) => [llama.embedding(path, tokens)],
};

/** Error as a part of the signal's size. */
function change(expected: Float32Array[], actual: Float32Array[]): number {
  let error = 0, signal = 0;
  for (const [row, values] of expected.entries()) {
    for (const [i, value] of values.entries()) {
      error += (value - actual[row][i]) ** 2;
      signal += value ** 2;
    }
  }
  return Math.sqrt(error / signal);
}

/** Weights of 1 for every matrix: what native searches by where nothing is known of importance. */
async function evenWeights(path: string) {
  const { tensors, source } = await openModel(path);
  await source.close();
  return new Map(
    tensors.filter(({ shape }) => shape.length > 1).map(({ name, shape }) => [
      name,
      new Float32Array(shape[shape.length - 1]).fill(1),
    ]),
  );
}

async function proveOn(
  kind: "llama" | "bert",
  format: string,
  source: string,
  inFolder: (name: string) => string,
): Promise<void> {
  const tokens = llama!.tokenize(source, "the zebra is a horse in stripes");
  const answer = (path: string) => answers[kind](llama!, path, tokens);
  const float = answer(source), told: string[] = [];
  for (const search of ["reference", "optimal"]) {
    const path = inFolder(`${search}.gguf`);
    const flags = ["--format", format, "--search", search];
    const kept = ["--skip", "position_embd*", "--skip", "token_types*"];
    const { code, err } = await run(
      ...["quantize", source, "-o", path, ...flags],
      ...(kind === "bert" ? kept : []),
    );
    assertEquals(code, 0, err);
    const moved = change(float, answer(path));
    assert(moved > 0 && moved < 0.5, `${format} ${search} ${moved}`);
    told.push(`${search} ${moved.toFixed(4)}`);
  }
  const path = inFolder("native.gguf");
  llama!.quantize(source, path, ggufFileTypes.get(format)!, {
    pure: true,
    importance: await evenWeights(source),
  });
  told.push(`native search ${change(float, answer(path)).toFixed(4)}`);
  console.log(`${kind} in ${format}, change of results: ${told.join(", ")}`);
}

for (const format of ["q4_0", "iq4_nl"]) {
  Deno.test(
    `native llama.cpp loads ${format} of searched scales`,
    { ignore: llama === undefined },
    async () => {
      await withFolder(async (inFolder) => {
        const source = inFolder("f32.gguf");
        await writeTinyLlama(source);
        await proveOn("llama", format, source, inFolder);
      });
    },
  );

  Deno.test(
    `native llama.cpp loads MiniLM in ${format} of searched scales`,
    // Twenty million values take minutes in plain JavaScript.
    { ignore: !llama || !folder || backend() !== "wasm" },
    async () => {
      await withFolder(async (inFolder) => {
        const source = inFolder("f32.gguf");
        await writeMiniLm(folder!, source);
        await proveOn("bert", format, source, inFolder);
      });
    },
  );
}
