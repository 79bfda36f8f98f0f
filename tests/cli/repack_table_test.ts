// `formats --repack` tells of each way what `repack` does.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formats } from "../../src/formats.ts";
import { json, run } from "./support.ts";

interface Way {
  readonly format: string;
  readonly sameValues: boolean;
}

Deno.test("formats --repack tells where the numbers of every format can go", async () => {
  const { repack } = await json("formats", "--repack");
  const ways = new Map<string, Way[]>();
  for (const { format, to } of repack) {
    ways.set(format, [...ways.get(format) ?? [], ...to]);
  }
  assertEquals([...ways.keys()].sort(), [...formats.keys()].sort());
  const goes = (from: string, to: string) =>
    ways.get(from)!.some(({ format, sameValues }) =>
      format === to && sameValues
    );
  for (
    const [from, to] of [
      ...[["gptq", "awq"], ["gptq", "matmul_nbits"], ["int4", "tflite"]],
      ...[["q4_0", "matmul_nbits"], ["q4_1", "mlx"], ["mlx", "q4_1"]],
      ...[["mlx", "mxfp4_hf"], ["nvfp4", "nvfp4_modelopt"]],
      ...[["nf4", "matmul_bnb4"], ["matmul_bnb4", "nf4"]],
    ]
  ) {
    assert(goes(from, to), `${from} → ${to}`);
  }
  assert(!goes("q4_k", "int4") && !goes("nf4", "fp4"));
});

Deno.test("formats --repack prints a line for each, and stands alone", async () => {
  const { out } = await run("formats", "--repack");
  for (const name of formats.keys()) {
    assert(out.split("\n").some((line) => line.startsWith(`${name} `)), name);
  }
  const both = await run("formats", "--repack", "--fidelity", "x.npy");
  assertEquals(both.code, 2);
  assertStringIncludes(both.err, "one at a time");
});
