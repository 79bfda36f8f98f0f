/**
 * GPTQ's config files: what is written is recognized again, contradictions are
 * named, other formats left alone.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { dequantize, type GptqOptions, quantize } from "../../mod.ts";
import { gptqConvention as convention } from "../../src/model/gptq_checkpoint.ts";
import type { Candidate, Part, Parts } from "../../src/words/format.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { candidateOf } from "../formats/safetensors_vectors.ts";

Deno.test("gptq: settings that are written are recognized again", () => {
  for (const groupSize of [16, "row"] as const) {
    for (const symmetric of [true, false]) {
      for (const version of [1, 2] as const) {
        for (const zeros of ["words", "nibbles"] as const) {
          const q = quantize(adversarial(7 * 43).gauss, {
            format: "gptq",
            shape: [7, 43],
            groupSize,
            symmetric,
            version,
            zeros,
          });
          const config = convention.config!(q.options);
          const parts = q.parts as unknown as Parts;
          const found = convention.recognize(candidateOf(parts, config))!;
          assertEquals(found.shape, [7, 43]);
          assertSameBytes(
            dequantize({ format: "gptq", ...found, parts }),
            dequantize(q),
          );
        }
      }
    }
  }
});

/** A candidate of four outputs and 40 inputs in groups of 16, with other parts or settings. */
function candidateWith(
  settings: Record<string, unknown>,
  parts: Record<string, Omit<Part, "data">> = {},
): Candidate {
  return {
    stem: "layers.0.q",
    parts: {
      qweight: { dtype: "I32", shape: [5, 4] },
      qzeros: { dtype: "I32", shape: [3, 1] },
      scales: { dtype: "F16", shape: [3, 4] },
      g_idx: { dtype: "I32", shape: [40] },
      ...parts,
    },
    text: () => undefined,
    config: {
      bits: 4,
      group_size: 16,
      desc_act: false,
      sym: false,
      ...settings,
    },
  };
}

Deno.test("gptq: contradictions of parts and config are named", () => {
  const asymmetric = {
    groupSize: 16,
    symmetric: false,
    version: 1,
    zeros: "nibbles",
    actOrder: false,
  };
  const { shape, options } = convention.recognize(candidateWith({}))!;
  assertEquals(shape, [4, 40]);
  assertEquals(options, asymmetric);
  const bad: [Candidate, string][] = [
    [candidateWith({ bits: undefined }), "it may be of version 1 or 2"],
    [
      { ...candidateWith({}), config: undefined },
      "it may be of version 1 or 2",
    ],
    [{ ...candidateWith({}), config: "{}" }, "it may be of version 1 or 2"],
    [
      candidateWith({ group_size: 32 }),
      "group_size 32 makes 2 groups of 40 inputs",
    ],
    [candidateWith({ group_size: -1 }), "group_size -1 makes 1 groups"],
    [candidateWith({ group_size: 0 }), "group_size is 0"],
    [candidateWith({ group_size: "16" }), 'group_size is "16"'],
    [candidateWith({ sym: 1 }), "sym is 1, not true or false"],
    [candidateWith({ desc_act: "no" }), 'desc_act is "no"'],
    [candidateWith({ meta: { quantizer: ["optimum:1.2"] } }), "meta.quantizer"],
    [
      candidateWith({}, { qweight: { dtype: "U8", shape: [5, 4] } }),
      'part "qweight" is U8 [5,4]',
    ],
    [
      candidateWith({}, { scales: { dtype: "F16", shape: [12] } }),
      'part "scales" is F16 [12]',
    ],
    [
      candidateWith({}, { qweight: { dtype: "I32", shape: [10, 4] } }),
      'part "qweight" is [10,4]',
    ],
    [
      candidateWith({}, { qzeros: { dtype: "I32", shape: [3, 2] } }),
      'part "qzeros" is [3,2]',
    ],
    [
      candidateWith({ bits: 8 }),
      'part "qweight" is [5,4], which "g_idx" and "scales" make [10,4]',
    ],
  ];
  for (const [candidate, message] of bad) {
    const error = assertThrows(
      () => convention.recognize(candidate),
      RangeError,
      message,
    );
    assert(error.message.startsWith("Cannot read layers.0.q as gptq: "));
    assert(!/\n|\.$/.test(error.message), error.message);
  }
});

Deno.test("gptq: what is another format is left to others", () => {
  const eight = {
    qweight: { dtype: "I32", shape: [10, 4] },
    qzeros: { dtype: "I32", shape: [3, 1] },
  } as const;
  assertEquals(
    convention.recognize(candidateWith({ bits: 8 }, eight)),
    undefined,
  );
  assertEquals(convention.recognize(candidateWith({ bits: 3 })), undefined);
  assertEquals(
    convention.recognize(candidateWith({ quant_method: "awq" })),
    undefined,
  );
  for (const checkpoint_format of ["marlin", "constructor", 4]) {
    assertEquals(
      convention.recognize(candidateWith({ checkpoint_format })),
      undefined,
    );
  }
});

Deno.test("gptq: settings decide how zero points are read", () => {
  const zerosOf = (settings: Record<string, unknown>) => {
    const { options } = convention.recognize(candidateWith(settings))!;
    return options as GptqOptions;
  };
  assertEquals(
    zerosOf({ meta: { quantizer: ["gptqmodel:1.0"] } }).zeros,
    "words",
  );
  assertEquals(zerosOf({ meta: { quantizer: "gptqmodel" } }).zeros, "words");
  assertEquals(zerosOf({ meta: null }).zeros, "nibbles");
  assertEquals(zerosOf({ checkpoint_format: "gptq_v2" }).version, 2);
  // Where all are 8 it makes no difference who wrote them.
  const meta = { quantizer: ["optimum:1.2"] };
  assertEquals(zerosOf({ meta, sym: true }).symmetric, true);
  assertEquals(zerosOf({ sym: undefined, desc_act: undefined }).actOrder, true);
  const { options } = convention.recognize({
    ...candidateWith({}),
    config: { quantization_config: { bits: 4, group_size: 16 } },
  })!;
  assertEquals((options as GptqOptions).symmetric, true);
});
