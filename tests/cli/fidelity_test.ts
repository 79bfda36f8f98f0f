// What searches gain is told: by quantize for each tensor, by `formats --fidelity` for all formats.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "@std/assert";
import { compare } from "../../src/compare.ts";
import { formats } from "../../src/formats.ts";
import { dequantize, quantize } from "../../src/quantize.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { json, run, weightLike, writeNpy } from "./support.ts";

const SHAPE = [64, 96];
const weights = weightLike(64, 96);

/** Decibels of the library's own. */
function sqnrOf(options: object): number {
  const given = { shape: SHAPE, ...options } as object as { format: "int4" };
  return compare(weights, dequantize(quantize(weights, given))).sqnr;
}

Deno.test("quantize tells what a search gains over the reference, on each tensor", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, SHAPE);
    const flags = ["-o", path("q.safetensors"), "--force", "--format"];
    for (const format of ["q4_0", "nvfp4_modelopt", "int4"]) {
      const call = ["quantize", path("w.npy"), ...flags, format];
      const { tensors: [tensor] } = await json(...call, "--search", "optimal");
      const best = sqnrOf({ format, search: "optimal" });
      assertAlmostEquals(tensor.sqnr, best, 1e-6);
      assertAlmostEquals(tensor.gained, best - sqnrOf({ format }), 1e-6);
      assert(tensor.gained > 0.2);
      const { out } = await run(...call, "--search", "optimal");
      assertStringIncludes(out, `+${tensor.gained.toFixed(2)}`);
      // Nothing is said of it where nothing is searched.
      const plain = await json(...call);
      assertEquals("gained" in plain.tensors[0], false);
    }
  });
});

Deno.test("formats --fidelity tells what every format and search keeps of a tensor", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, SHAPE);
    const report = await json("formats", "--fidelity", path("w.npy"));
    assertEquals([report.tensor, report.sample], ["w", SHAPE]);
    const told = new Set<string>(report.unfit);
    for (const { format, options, search, sqnr } of report.results) {
      told.add(format);
      if (Object.keys(options).length > 0) continue;
      // A format without a search has no such option.
      const asked = search === "reference" ? {} : { search };
      assertAlmostEquals(sqnr, sqnrOf({ format, ...asked }), 1e-6, format);
    }
    assertEquals([...told].sort(), [...formats.keys()].sort());
    const q4_0 = report.results.filter(({ format }: { format: string }) =>
      format === "q4_0"
    );
    assertEquals(
      q4_0.map(({ search }: { search: string }) => search),
      ["reference", "fast", "optimal"],
    );
    const { out } = await run("formats", "--fidelity", path("w.npy"));
    assertStringIncludes(out, q4_0[2].sqnr.toFixed(2));
    assertStringIncludes(out, "no promise");
  });
});

Deno.test("formats --fidelity refuses what has no values, and flags that need it", async () => {
  await withFolder(async (path) => {
    const { code, err } = await run("formats", "--tensors", "w");
    assertEquals(code, 2);
    assertStringIncludes(err, "--fidelity FILE");
    await writeNpy(path("nan.npy"), Float32Array.of(1, NaN), [2]);
    const nan = await run("formats", "--fidelity", path("nan.npy"));
    assertEquals(nan.code, 1);
    assertStringIncludes(nan.err, "value 1 is NaN");
    await writeNpy(path("none.npy"), new Float32Array(), [0]);
    const none = await run("formats", "--fidelity", path("none.npy"));
    assertEquals(none.code, 1);
    assertStringIncludes(none.err, "no values");
  });
});
