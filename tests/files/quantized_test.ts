import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { memorySource } from "../../src/files/file_source.ts";
import {
  entryName,
  planParts,
  type QuantizedPlan,
} from "../../src/files/parts.ts";
import {
  describeQuantized,
  QUANTIZED_KEY,
  sortTensors,
} from "../../src/files/quantized.ts";
import { shapeFor } from "../format_cases.ts";
import { readQuantized } from "./read_quantized.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import { planSafetensors } from "../../src/files/safetensors_write.ts";
import { formats } from "../../src/formats.ts";
import { dequantize, type FormatName, quantize } from "../../src/quantize.ts";
import type { QuantizedTensor } from "../../src/words/format.ts";

/** The bytes of a file with these tensors and one plain one. */
function fileOf(
  tensors: Record<string, QuantizedTensor>,
  text?: string,
): Uint8Array {
  const plans: QuantizedPlan[] = Object.entries(tensors).map(
    ([name, { format, ...rest }]) => {
      return {
        name,
        format: formats.get(format as FormatName)!,
        shape: rest.shape,
        options: rest.options,
      };
    },
  );
  const entries = [...plans.flatMap((plan) => planParts(plan)), {
    name: "bias",
    dtype: "F32",
    shape: [1],
  }];
  const metadata = new Map([[
    QUANTIZED_KEY,
    text ?? [...describeQuantized(plans)],
  ]]);
  const plan = planSafetensors(entries, metadata);
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  const parts = new Map<string, ArrayBufferView>(
    Object.entries(tensors).flatMap(([name, { format, parts }]) =>
      Object.entries(parts).map(([part, { data }]) =>
        [
          entryName(formats.get(format as FormatName)!, name, part),
          data,
        ] as const
      )
    ),
  );
  for (const { name, offset } of plan.tensors) {
    const data = parts.get(name);
    if (data !== undefined) {
      bytes.set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        offset,
      );
    }
  }
  return bytes;
}

/** Opens these bytes and sorts their tensors. */
async function sorted(bytes: Uint8Array) {
  const file = await openSafetensors(memorySource(bytes, "probe"));
  return { file, ...await sortTensors(file) };
}

const wave = (length: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7));
const values = wave(6 * 64);

for (const [name, format] of formats) {
  Deno.test(`quantized: a ${name} tensor comes back from a file`, async () => {
    // A whole number of blocks of any format.
    const shape = shapeFor(format, 4096);
    const values = wave(4096);
    const tensor = quantize(values, {
      format: name as FormatName,
      shape,
    }) as unknown as QuantizedTensor;
    const { file, quantized, plain } = await sorted(fileOf({ W: tensor }));
    assertEquals(plain.map(({ name }) => name), ["bias"]);
    assertEquals(quantized.map(({ name }) => name), ["W"]);
    const read = await readQuantized(file, quantized[0]);
    assertEquals(read, tensor);
    assertEquals(dequantize(read), dequantize(tensor));
  });
}

const int4 = (
  groupSize: number | "row" | "tensor",
  scaleMethod: "absmax" | "minmax" | "affine",
) =>
  quantize(values, {
    shape: [6, 64],
    groupSize,
    scaleMethod,
  }) as unknown as QuantizedTensor;

Deno.test("quantized: names of any kind, options of every kind, several tensors", async () => {
  const tensors = {
    "model.layers.0.weight": int4(32, "affine"),
    "10": int4("row", "minmax"),
    "9": int4("tensor", "absmax"),
    'é"\n': int4(5, "absmax"),
    constructor: int4("row", "affine"),
  };
  const all = Object.assign(Object.create(null), tensors, {
    ["__proto__x"]: int4(16, "absmax"),
  });
  const { file, quantized } = await sorted(fileOf(all));
  assertEquals(quantized.length, 6);
  for (const entry of quantized) {
    assertEquals(await readQuantized(file, entry), all[entry.name]);
  }
});

Deno.test("quantized: a tensor named __proto__ is one like any other", async () => {
  const format = formats.get("int4")!;
  const plan = {
    name: "__proto__",
    format,
    shape: [8],
    options: { groupSize: "tensor", scaleMethod: "absmax" },
  };
  const laid = planSafetensors(
    planParts(plan),
    new Map([[QUANTIZED_KEY, [...describeQuantized([plan])]]]),
  );
  const bytes = new Uint8Array(laid.size);
  bytes.set(laid.header);
  const { quantized } = await sorted(bytes);
  assertEquals(quantized.map(({ name }) => name), ["__proto__"]);
});

Deno.test("quantized: a file without the key has plain tensors only", async () => {
  const plan = planSafetensors(
    [{ name: "W.codes", dtype: "U8", shape: [4] }],
    new Map([["x", "y"]]),
  );
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  const { quantized, plain } = await sorted(bytes);
  assertEquals([quantized.length, plain.length], [0, 1]);
});

const tensor = int4(32, "affine");
const options = '{"groupSize":32,"scaleMethod":"affine"}';
const record = (fields: string) => `{"version":1,"tensors":{"W":{${fields}}}}`;
const good = record(`"format":"int4","shape":[6,64],"options":${options}`);

const twins: [what: string, bad: string, message: string, good?: string][] = [
  ["no JSON", "int4", "expected a value"],
  ["no object", "[]", "it is no object"],
  [
    "no version",
    '{"tensors":{}}',
    "its version is none",
    '{"version":1,"tensors":{}}',
  ],
  [
    "a later version",
    '{"version":2,"tensors":{}}',
    "its version is 2, this program reads 1",
  ],
  [
    "an unknown key",
    '{"version":1,"tensors":{},"x":0}',
    'it has an unknown key "x"',
  ],
  ["no tensors", '{"version":1}', "tensors is no object"],
  [
    "a tensor twice",
    '{"version":1,"tensors":{"W":{},"W":{}}}',
    'key "W" comes twice',
  ],
  [
    "a tensor that is text",
    '{"version":1,"tensors":{"W":"int4"}}',
    'tensor "W" is no object',
  ],
  [
    "an unknown key of a tensor",
    good.replace('"shape"', '"x":1,"shape"'),
    'unknown key "x"',
  ],
  [
    "no format",
    record(`"shape":[6,64],"options":${options}`),
    "unknown format that is no string",
  ],
  ["an unknown format", good.replace("int4", "int5"), 'unknown format "int5"'],
  [
    "a format of an object's prototype",
    good.replace("int4", "constructor"),
    'unknown format "constructor"',
  ],
  [
    "no shape",
    record(`"format":"int4","options":${options}`),
    "has no shape of integers",
  ],
  [
    "a shape of text",
    good.replace("[6,64]", '["6",64]'),
    "has no shape of integers",
  ],
  [
    "a negative dimension",
    good.replace("[6,64]", "[-6,64]"),
    "dimension 0 is -6",
  ],
  ["a fraction", good.replace("[6,64]", "[6.5,64]"), "dimension 0 is 6.5"],
  [
    "a product beyond 2^53",
    good.replace("[6,64]", "[134217728,134217728]"),
    "more than 2^53 - 1",
  ],
  [
    "another shape",
    good.replace("[6,64]", "[6,66]"),
    'its part "codes" is U8 [6,32], not U8 [6,33]',
  ],
  [
    "a shape of the same size",
    good.replace("[6,64]", "[3,128]"),
    'its part "codes" is U8 [6,32], not U8 [3,64]',
  ],
  ["no options", record('"format":"int4","shape":[6,64]'), "options of tensor"],
  [
    "options with an array",
    good.replace("32,", "[32],"),
    'Cannot store option "groupSize"',
  ],
  [
    "an option beyond the numbers",
    good.replace("32,", "1e999,"),
    'option "groupSize": it is Infinity',
  ],
  [
    "an unknown option",
    good.replace("groupSize", "groupsize"),
    'no option "groupsize"',
  ],
  [
    "__proto__ for an option",
    good.replace('"groupSize"', '"__proto__"'),
    'no option "__proto__"',
  ],
  ["a bad option", good.replace("32,", "0,"), "not the number 0"],
  [
    "an option with a line break",
    good.replace("affine", "a\\n\\u001b[2J"),
    '"affine", not the string "a\\n\\u001b[2J"',
  ],
  [
    "options that make other parts",
    good.replace("32,", "16,"),
    'its part "scales" is F32 [6,2], not F32 [6,4]',
  ],
  [
    "a part that is missing",
    good.replace('"W"', '"V"'),
    'tensor "V": its part "codes" is not in the file',
  ],
  [
    "the name of a plain tensor",
    good.replace('"W"', '"bias"'),
    'tensor "bias" is there unquantized too',
  ],
  ["deep nesting", good.replace("32,", `${"[".repeat(99)},`), "nesting deeper"],
];

for (const [what, bad, message, accepted = good] of twins) {
  Deno.test(`quantized: ${what} is refused, its twin read`, async () => {
    assert(bad !== accepted);
    const reading = () => sorted(fileOf({ W: tensor }, bad));
    const error = await assertRejects(reading, SyntaxError, message);
    assert(
      error.message.startsWith(
        'Cannot read probe: __metadata__ "nibblewise": ',
      ),
      error.message,
    );
    assert(!/\p{Cc}/u.test(error.message), error.message);
    const { quantized } = await sorted(fileOf({ W: tensor }, accepted));
    assertEquals(quantized.length, accepted === good ? 1 : 0);
  });
}

Deno.test("quantized: random metadata is refused with a SyntaxError or fits the file", async () => {
  const shapes = fc.array(
    fc.oneof(fc.nat(70), fc.maxSafeInteger(), fc.double()),
    { maxLength: 3 },
  );
  const records = fc.record({
    format: fc.oneof(fc.constantFrom(...formats.keys()), fc.string()),
    shape: fc.oneof(fc.constant([6, 64]), shapes),
    options: fc.dictionary(
      fc.constantFrom("groupSize", "scaleMethod", "__proto__", "range"),
      fc.oneof(
        fc.integer(),
        fc.double(),
        fc.constantFrom("row", "tensor", "affine", null),
        fc.jsonValue(),
      ),
    ),
  }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(fc.oneof(records, fc.jsonValue()), async (record) => {
      const text = JSON.stringify({ version: 1, tensors: { W: record } });
      try {
        const { quantized } = await sorted(fileOf({ W: tensor }, text));
        assertEquals(quantized[0].parts.get("codes")?.byteLength, 192);
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("describeQuantized: refuses options that JSON cannot hold", () => {
  const format = formats.get("int4")!;
  for (const value of [NaN, Infinity, null, [1], undefined]) {
    const plan = { name: "W", format, shape: [8], options: { range: value } };
    assertThrows(
      () => [...describeQuantized([plan])],
      RangeError,
      'Cannot store option "range"',
    );
  }
  const plan = { name: "W", format, shape: [8], options: { groupSize: 4 } };
  assertEquals(
    [...describeQuantized([plan])].join(""),
    '{"version":1,"tensors":{"W":{"format":"int4","shape":[8],"options":{"groupSize":4}}}}',
  );
});
