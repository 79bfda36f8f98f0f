/**
 * tflite against models that ai-edge-quantizer wrote.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readdir } from "node:fs/promises";
import { dequantize, quantize, type TfliteOptions } from "../../mod.ts";
import { tflite } from "../../src/formats/tflite.ts";
import { rootUrl } from "../modules.ts";
import { adversarial } from "../adversarial.ts";
import { assertReads, assertWrites } from "./golden.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const GRANULARITY: Record<string, TfliteOptions> = {
  TENSORWISE: { granularity: "tensor" },
  CHANNELWISE: { granularity: "channel" },
  BLOCKWISE_32: { granularity: 32 },
  BLOCKWISE_64: { granularity: 64 },
  DEPTHWISE_7: { granularity: "channel", axis: 3 },
  DEPTHWISE_10: { granularity: "channel", axis: 3 },
};

const files = (await readdir(new URL("tests/vectors/tflite/", rootUrl))).filter(
  (name) => name.endsWith(".safetensors"),
);

Deno.test("tflite: there are models of every granularity", () => {
  for (const name of Object.keys(GRANULARITY)) {
    assert(files.some((file) => file.startsWith(name)), name);
  }
});

for (const file of files.sort()) {
  Deno.test(`tflite: ${file} is read and written as ai-edge-quantizer does`, async () => {
    const { input, dequant, ...parts } = Object.fromEntries(
      await goldenTensors(`tflite/${file}`),
    );
    const [, granularity, kind] = file.match(/^(.*?)_(a?sym)[_.]/)!;
    const golden = {
      label: file,
      shape: input.shape,
      options: { ...GRANULARITY[granularity], symmetric: kind === "sym" },
      parts,
    };
    assertWrites(tflite, golden, floatsOf(input));
    if (dequant) assertReads(tflite, golden, floatsOf(dequant));
  });
}

const shape = [6, 64], values = adversarial(384).gauss;
const made = (options: TfliteOptions = {}, size = shape) =>
  quantize(values, { format: "tflite", shape: size, ...options });

Deno.test("tflite: channels are the first axis, whatever the others", () => {
  assertEquals(made().parts.scale.shape, [6]);
  assertEquals(made({}, [6, 4, 4, 4]).parts.scale.shape, [6]);
  assertEquals(
    made({}, [6, 4, 4, 4]).parts.weight.data,
    made().parts.weight.data,
  );
  assertEquals(made({}, [384]).parts.scale.shape, [1]);
});

Deno.test("tflite: channels of another axis are the first of the transpose", () => {
  const columns = made({ axis: 1 });
  assertEquals(columns.parts.scale.shape, [64]);
  const turned = values.map((_, i) => values[i % 6 * 64 + Math.floor(i / 6)]);
  const { parts } = quantize(turned, { format: "tflite", shape: [64, 6] });
  assertEquals(columns.parts.scale.data, parts.scale.data);
  assertEquals(made({ axis: 1 }, [1, 6, 64]).parts, {
    ...made().parts,
  });
});

Deno.test("tflite: options and shapes that there are no models of are refused", () => {
  assertEquals(made({ granularity: 32 }).parts.scale.shape, [6, 2]);
  const refused: [TfliteOptions, string][] = [
    [{ granularity: 32, symmetric: false }, "zero points"],
    [{ granularity: 128 }, "whole blocks"],
    [{ granularity: 48 as 32 }, "granularity"],
    [{ granularity: "tensor", axis: 1 }, "only channels have one"],
    [{ axis: 2 }, "has 2, counted from 0"],
  ];
  for (const [options, message] of refused) {
    assertThrows(() => made(options), RangeError, message);
  }
  assertThrows(
    () => made({ granularity: 32 }, [6, 2, 32]),
    RangeError,
    "takes a matrix",
  );
});

Deno.test("tflite: numbers that no writer makes are refused", () => {
  const q = made({ symmetric: false });
  assert(dequantize(q).every(Number.isFinite));
  const zeros = q.parts.zero_point!.data, zero = zeros[2];
  for (const bad of [8n, -9n, 2n ** 62n]) {
    zeros[2] = bad;
    assertThrows(() => dequantize(q), RangeError, "for group [2, 0]");
  }
  zeros[2] = zero;
  q.parts.scale.data[2] = NaN;
  assertThrows(() => dequantize(q), RangeError, 'part "scale" has NaN');
});

Deno.test("tflite: scales of blocks beyond float16 are refused, or cut", () => {
  const large = values.slice();
  large[40] = 1e6;
  const options = { format: "tflite", shape, granularity: 32 } as const;
  assertThrows(() => quantize(large, options), RangeError, "group 1,");
  const cut = dequantize(quantize(large, { ...options, nonFinite: "clamp" }));
  assert(cut.every(Number.isFinite) && cut[40] > 400000);
});
