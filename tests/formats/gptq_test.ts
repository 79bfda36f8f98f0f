/**
 * gptq against checkpoints that GPTQModel and AutoGPTQ wrote: read bit for bit,
 * written alike, and refused where they contradict themselves.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  dequantize,
  type GptqOptions,
  type GptqParts,
  quantize,
} from "../../mod.ts";
import { allocateParts, repackWith } from "../../src/core.ts";
import { gptq } from "../../src/formats/gptq.ts";
import { int4 } from "../../src/formats/int4.ts";
import { matmul_nbits } from "../../src/formats/matmul_nbits.ts";
import { bytesOf } from "../../src/model/define.ts";
import { decodeWindow, encodeTensor } from "../../src/model/tensor.ts";
import type { Candidate, Part, Parts } from "../../src/words/format.ts";
import { whole } from "../../src/words/window.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  goldenJson,
  goldenTensors,
  partsNamed,
} from "./safetensors_vectors.ts";

interface GoldenCase {
  readonly case: string;
  readonly input: string;
  readonly library: string;
  readonly options: { readonly desc_act: boolean };
}

const CASES = await goldenJson("gptq/manifest.json") as GoldenCase[];
const convention = gptq.convention!;

interface Golden {
  readonly tensor: string;
  readonly candidate: Candidate;
  readonly parts: Parts;
  readonly expected: Float32Array;
  readonly values: Float32Array;
}

/** Every tensor of a golden case: its parts, what they stand for, what they were made of. */
async function tensorsOf(
  { case: name, input }: GoldenCase,
): Promise<Golden[]> {
  const file = await goldenTensors(`gptq/${name}/model.safetensors`);
  const dequantized = await goldenTensors(`gptq/${name}/dequant.safetensors`);
  const inputs = await goldenTensors(`gptq/${input}`);
  const config = await goldenJson(`gptq/${name}/quantize_config.json`);
  return Array.from(dequantized, ([tensor, expected]) => {
    const parts = partsNamed(file, convention, tensor);
    return {
      tensor,
      parts,
      candidate: candidateOf(parts, config),
      expected: floatsOf(expected),
      values: floatsOf(inputs.get(tensor)!),
    };
  });
}

function golden(name: string): Promise<Golden[]> {
  return tensorsOf(CASES.find((one) => one.case === name)!);
}

for (const one of CASES) {
  Deno.test(`gptq: ${one.case} is recognized and dequantizes as ${one.library} does`, async () => {
    const tensors = await tensorsOf(one);
    assert(tensors.length > 0);
    for (const { tensor, candidate, parts, expected } of tensors) {
      const found = convention.recognize(candidate)!;
      const values = dequantize({ format: "gptq", ...found, parts });
      assertSameBytes(values, expected, `${one.case} ${tensor}`);
    }
  });

  if (one.options.desc_act || one.library !== "gptqmodel") continue;
  Deno.test(`gptq: ${one.case} is quantized as gptqmodel does`, async () => {
    for (const { tensor, candidate, parts, values } of await tensorsOf(one)) {
      const { shape, options } = convention.recognize(candidate)!;
      const made = quantize(values, { format: "gptq", shape, ...options });
      for (const [part, { data }] of Object.entries(made.parts)) {
        assertSameBytes(data, parts[part].data, `${tensor} ${part}`);
      }
    }
  });
}

Deno.test("gptq: scales and zero points are AutoGPTQ's too, where its words can hold them", async () => {
  const tensors = await golden("autogptq-v1-asym-g32");
  for (const { tensor, candidate, parts, values } of tensors) {
    const { shape, options } = convention.recognize(candidate)!;
    const resolved = gptq.resolve(options as GptqOptions, shape);
    const made = allocateParts(gptq.layout(shape, resolved).parts);
    gptq.quantize(
      values,
      shape,
      resolved,
      made as unknown as GptqParts,
      { overflow: "keep" },
    );
    for (const part of ["scales", "qzeros", "g_idx"]) {
      assertSameBytes(made[part].data, parts[part].data, `${tensor} ${part}`);
    }
  }
});

// ---- zero points of version 1 ----

/** A weight of eight outputs in one group, with these zero points. */
function withZeroPoints(
  zeros: readonly number[],
  options: GptqOptions,
): Quantized {
  const values = Float32Array.from({ length: 8 * 16 }, (_, i) => {
    const zero = zeros[Math.floor(i / 16)];
    return Math.min(15, i % 16) - zero;
  });
  return quantize(values, {
    format: "gptq",
    shape: [8, 16],
    symmetric: false,
    groupSize: 16,
    ...options,
  });
}

type Quantized = ReturnType<typeof quantize<"gptq">>;

Deno.test("gptq: eight zero points in a word of either version", () => {
  const zeros = [0, 8, 15, 3, 0, 0, 7, 1];
  const wordOf = (options: GptqOptions, z = zeros) =>
    withZeroPoints(z, options).parts.qzeros.data[0] >>> 0;
  assertEquals(wordOf({ version: 2 }), 0x17003f80);
  assertEquals(wordOf({ version: 1 }), 0x05ef2e6f);
  assertEquals(wordOf({ version: 1, zeros: "words" }), 0x05ef2e6f);
  const fromOne = [1, 8, 15, 3, 2, 9, 7, 1];
  assertEquals(
    wordOf({ version: 1, zeros: "nibbles" }, fromOne),
    0x068127e70 / 16 >>> 0,
  );
});
