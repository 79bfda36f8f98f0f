// Vectors and columns: the same bytes by kernels and in plain JS, whatever is left over
// of rows and columns.

import { assertEquals } from "@std/assert";
import { dequantize, quantize, useBackend } from "../../mod.ts";
import { backend } from "../../src/kernels/engine.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const SHAPES = [[1, 2], [3, 6], [5, 34], [7, 10], [4, 64], [40, 16], [2, 1102]];

const OPTIONS = [
  { format: "lucene99", similarity: "euclidean" },
  { format: "lucene99", similarity: "dot_product" },
  { format: "lucene99", similarity: "cosine" },
  { format: "faiss_qt4" },
  { format: "faiss_qt4", uniform: true },
  { format: "onnx_uint4", axis: 0, blockSize: 2 },
  { format: "onnx_int4", axis: 1, blockSize: 0, scaleDtype: "F16" },
  { format: "tflite", axis: 1, symmetric: false },
] as const;

/** Values that are hard, those that are one after another alike, zeros of either sign. */
const SETS = {
  ...adversarial(640),
  same: new Float32Array(640).fill(0.3),
  zeros: Float32Array.from({ length: 640 }, (_, i) => i % 3 ? 0 : -0),
  positive: Float32Array.from({ length: 640 }, (_, i) => i % 5 ? i % 7 : -0),
  tiny: Float32Array.from({ length: 640 }, (_, i) => (i % 17) * 1e-44),
  huge: Float32Array.from({ length: 640 }, (_, i) => (i % 17 - 8) * 1e37),
};

Deno.test("ranges, codes, corrections and values of vectors and columns are the same by kernels", () => {
  const before = backend();
  for (const [set, all] of Object.entries(SETS)) {
    for (const shape of SHAPES) {
      const length = shape[0] * shape[1];
      const values = Float32Array.from({ length }, (_, i) => all[i % 640]);
      for (const options of OPTIONS) {
        const [wasm, js] = (["wasm", "js"] as const).map((name) => {
          useBackend(name);
          const q = quantize(values, {
            ...options,
            shape,
            nonFinite: "clamp",
          });
          const parts = Object.entries(q.parts).map(([part, { data }]) =>
            [part, data] as const
          );
          return Object.fromEntries([...parts, ["values", dequantize(q)]]);
        });
        for (const part of Object.keys(js)) {
          const label = `${set} [${shape}] ${JSON.stringify(options)} ${part}`;
          assertSameBytes(wasm[part], js[part], label);
        }
      }
    }
  }
  useBackend(before);
});

Deno.test("of zeros of either sign the negative one is the smallest value, the other the largest", () => {
  const before = backend(), zeros = SETS.zeros;
  const ends = (q: { parts: object }) =>
    Object.entries(q.parts).filter(([part]) => part !== "codes")
      .flatMap(([, { data }]) => [...data]);
  for (const name of ["wasm", "js"] as const) {
    useBackend(name);
    const lucene = { format: "lucene99", shape: [40, 16] } as const;
    const faiss = { format: "faiss_qt4", uniform: true } as const;
    const columns = { format: "faiss_qt4", shape: [4, 2] } as const;
    assertEquals(ends(quantize(zeros, lucene)).slice(-2), [-0, 0]);
    assertEquals(ends(quantize(zeros, faiss)), [-0, 0]);
    const pairs = Float32Array.of(-0, 0, 0, 0, -0, 0, 0, 0);
    assertEquals(ends(quantize(pairs, columns)), [-0, 0, 0, 0]);
    const negative = new Float32Array(640).fill(-0);
    assertEquals(ends(quantize(negative, lucene)).slice(-2), [-0, -0]);
  }
  useBackend(before);
});
