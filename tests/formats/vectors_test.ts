/**
 * The formats of vector search, and ml_dtypes, against their libraries.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  faiss_qt4,
  type Lucene99Similarity,
  type MlDtypesKind,
  type Parts,
  quantize,
  repack,
} from "../../mod.ts";
import { allocateParts, dequantizeWith } from "../../src/core.ts";
import { readFile } from "node:fs/promises";
import { columnRanges } from "../../src/schemes/extremes.ts";
import { adversarial } from "../adversarial.ts";
import { rootUrl } from "../modules.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

// ---- faiss ----

for (const kind of ["QT_4bit", "QT_4bit_uniform"]) {
  for (const d of [7, 16, 33]) {
    const name = `${kind}_d${d}_l2`, uniform = kind.endsWith("uniform");
    Deno.test(`faiss_qt4: ${name} is trained, encoded and decoded as faiss does`, async () => {
      const golden = await goldenTensors(`faiss_qt4/${name}/data.safetensors`);
      const scalar = await goldenTensors(
        `faiss_qt4/${name}/decoded_scalar.safetensors`,
      );
      const values = (tensor: string) => floatsOf(golden.get(tensor)!);
      const train = values("train"), x = values("x");
      const trained = quantize(train, {
        format: "faiss_qt4",
        shape: [train.length / d, d],
        uniform,
      }).parts.trained;
      assertSameBytes(trained.data, values("trained"), `${name} trained`);

      // Other vectors are encoded by the ranges of those that it was trained on.
      const shape = [x.length / d, d];
      const options = faiss_qt4.resolve({ uniform }, shape);
      const prepass = columnRanges(d, uniform);
      prepass.add(train);
      const parts = allocateParts(faiss_qt4.layout(shape, options).parts);
      faiss_qt4.quantize(x, shape, options, parts as never, prepass.result());
      const codes = golden.get("codes")!;
      assertEquals(parts.codes.shape, codes.shape);
      assertSameBytes(parts.codes.data, codes.data, `${name} codes`);
      const tensor = { format: "faiss_qt4", shape, options, parts };
      assertSameBytes(
        dequantizeWith(faiss_qt4, tensor),
        floatsOf(scalar.get("decoded")!),
        `${name} values`,
      );
    });
  }
}

Deno.test("faiss_qt4: a range beyond float32 is refused, and cut where that is asked for", () => {
  const values = Float32Array.of(-3e38, 1, 3e38, 2);
  const given = { format: "faiss_qt4", shape: [2, 2] } as const;
  assertThrows(
    () => quantize(values, given),
    RangeError,
    "group 0, from index 0",
  );
  const cut = quantize(values, { ...given, nonFinite: "clamp" });
  assert(dequantize(cut).every(Number.isFinite));
  const fits = values.map((x) => x / 4);
  assert(dequantize(quantize(fits, given)).every(Number.isFinite));
});

Deno.test("faiss_qt4: numbers that faiss never trains and vectors without dimensions are refused", () => {
  const q = quantize(adversarial(30).gauss, {
    format: "faiss_qt4",
    shape: [10, 3],
  });
  const cases: [number, number, string][] = [
    [0, NaN, "is NaN at index 0, it must be finite"],
    [2, Infinity, "is Infinity at index 2, it must be finite"],
    [3, -1, "is -1 at index 3, it must be finite and not negative"],
  ];
  for (const [index, value, message] of cases) {
    const kept = q.parts.trained.data[index];
    q.parts.trained.data[index] = value;
    assertThrows(() => dequantize(q), RangeError, message);
    q.parts.trained.data[index] = kept;
    dequantize(q);
  }
  assertThrows(
    () => quantize([], { format: "faiss_qt4", shape: [3, 0] }),
    RangeError,
    "the last axis is 0",
  );
  quantize([], { format: "faiss_qt4", shape: [0, 3] });
});

// ---- Lucene ----

const SIMILARITIES = [
  ...["cosine", "dot_product", "euclidean", "maximum_inner_product"],
] as Lucene99Similarity[];
const LUCENE_CASES = [
  ...SIMILARITIES.flatMap((similarity) =>
    ["raw", "unit"].map((kind) => [similarity, "packed", kind] as const)
  ),
  ["dot_product", "bytes", "raw"] as const,
  ["euclidean", "bytes", "unit"] as const,
];

for (const [similarity, packing, kind] of LUCENE_CASES) {
  const name = `${similarity}_${packing}_${kind}`;
  Deno.test(`lucene99: ${name} has the records that Lucene wrote`, async () => {
    const golden = await goldenTensors(`lucene99/${name}/data.safetensors`);
    const input = golden.get("input")!, compress = packing === "packed";
    const { parts } = quantize(floatsOf(input), {
      format: "lucene99",
      shape: input.shape,
      similarity,
      compress,
    });
    const quantiles = floatsOf(golden.get("quantiles")!);
    const corrections = floatsOf(golden.get("correction_stored")!);
    // The length of vectors that are not of length 1 depends on the processor there.
    const exact = similarity !== "cosine" || kind === "unit";
    if (exact) {
      assertEquals(parts.lower_quantile.data[0], quantiles[0]);
      assertEquals(parts.upper_quantile.data[0], quantiles[1]);
      assertSameBytes(
        parts.corrections.data,
        corrections,
        `${name} corrections`,
      );
    } else {
      corrections.forEach((x, i) => {
        assert(Math.abs(parts.corrections.data[i] - x) < 1e-6, `${name} ${i}`);
      });
    }
    // The file ends in the records and a footer of 16 bytes.
    const file = new Uint8Array(
      await readFile(
        new URL(`tests/vectors/lucene99/${name}/vectors.veq`, rootUrl),
      ),
    );
    const [vectors, width] = parts.codes.shape;
    const record = width + 4, first = file.length - 16 - vectors * record;
    for (let i = 0; i < vectors; i++) {
      const at = first + i * record;
      assertSameBytes(
        parts.codes.data.subarray(i * width, (i + 1) * width),
        file.subarray(at, at + width),
        `${name} record ${i}`,
      );
      if (!exact) continue;
      assertSameBytes(
        new Uint8Array(parts.corrections.data.slice(i, i + 1).buffer),
        file.subarray(at + width, at + record),
        `${name} correction ${i}`,
      );
    }
  });
}

Deno.test("lucene99: values are even steps from the lower quantile to the upper", () => {
  const values = Float32Array.from({ length: 16 }, (_, i) => i - 3);
  for (const compress of [true, false]) {
    const q = quantize(values, { format: "lucene99", shape: [2, 8], compress });
    assertSameBytes(dequantize(q), values);
    assertEquals(q.parts.codes.data[0], compress ? 0x04 : 0);
    assertEquals([...q.parts.corrections.data], [0, 0]);
  }
  const constant = quantize(new Float32Array(8).fill(-2.5), {
    format: "lucene99",
    shape: [2, 4],
    similarity: "dot_product",
  });
  assertSameBytes(dequantize(constant), new Float32Array(8).fill(-2.5));
});

Deno.test("lucene99: for cosine the values are those of unit vectors, zeros stay", () => {
  const values = Float32Array.of(3, 4, 0, 0, 0.6, 0.8);
  const q = quantize(values, {
    format: "lucene99",
    shape: [3, 2],
    similarity: "cosine",
  });
  const back = dequantize(q);
  [0.6, 0.8, 0, 0, 0.6, 0.8].forEach((x, i) =>
    assert(Math.abs(back[i] - x) < 0.03, `${back[i]} ${x}`)
  );
});

Deno.test("lucene99: quantiles in the wrong order and odd dimensions are refused", () => {
  const q = quantize(adversarial(40).gauss, {
    format: "lucene99",
    shape: [10, 4],
  });
  const [upper] = q.parts.upper_quantile.data;
  const [lower] = q.parts.lower_quantile.data;
  q.parts.upper_quantile.data[0] = lower - 1;
  assertThrows(() => dequantize(q), RangeError, 'part "upper_quantile"');
  q.parts.upper_quantile.data[0] = lower;
  dequantize(q);
  q.parts.upper_quantile.data[0] = upper;
  q.parts.lower_quantile.data[0] = NaN;
  assertThrows(() => dequantize(q), RangeError, 'part "lower_quantile"');
  for (const columns of [0, 7]) {
    assertThrows(
      () =>
        quantize(new Float32Array(2 * columns), {
          format: "lucene99",
          shape: [2, columns],
        }),
      RangeError,
      "even numbers of dimensions",
    );
  }
  quantize(new Float32Array(16), { format: "lucene99", shape: [2, 8] });
  assertThrows(
    () => quantize([-3e38, 3e38], { format: "lucene99", shape: [1, 2] }),
    RangeError,
    "overflows float32",
  );
});

// ---- ml_dtypes ----

for (const kind of ["int4", "uint4", "float4_e2m1fn"] as MlDtypesKind[]) {
  Deno.test(`ml_dtypes: ${kind} is converted as ml_dtypes does`, async () => {
    const golden = await goldenTensors(`ml_dtypes/${kind}.safetensors`);
    const input = floatsOf(golden.get("input")!);
    // Infinities and NaN have no place in what is quantized.
    const finite = [...input.keys()].filter((i) => Number.isFinite(input[i]));
    assert(finite.length > 100);
    const bytes = golden.get("bytes")!.data as Uint8Array;
    const values = floatsOf(golden.get("values")!);
    const q = quantize(finite.map((i) => input[i]), {
      format: "ml_dtypes",
      kind,
    });
    assertEquals([...q.parts.codes.data], finite.map((i) => bytes[i]));
    assertSameBytes(
      dequantize(q),
      Float32Array.from(finite, (i) => values[i]),
      kind,
    );
  });

  Deno.test(`ml_dtypes: ${kind} reads the low nibble of any byte`, async () => {
    const golden = await goldenTensors("ml_dtypes/all_bytes.safetensors");
    const expected = floatsOf(golden.get(kind)!);
    const data = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const parts: Parts = { codes: { dtype: "U8", shape: [256], data } };
    const tensor = { format: "ml_dtypes", shape: [256], options: { kind } };
    const values = dequantize({ ...tensor, parts });
    // ml_dtypes takes any higher bit of a float4 for its sign; the low nibble alone is meant.
    for (let byte = 0; byte < 256; byte++) {
      const same = kind === "float4_e2m1fn" ? byte & 15 : byte;
      assert(Object.is(values[byte], expected[same]), `${kind} ${byte}`);
    }
  });
}

Deno.test("ml_dtypes: codes become those of int4 with a scale of 1, and back", () => {
  const values = Float32Array.from({ length: 16 }, (_, i) => i - 8);
  const q = quantize(values, {
    format: "ml_dtypes",
    shape: [2, 8],
    kind: "int4",
  });
  const options = { groupSize: "tensor", scaleMethod: "absmax" } as const;
  const r = repack(q, "int4", options);
  assertSameBytes(dequantize(r), values);
  assertSameBytes(repack(r, "ml_dtypes").parts.codes.data, q.parts.codes.data);
  r.parts.scales.data[0] = 2;
  assertThrows(
    () => repack(r, "ml_dtypes"),
    RangeError,
    "scale 2 of group 0 does not fit: it can only be 1",
  );
});
