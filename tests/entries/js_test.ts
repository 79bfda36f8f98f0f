/** What `./js` does alone: this file imports nothing that brings along more. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { backend, dequantize, quantize } from "../../src/entries/js.ts";
import { int4, mlx, q4_0 } from "../../src/entries/js_formats.ts";

const values = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i * i));

/** Squared error of q4_0 by a search. */
function error(search: "reference" | "fast" | "optimal"): number {
  const q = quantize(values, { format: q4_0, search });
  const out = dequantize(q, { format: q4_0 });
  return out.reduce((sum, x, i) => sum + (x - values[i]) ** 2, 0);
}

/** Decodes a tile of int4, which formats with ways of their own leave to the generic way. */
function decodeTile(): Float32Array {
  const options = int4.resolve({}, [4]), out = new Float32Array(4);
  int4.scheme([4], options).decode({
    ...{ matrix: { rows: 1, columns: 4 }, row: 0, rows: 1 },
    ...{ column: 0, columns: 4, codes: Uint8Array.of(7, 8, 9, 10) },
    fields: { scale: Float32Array.of(0.5) },
    memory: (length) => new Float32Array(length),
  }, out);
  return out;
}

/** Where the suite is forced to plain JS, all of the library is loaded before. */
const ignore = Deno.env.get("NIBBLEWISE_BACKEND") === "js";

Deno.test({ name: "./js works without WebAssembly", ignore }, () => {
  assertEquals(backend(), "js");
  const tensors = [
    dequantize(quantize(values, { format: q4_0 }), { format: q4_0 }),
    dequantize(quantize(values, { format: mlx }), { format: mlx }),
  ];
  for (const out of tensors) {
    assert(out.every((x, i) => Math.abs(x - values[i]) < 0.2));
  }
});

Deno.test(
  { name: "searches are refused until they are imported", ignore },
  async () => {
    const reference = error("reference");
    assertThrows(
      () => error("optimal"),
      RangeError,
      'Cannot use search "optimal": searches are apart from formats; import "@nibblewise/nibblewise/searches"',
    );
    assertThrows(decodeTile, Error, 'import "@nibblewise/nibblewise/searches"');
    await import("../../src/entries/js_searches.ts");
    assertEquals([...decodeTile()], [-0.5, 0, 0.5, 1]);
    const optimal = error("optimal");
    assert(optimal < reference && optimal <= error("fast"));
    assertEquals(backend(), "js");
  },
);
