// Tensors whose groups have a byte each, quantized by a kernel in one go: against the
// generic way on plain JS, and what the kernel leaves to it.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { allocateParts, tensorOf } from "../../src/core.ts";
import { formats, type FormatTypes } from "../../src/formats.ts";
import { allocate, backend, useBackend } from "../../src/kernels/engine.ts";
import { E2M1_TILES_KERNELS } from "../../src/kernels/modules.ts";
import { byteGroupsOf } from "../../src/model/byte_groups.ts";
import { bytesOf } from "../../src/model/define.ts";
import { encodeByKernel } from "../../src/model/group_kernel.ts";
import type { Format, Parts } from "../../src/words/format.ts";
import type { EncodeContext } from "../../src/words/scheme.ts";
import { combinationsOf, takes } from "../../src/words/trials.ts";
import { adversarial, random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** Several chunks of the kernel, groups that fill no vector at their end, and rows that fill no unit of scales. */
const SHAPE = [133, 96], SIZE = SHAPE[0] * SHAPE[1];

/** Quantizes by the kernel, or tells that the generic way has to. */
function quantizedByKernel(
  format: Format,
  values: Float32Array,
  options: object,
  parts: Parts,
  context?: EncodeContext,
): boolean {
  const tensor = tensorOf(format, SHAPE, options);
  const groups = byteGroupsOf(tensor), bytes = bytesOf(parts);
  const module = E2M1_TILES_KERNELS;
  return groups !== undefined &&
    encodeByKernel(module, tensor, groups, values, bytes, context);
}

/** Options under which a format has a kernel for all. */
function optionSets(format: Format): Record<string, unknown>[] {
  return combinationsOf(format, (option, name) => {
    const isOther = name === "search" || name === "computeDtype";
    if (isOther || option.kind === "weights") return [undefined];
    if (option.kind === "choice") return [undefined, ...option.choices];
    if (option.kind === "boolean") return [false, true];
    return [undefined];
  }).filter((options) => {
    if (options.order === "high-first") return false;
    if (!takes(format, options, SHAPE)) return false;
    const resolved = format.resolve(options, SHAPE);
    return format.scheme(SHAPE, resolved).groupKernel !== undefined;
  });
}

function weights(seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from(
    { length: SIZE },
    (_, i) => (next() - 0.5) * (1 + i / 64 % 7) * 0.1,
  );
}

const WITH_KERNELS = [...formats.values()].filter((format) =>
  optionSets(format).length > 0
);

Deno.test("formats of E2M1 values have a kernel from values to bytes", () => {
  const names = WITH_KERNELS.map(({ name }) => name);
  for (const name of ["mlx", "mxfp4_ct", "nvfp4_modelopt", "openvino"]) {
    assert(names.includes(name), name);
  }
});

for (const format of WITH_KERNELS) {
  Deno.test(`${format.name}: a kernel makes the bytes that the generic way makes`, () => {
    const before = backend();
    const rounded = weights(2).map((x) => Math.round(x * 64) / 64);
    const sets = { ...adversarial(SIZE), weights: weights(1), rounded };
    let done = 0;
    for (const given of optionSets(format)) {
      const options = format.resolve(given, SHAPE);
      const { parts: plans } = format.layout(SHAPE, options);
      for (const [set, values] of Object.entries(sets)) {
        const label = `${JSON.stringify(given)} ${set}`;
        const expected = allocateParts(plans);
        useBackend("js");
        const keep = { overflow: "keep" } as const;
        format.reference.quantize(values, SHAPE, options, expected, keep);
        useBackend("wasm");
        const inside = allocate(SIZE + 3).subarray(3);
        inside.set(values);
        for (const input of [values, inside]) {
          const actual = allocateParts(plans);
          if (!quantizedByKernel(format, input, options, actual, keep)) {
            // Ordinary weights are not left to others.
            assert(set !== "weights" && set !== "rounded", label);
            continue;
          }
          done++;
          for (const [name, { data }] of Object.entries(expected)) {
            assertSameBytes(actual[name].data, data, `${label} ${name}`);
          }
        }
      }
    }
    assert(done > 0);
    useBackend(before);
  });
}

Deno.test("of a tensor only what the kernel leaves alone goes the generic way", () => {
  const before = backend(),
    shape = [3000, 96],
    format = formats.get("mxfp4_modelopt")!;
  const next = random(5), options = format.resolve({}, shape);
  const values = Float32Array.from(
    { length: 3000 * 96 },
    () => (next() - 0.5) * 0.01,
  );
  // Its logarithm is rounded to that of the power of two below it.
  const near = Math.fround(6 * 2 ** -3 * (1 + 3 * 2 ** -23));
  for (const index of [0, 150000, values.length - 1]) values[index] = near;
  const [expected, actual] = [1, 2].map(() =>
    allocateParts(format.layout(shape, options).parts)
  );
  useBackend("js");
  format.reference.quantize(values, shape, options, expected);
  useBackend("wasm");
  const tensor = tensorOf(format, shape, options);
  const isDone = encodeByKernel(
    E2M1_TILES_KERNELS,
    tensor,
    byteGroupsOf(tensor)!,
    values,
    bytesOf(actual),
  );
  useBackend(before);
  assertEquals(isDone, true);
  for (const [name, { data }] of Object.entries(expected)) {
    assertSameBytes(actual[name].data, data, name);
  }
});

Deno.test("values that are not finite, clamping and searches are left to the generic way", () => {
  const before = backend();
  useBackend("wasm");
  const by = (
    name: keyof FormatTypes,
    given: object,
    values: Float32Array,
    context?: EncodeContext,
  ) => {
    const format = formats.get(name)!, options = format.resolve(given, SHAPE);
    const parts = allocateParts(format.layout(SHAPE, options).parts);
    return quantizedByKernel(format, values, options, parts, context);
  };
  const values = weights(3), odd = weights(3);
  odd[1000] = NaN;
  assertEquals(by("mxfp4_ct", {}, values), true);
  assertEquals(by("mxfp4_ct", {}, odd), false);
  assertEquals(by("mxfp4_ct", {}, values, { overflow: "clamp" }), false);
  assertEquals(by("mxfp4_ct", { search: "fast" }, values), false);
  assertEquals(by("nvfp4_ct", {}, values), true);
  assertThrows(() => by("nvfp4_ct", {}, odd), RangeError, "index 1000");
  // Beyond what two scales of OpenVINO's make together.
  const large = values.map((x) => x * 2 ** 22);
  assertEquals(by("openvino", { mode: "nvfp4" }, values), true);
  assertEquals(by("openvino", { mode: "nvfp4" }, large), false);
  assertEquals(by("mlx", { mode: "nvfp4" }, values), true);
  useBackend("js");
  assertEquals(by("mxfp4_ct", {}, values), false);
  useBackend(before);
});
