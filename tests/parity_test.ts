// Every format on every backend against its scalar reference, bit for bit, over
// lengths, offsets and option sets. A format is tested the moment it is registered.

import "../src/model/install.ts";
import "../src/model/install_searches.ts";
import { formats } from "../src/formats.ts";
import { allocateParts } from "../src/core.ts";
import {
  allocate,
  type Backend,
  backend as backendInForce,
  useBackend,
} from "../src/kernels/engine.ts";
import type { Format } from "../src/words/format.ts";
import { adversarial } from "./adversarial.ts";
import { casesOf } from "./format_cases.ts";
import { assertSameBytes } from "./same_bytes.ts";

/** Infinite scales, which the adversarial data asks for, are stored as the reference stores them. */
const KEEP = { overflow: "keep" } as const;

const BACKENDS: Backend[] = ["wasm", "js"];

/** What each test puts back: the suite also runs with plain JS forced. */
const INITIAL = backendInForce();

function size(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Options in short: an array of weights by its length. */
function labelOf(options: object): string {
  return JSON.stringify(
    options,
    (_, value) =>
      value instanceof Float32Array ? `${value.length} weights` : value,
  );
}

function check(
  format: Format,
  values: Float32Array,
  shape: number[],
  given: object,
  label: string,
): void {
  const options = format.resolve(given, shape),
    specs = format.layout(shape, options).parts;
  const expected = allocateParts(specs), back = new Float32Array(values.length);
  onPlainJs(() => {
    format.reference.quantize(values, shape, options, expected, KEEP);
    format.reference.dequantize(expected, shape, options, back);
  });
  // The generic way has kernels of its own.
  for (const way of [format, format.reference]) {
    const actual = allocateParts(specs), out = back.slice().fill(NaN);
    for (const part of Object.values(actual)) {
      new Uint8Array(part.data.buffer).fill(0xaa);
    }
    way.quantize(values, shape, options, actual, KEEP);
    for (const [name, { data }] of Object.entries(expected)) {
      assertSameBytes(actual[name].data, data, `${label} quantize ${name}`);
    }
    way.dequantize(expected, shape, options, out);
    assertSameBytes(out, back, `${label} dequantize`);
  }
}

function onPlainJs(work: () => void): void {
  const before = backendInForce();
  useBackend("js");
  work();
  useBackend(before);
}

for (const [name, format] of formats) {
  const cases = casesOf(format);
  for (const backend of BACKENDS) {
    Deno.test(`${name} on ${backend} equals its scalar reference`, () => {
      useBackend(backend);
      for (const { shape, options } of cases) {
        const sets = adversarial(size(shape));
        for (const [set, values] of Object.entries(sets)) {
          check(
            format,
            values,
            shape,
            options,
            `${name} ${backend} [${shape}] ${labelOf(options)} ${set}`,
          );
        }
      }
      useBackend(INITIAL);
    });

    Deno.test(`${name} on ${backend} works at every alignment and in WebAssembly memory`, () => {
      useBackend(backend);
      const { shape, options } = cases[cases.length - 1];
      const n = size(shape),
        values = adversarial(n).gauss,
        inside = allocate(n + 16);
      for (let offset = 0; offset < 5; offset++) {
        const outside = new Float32Array(n + offset).subarray(offset);
        const zeroCopy = inside.subarray(offset, offset + n);
        for (const place of [outside, zeroCopy]) {
          place.set(values);
          check(
            format,
            place,
            shape,
            options,
            `${name} ${backend} offset ${offset}`,
          );
        }
      }
      useBackend(INITIAL);
    });
  }
}
