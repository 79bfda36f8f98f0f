/** What `./core` does alone: this file imports nothing that brings along more. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { backend, dequantize, quantize } from "../../src/entries/core.ts";
import { nf4, q4_0 } from "../../src/entries/formats.ts";
import { q4_0 as plain } from "../../src/entries/js_formats.ts";
import {
  type KernelModule,
  Q4_0_KERNELS,
  SCALES_KERNELS,
} from "../../src/kernels/modules.ts";

const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * i));

function isHere({ hex }: KernelModule): boolean {
  return hex !== undefined;
}

/** Where the suite is forced to plain JS, all of the library is loaded before. */
const ignore = Deno.env.get("NIBBLEWISE_BACKEND") === "js";

Deno.test({
  name: "./core has WebAssembly, and ./formats that of its formats",
  ignore,
}, () => {
  assertEquals(backend(), "wasm");
  assert(isHere(Q4_0_KERNELS));
  assertEquals(q4_0, plain);
  const q = quantize(values, { format: q4_0 });
  const judge = new Uint8Array(q.parts.blocks.data.length);
  q4_0.reference.quantize(values, [4096], {}, {
    blocks: { dtype: "U8", shape: [judge.length], data: judge },
  });
  assertEquals(q.parts.blocks.data, judge);
  const out = dequantize(quantize(values, { format: nf4 }), { format: nf4 });
  assert(out.every((x, i) => Math.abs(x - values[i]) < 0.2));
});

Deno.test({
  name: "searches come with their kernels, once they are imported",
  ignore,
}, async () => {
  const search = () => quantize(values, { format: q4_0, search: "fast" });
  assertThrows(search, RangeError, "searches are apart from formats");
  assert(!isHere(SCALES_KERNELS));
  await import("../../src/entries/searches.ts");
  assert(isHere(SCALES_KERNELS));
  assert(search().parts.blocks.data.length > 0);
});
