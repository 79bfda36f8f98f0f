// Tensors whose groups have a byte each, decoded by tables: all bytes and all codes,
// those that no writer stores too, against the generic way on plain JS.

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { assert, assertEquals } from "@std/assert";
import { allocateParts, tensorOf } from "../../src/core.ts";
import { formats, type FormatTypes } from "../../src/formats.ts";
import { allocate, backend, useBackend } from "../../src/kernels/engine.ts";
import { E2M1_TILES_KERNELS } from "../../src/kernels/modules.ts";
import { byteGroupsOf } from "../../src/model/byte_groups.ts";
import { decodeByTables } from "../../src/model/byte_tables.ts";
import { bytesOf } from "../../src/model/define.ts";
import type { Format, Parts } from "../../src/words/format.ts";
import { combinationsOf, takes } from "../../src/words/trials.ts";
import { random, randomInteger } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** Enough for all bytes under the longest groups, and some more. */
const SHAPE = [4, 4096];

/** Scales of a whole tensor: ordinary ones, and such as make values that are none. */
const OF_TENSOR = [1, 0.37, 0, -2, 3e38, 1e-45, Infinity, NaN];

/** Options under which a format has a byte for each group, of every kind that matters here. */
function optionSets(format: Format): Record<string, unknown>[] {
  return combinationsOf(format, (option, name) => {
    if (name === "search" || option.kind === "weights") return [undefined];
    if (option.kind === "choice") return [undefined, ...option.choices];
    if (option.kind === "boolean") return [false, true];
    return [undefined];
  }).filter((options) =>
    takes(format, options, SHAPE) &&
    format.scheme(SHAPE, format.resolve(options, SHAPE)).byField !== undefined
  );
}

/** Parts of all bytes and then any, with a number for the whole tensor. */
function anyParts(parts: Parts, ofTensor: number): Parts {
  const next = random(7);
  for (const { data } of Object.values(parts)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof Float32Array) data.fill(ofTensor);
    else {
      bytes.forEach((_, i) =>
        bytes[i] = i < 256 ? i : randomInteger(next, 0, 255)
      );
    }
  }
  return parts;
}

/** Dequantizes by tables, or tells that the generic way has to. */
function decodedByTables(
  format: Format,
  parts: Parts,
  shape: number[],
  options: object,
  out: Float32Array,
): boolean {
  const tensor = tensorOf(format, shape, options);
  const groups = byteGroupsOf(tensor), bytes = bytesOf(parts);
  return groups !== undefined &&
    decodeByTables(E2M1_TILES_KERNELS, tensor, groups, bytes, out);
}

function onPlainJs(work: () => void): void {
  const before = backend();
  useBackend("js");
  work();
  useBackend(before);
}

const SIZE = SHAPE[0] * SHAPE[1];

/** Where values go: on the heap and in WebAssembly memory, the one where no vector starts. */
const PLACES = [
  new Float32Array(SIZE + 1).subarray(1),
  allocate(SIZE),
];

const WITH_BYTES = [...formats.values()].filter((format) =>
  optionSets(format).length > 0
);

Deno.test("formats of E2M1 values have a byte for each group", () => {
  const names = WITH_BYTES.map(({ name }) => name);
  for (const name of ["mlx", "mxfp4_hf", "nvfp4_ct", "openvino"]) {
    assert(names.includes(name), name);
  }
  assert(!names.includes("nf4"));
});

for (const format of WITH_BYTES) {
  Deno.test(`${format.name}: tables of all bytes and codes are what the generic way computes`, () => {
    const before = backend();
    for (const given of optionSets(format)) {
      const options = format.resolve(given, SHAPE);
      const { parts: plans } = format.layout(SHAPE, options);
      const isElsewhere = given.order === "high-first";
      const isScaled = Object.values(plans).some(({ dtype }) =>
        dtype === "F32"
      );
      for (const ofTensor of isScaled ? OF_TENSOR : [1]) {
        const parts = anyParts(allocateParts(plans), ofTensor);
        const expected = new Float32Array(SIZE);
        onPlainJs(() =>
          format.reference.dequantize(parts, SHAPE, options, expected)
        );
        for (const name of ["wasm", "js"] as const) {
          useBackend(name);
          const label = `${name} ${JSON.stringify(given)} ${ofTensor}`;
          for (const out of PLACES) {
            out.fill(-1);
            const byThem = decodedByTables(format, parts, SHAPE, options, out);
            assertEquals(byThem, !isElsewhere, label);
            if (byThem) assertSameBytes(out, expected, label);
            format.dequantize(parts, SHAPE, options, out);
            assertSameBytes(out, expected, label);
          }
        }
      }
    }
    useBackend(before);
  });
}

Deno.test("tensors that are too small for tables, or have more than a byte for a group, are left to the generic way", () => {
  const by = (name: keyof FormatTypes, given: object, shape: number[]) => {
    const format = formats.get(name)!, options = format.resolve(given, shape);
    const parts = allocateParts(format.layout(shape, options).parts);
    const out = new Float32Array(shape[0] * shape[1]);
    return decodedByTables(format, parts, shape, options, out);
  };
  assertEquals(by("mxfp4_hf", {}, [511, 32]), false);
  assertEquals(by("mxfp4_hf", {}, [512, 32]), true);
  assertEquals(by("mlx", { mode: "affine" }, [256, 64]), false);
  assertEquals(by("mlx", { mode: "mxfp4" }, [256, 64]), true);
});
