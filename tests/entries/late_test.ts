/** What `./core` does with formats that come without kernels first: this file imports nothing that brings along more. */
import { assert, assertEquals } from "@std/assert";
import { backend, dequantize, quantize } from "../../src/entries/core.ts";
import { gptq, mlx, nf4 } from "../../src/entries/js_formats.ts";
import { roomInstance } from "../../src/kernels/arena.ts";

const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * i));

/** Bytes and values of formats of the generic way. */
function results(): unknown[] {
  return [gptq, mlx, nf4].map((format) => {
    const q = quantize(values, { format, shape: [16, 256] } as never);
    return [q, dequantize(q, { format } as never)];
  });
}

Deno.test({
  name:
    "formats without their kernels work in plain JS, and with them once they come",
  // Where the suite is forced to plain JS, all of the library is loaded before.
  ignore: Deno.env.get("NIBBLEWISE_BACKEND") === "js",
}, async () => {
  const has = (name: string) =>
    roomInstance(values).kernels[name] !== undefined;
  assertEquals(backend(), "wasm");
  assert(has("magnitude") && !has("tile_check"));
  const plain = results();
  await import("../../src/entries/formats.ts");
  assert(has("tile_check") && has("tile_encode_steps"));
  assertEquals(results(), plain);
});
