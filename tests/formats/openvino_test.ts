/**
 * openvino against models that NNCF compressed and OpenVINO's CPU plugin computed.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readdir } from "node:fs/promises";
import { dequantize, type OpenvinoOptions, quantize } from "../../mod.ts";
import { openvino } from "../../src/formats/openvino.ts";
import { adversarial } from "../adversarial.ts";
import { rootUrl } from "../modules.ts";
import { assertReads, assertWrites } from "./golden.ts";
import { floatsOf, goldenTensors } from "./safetensors_vectors.ts";

const files = (await readdir(new URL("tests/vectors/openvino/", rootUrl)))
  .filter((name) => name.endsWith(".safetensors"));

function optionsOf(file: string): OpenvinoOptions {
  const [, mode, size] = file.match(/^(.*?)_g(-?\d+)/)!;
  return {
    mode: mode.toLowerCase() as OpenvinoOptions["mode"],
    groupSize: size === "-1" ? "row" : Number(size),
  };
}

Deno.test("openvino: there are models of every mode", () => {
  const modes = new Set(files.map((file) => optionsOf(file).mode));
  const { mode } = openvino.options;
  assert(mode.kind === "choice");
  assertEquals([...modes].sort(), [...mode.choices].sort());
});

for (const file of files.sort()) {
  Deno.test(`openvino: ${file} is read and written as NNCF and OpenVINO do`, async () => {
    const { input, dequant, ...parts } = Object.fromEntries(
      await goldenTensors(`openvino/${file}`),
    );
    const options = optionsOf(file);
    const golden = { label: file, shape: input.shape, options, parts };
    assertWrites(openvino, golden, floatsOf(input));
    if (dequant) assertReads(openvino, golden, floatsOf(dequant));
  });
}

const shape = [5, 96], values = adversarial(480).gauss;
const made = (options: OpenvinoOptions = {}, size = shape) =>
  quantize(values, {
    format: "openvino",
    shape: size,
    groupSize: 32,
    ...options,
  });

Deno.test("openvino: files of before 2024.0 have the first code in the high nibble", () => {
  const options = { mode: "int4_asym" } as const;
  const now = made(options), before = made({ ...options, order: "high-first" });
  const swapped = (bytes: Uint8Array) => bytes.map((b) => b >> 4 | b << 4);
  assertEquals(before.parts.weight.data, swapped(now.parts.weight.data));
  assertEquals(dequantize(before), dequantize(now));
  // Fifteen zero points: the last byte has one.
  const zeros = swapped(now.parts.zero_point!.data);
  assertEquals(before.parts.zero_point!.data, zeros);
  const misread = { ...before, options: now.options };
  assert(dequantize(misread).some((x, i) => x !== dequantize(now)[i]));
});

Deno.test("openvino: group sizes that a mode or a shape does not have are refused", () => {
  assertEquals(made().parts.scale.shape, [5, 3, 1]);
  assertEquals(made({ groupSize: "row" }).parts.scale.shape, [5, 1]);
  assertEquals(made({ mode: "nvfp4", groupSize: 16 }).parts.scale.shape, [
    5,
    6,
    1,
  ]);
  assertThrows(() => made({ groupSize: 64 }), RangeError, "groupSize 64");
  assertThrows(() => made({ mode: "nvfp4" }), RangeError, "it must be 16");
  assertThrows(
    () => made({ mode: "mxfp4", groupSize: "row" }),
    RangeError,
    "it must be 32",
  );
  assertThrows(() => made({}, [5, 3, 32]), RangeError, "[5,3,32]");
});

Deno.test("openvino: scales that no writer makes are refused", () => {
  for (const mode of ["int4_asym", "nf4", "fp4"] as const) {
    const q = made({ mode });
    assert(dequantize(q).every(Number.isFinite));
    for (const bits of [0x7e00, 0xbc00]) {
      q.parts.scale.data[4] = bits;
      assertThrows(() => dequantize(q), RangeError, "for group [1, 1]");
    }
  }
  const q = made();
  // Negative ones are those of groups whose largest magnitude is positive.
  q.parts.scale.data[4] = 0xbc00;
  assert(dequantize(q).every(Number.isFinite));
  q.parts.scale.data[4] = 0x7e00;
  assertThrows(() => dequantize(q), RangeError, "it must be a number");
});

Deno.test("openvino: a group whose scale overflows float16 is refused, or cut", () => {
  const large = values.slice();
  large[40] = 1e7;
  const modes = ["int4_sym", "int4_asym", "nf4", "fp4", "nvfp4"] as const;
  for (const mode of modes) {
    const groupSize = mode === "nvfp4" ? 16 : 32;
    const options = { format: "openvino", shape, groupSize, mode } as const;
    const group = Math.floor(40 / groupSize);
    assertThrows(() => quantize(large, options), RangeError, `group ${group},`);
    const cut = dequantize(quantize(large, { ...options, nonFinite: "clamp" }));
    assert(cut.every(Number.isFinite) && cut[40] > 60000, mode);
  }
});
