// Wrong kinds at every position of the public surface: what is refused is a
// TypeError or a RangeError that names the argument, and nothing else comes out.

import { assert, assertGreater } from "@std/assert";
import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import {
  allocate,
  backend,
  compare,
  dequantize,
  dequantizeFromInt4,
  formats,
  packInt4ToInt8,
  quantize,
  quantizeToInt4,
  unpackInt8ToInt4,
  useBackend,
} from "../mod.ts";
import { shapeFor } from "./format_cases.ts";

function detached(): Float32Array {
  const array = new Float32Array(64);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function outOfBounds(): Float32Array {
  const buffer = new ArrayBuffer(256, { maxByteLength: 256 });
  const array = new Float32Array(buffer, 0, 64);
  buffer.resize(8);
  return array;
}

/** One of every kind, and values that are wrong nearly everywhere. */
function wrongValues(): unknown[] {
  return [
    ...[
      undefined,
      null,
      true,
      false,
      0,
      -1,
      1.5,
      NaN,
      Infinity,
      2 ** 53,
      1e300,
    ],
    ...[1n, "", "12", "int4", "x".repeat(1000), "\x1b[31m", Symbol("s")],
    ...[[], [[1, 2], [3, 4]], ["1"], [1, null], [NaN], [-1], [
      2 ** 30,
      2 ** 30,
    ]],
    ...[Array(100_000).fill(1), Array(2 ** 31), {}, Object.create(null)],
    ...[
      { length: 3 },
      () => 1,
      class {},
      new Date(0),
      /x/,
      new Map(),
      new Set(),
    ],
    ...[
      new Error("e"),
      Promise.resolve(),
      new WeakMap(),
      Object(1),
      Object("a"),
    ],
    ...[new Uint8Array(64), new Int8Array(63), new Uint8ClampedArray(3)],
    ...[new Int16Array(3), new Float32Array(3), new Float32Array(64).fill(NaN)],
    ...[new Float64Array(64), new BigInt64Array(3), new Float32Array(0)],
    ...[new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)],
    ...[new SharedArrayBuffer(8), detached(), outOfBounds(), Buffer.alloc(64)],
    ...["new Uint8Array(3)", "[1, '2']", "({})", "new Date()"].map((code) =>
      runInNewContext(code)
    ),
  ];
}

/** A call, its arguments, and the name that each position goes by in messages. */
interface Call {
  readonly label: string;
  run(...args: unknown[]): unknown;
  args(): unknown[];
  readonly names: readonly string[];
}

// deno-lint-ignore no-explicit-any -- what is passed is wrong on purpose
type Any = any;

const plain: Call[] = [
  {
    label: "quantizeToInt4",
    run: quantizeToInt4 as Any,
    args: () => [[1, 2, 3], "minmax"],
    names: ["values", "scaleMethod"],
  },
  {
    label: "dequantizeFromInt4",
    run: dequantizeFromInt4 as Any,
    args: () => [Int8Array.of(1, 2), 0.5, 0],
    names: ["quantized", "scale", "zeroPoint"],
  },
  {
    label: "packInt4ToInt8",
    run: packInt4ToInt8 as Any,
    args: () => [Int8Array.of(1, 2)],
    names: ["values"],
  },
  {
    label: "unpackInt8ToInt4",
    run: unpackInt8ToInt4 as Any,
    args: () => [Int8Array.of(1, 2), 3],
    names: ["packed", "length"],
  },
  {
    label: "compare",
    run: compare as Any,
    args: () => [[1, 2], [1, 2]],
    names: ["expected", "actual"],
  },
  {
    label: "allocate",
    run: allocate as Any,
    args: () => [3],
    names: ["length"],
  },
  {
    label: "useBackend",
    run: useBackend as Any,
    args: () => [backend()],
    names: ["backend"],
  },
  {
    label: "quantize",
    run: quantize as Any,
    args: () => [new Float32Array(64), { format: "int4" }],
    names: ["values", "options"],
  },
  {
    label: "dequantize",
    run: dequantize as Any,
    args: () => [quantize(new Float32Array(64)), {}],
    names: ["quantized", "options"],
  },
];

/** What an error may call an argument: its name, or what the call is about. */
const ALSO: Readonly<Record<string, RegExp>> = {
  values: /Cannot (quantize|pack) \S+ (at index \d+|values as shape)/,
  expected: /Cannot compare \d+ values/,
  actual: /Cannot compare \d+ values/,
  options: /option "|Unknown format|format|part "/,
  quantized: /format|shape|part/,
  into: /into|part "/,
  format: /part "|^Format \S+ has no option/,
  shape: /as shape|Cannot lay out shape|part "/,
  parts: /part/,
};

let refused = 0;

function attempt(call: () => unknown, name: string, label: string): void {
  try {
    call();
  } catch (error) {
    refused++;
    const kind = error instanceof TypeError || error instanceof RangeError;
    const message = String((error as Error).message);
    assert(kind, `${label}: ${error}`);
    assert(
      message.includes(name) || ALSO[name]?.test(message),
      `${label}: "${message}" does not name ${name}`,
    );
    assert(message.length < 1000, `${label}: ${message.length} characters`);
  }
}

for (const { label, run, args, names } of plain) {
  Deno.test(`${label} refuses wrong kinds by the name of the argument`, () => {
    const before = backend();
    run(...args());
    names.forEach((name, i) => {
      for (const wrong of wrongValues()) {
        const given = args();
        given[i] = wrong;
        attempt(() => run(...given), name, `${label}(${name})`);
      }
    });
    useBackend(before);
  });
}

/** Each option of each format, and what goes with every format. */
const OPTIONS = [
  ...["format", "shape", "into", "nonFinite"],
  ...["groupSize", "scaleMethod", "range", "importance"],
];

for (const format of formats.keys()) {
  Deno.test(`${format}: every option of quantize and every field of dequantize is checked by kind`, () => {
    const values = new Float32Array(4096).fill(0.5);
    const shape = shapeFor(formats.get(format)!, values.length);
    const call = quantize as (values: unknown, options: unknown) => Any;
    const good = { format, shape }, result = call(values, good);
    for (const wrong of wrongValues()) {
      for (const name of OPTIONS) {
        const options = { ...good, [name]: wrong };
        attempt(() => call(values, options), name, `${format} ${name}`);
      }
      for (const name of ["format", "shape", "parts"]) {
        const into = { ...result, [name]: wrong };
        const label = `${format} into.${name}`;
        attempt(() => call(values, { ...good, into }), "into", label);
      }
      for (const name of ["format", "shape", "options", "parts"]) {
        const tensor = { ...result, [name]: wrong };
        attempt(() => dequantize(tensor), name, `${format} .${name}`);
      }
      attempt(() => dequantize(result, { into: wrong as Any }), "into", format);
      for (const part of Object.keys(result.parts)) {
        for (const broken of [wrong, { ...result.parts[part], data: wrong }]) {
          const parts = { ...result.parts, [part]: broken };
          const label = `${format} part ${part}`;
          attempt(() => dequantize({ ...result, parts }), part, label);
          const into = { ...result, parts };
          attempt(() => call(values, { ...good, into }), part, label);
        }
      }
    }
    assertGreater(refused, 200);
  });
}
