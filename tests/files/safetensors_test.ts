import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { memorySource } from "../../src/files/file_source.ts";
import { isFloat, readFloats } from "../../src/files/floats.ts";
import { METADATA_COUNT, TENSOR_COUNT } from "../../src/files/limits.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import { planSafetensors } from "../../src/files/safetensors_write.ts";
import { concat, meteredSource, ramp, utf8, vector } from "./support.ts";

/** A file of this header and as many zeros. */
function safetensors(
  header: string | Uint8Array,
  dataBytes = 0,
  declared?: bigint,
): Uint8Array {
  const bytes = typeof header === "string" ? utf8(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(
    0,
    declared ?? BigInt(bytes.length),
    true,
  );
  return concat(length, bytes, new Uint8Array(dataBytes));
}

/** An entry of a header. */
function entry(
  shape: string,
  begin: number | string,
  end: number | string,
  dtype = '"F32"',
) {
  return `{"dtype":${dtype},"shape":${shape},"data_offsets":[${begin},${end}]}`;
}

Deno.test("openSafetensors: every dtype that the library writes", async () => {
  const { tensors } = await openSafetensors(
    memorySource(await vector("dtypes.safetensors")),
  );
  assertEquals(tensors.length, 19);
  for (const { name, dtype, shape, byteLength } of tensors) {
    assertEquals([name, shape], [`t_${dtype}`, [2, 3]]);
    const bits = dtype === "BOOL" ? 8 : Number(/^[A-Z]+(\d+)/.exec(dtype)![1]);
    assertEquals(byteLength, 6 * bits / 8);
  }
});

Deno.test("openSafetensors: names as they are, __proto__ among them", async () => {
  const file = await openSafetensors(
    memorySource(await vector("names.safetensors")),
  );
  const names = file.tensors.map(({ name }) => name);
  const expected = [
    "",
    "10",
    "9",
    "__proto__",
    "a",
    "a.b",
    "aa",
    "b",
    'z\n"\\\x01\x7f/',
    "é",
    "\uff21",
    "😀",
  ];
  assertEquals(names, expected);
  assertEquals([...file.metadata], [["k\t", "v\u2028é😀"]]);
});

Deno.test("openSafetensors: values of every float, and tensors without any", async () => {
  const file = await openSafetensors(
    memorySource(await vector("mixed.safetensors")),
  );
  assertEquals([...file.metadata], [["format", "np"]]);
  for (const tensor of file.tensors) {
    if (!isFloat(tensor.dtype)) continue;
    const values = new Float32Array(tensor.shape.reduce((a, b) => a * b, 1));
    await readFloats(file, tensor, 0, values);
    assertEquals([...values], ramp(values.length));
  }
  assertEquals(file.tensors.map(({ name }) => name).sort(), [
    "brain",
    "double",
    "empty",
    "half",
    "ids",
    "scalar",
    "weight",
  ]);
});

const good = safetensors(
  `{"a":${entry("[2]", 0, 8)},"b":${entry("[1]", 8, 12)}}`,
  12,
);
/** So many fields of JSON, each an empty text. */
function texts(count: number): string {
  return Array.from({ length: count }, (_, i) => `"${i}":""`).join();
}

const twins: [
  what: string,
  bad: Uint8Array,
  message: string,
  good?: Uint8Array,
][] = [
  ["a file of 7 bytes", new Uint8Array(7), "it has 7 bytes", safetensors("{}")],
  [
    "a header behind the end",
    safetensors("{}", 0, 3n),
    "header of 3 bytes ends beyond the file of 10",
  ],
  [
    "a header of 2^63",
    safetensors("{}", 0, 2n ** 63n),
    "above the limit of 100000000",
  ],
  [
    "a header of 2^64 - 1",
    safetensors("{}", 0, 2n ** 64n - 1n),
    "above the limit",
  ],
  ["no header", safetensors(""), "does not start with {"],
  [
    "a space before the header",
    safetensors(" {}"),
    "does not start with {",
    safetensors("{}  "),
  ],
  ["an array for a header", safetensors("[]"), "does not start with {"],
  ["half a header", safetensors('{"a":'), "expected a value"],
  [
    "a zero behind the header",
    safetensors("{}\0"),
    "something follows the value",
  ],
  ["a byte order mark", safetensors("\ufeff{}"), "does not start with {"],
  [
    "no UTF-8",
    safetensors(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)),
    "is not UTF-8",
  ],
  [
    "an overlong encoding",
    safetensors(Uint8Array.of(0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d)),
    "is not UTF-8",
  ],
  ["one byte too few", good.subarray(0, -1), "take 12 bytes, but 11 follow"],
  ["one byte too many", concat(good, [0]), "take 12 bytes, but 13 follow"],
  [
    "a hole at the start",
    safetensors(`{"a":${entry("[2]", 4, 12)}}`, 12),
    'tensor "a" starts at 4 and leaves a hole before it (0)',
  ],
  [
    "a hole",
    safetensors(`{"a":${entry("[2]", 0, 8)},"b":${entry("[1]", 12, 16)}}`, 16),
    'tensor "b" starts at 12 and leaves a hole before it (8)',
  ],
  [
    "an overlap",
    safetensors(`{"a":${entry("[2]", 0, 8)},"b":${entry("[2]", 4, 12)}}`, 12),
    'tensor "b" starts at 4 and overlaps what lies before it (8)',
  ],
  [
    "the same bytes twice",
    safetensors(`{"a":${entry("[2]", 0, 8)},"b":${entry("[2]", 0, 8)}}`, 8),
    "overlaps",
  ],
  [
    "an end before its begin",
    safetensors(`{"a":${entry("[2]", 8, 0)}}`, 8),
    "data_offsets are 8, 0",
  ],
  [
    "offsets that the shape denies",
    safetensors(`{"a":${entry("[3]", 0, 8)}}`, 8),
    "takes 12 bytes by shape and dtype, but its data_offsets are 0, 8",
  ],
  [
    "a huge shape",
    safetensors(`{"a":${entry("[9007199254740991]", 0, 8)}}`, 8),
    "more than 2^53 - 1",
  ],
  [
    "a shape beyond 2^53",
    safetensors(`{"a":${entry("[9007199254740992]", 0, 8)}}`, 8),
    "9007199254740992 is no integer",
  ],
  [
    "a product beyond 2^53",
    safetensors(`{"a":${entry("[134217728,134217728]", 0, 8)}}`, 8),
    "more than 2^53 - 1",
  ],
  [
    "a product that wraps to 8 in 64 bits",
    safetensors(`{"a":${entry("[4611686018427387904,4,2]", 0, 8)}}`, 8),
    "no integer from 0 to 2^53 - 1",
  ],
  [
    "a product beyond 2^53 beside a zero",
    safetensors(`{"a":${entry("[0,134217728,134217728]", 0, 0)}}`),
    "more than 2^53 - 1",
    safetensors(`{"a":${entry("[0,134217728]", 0, 0)}}`),
  ],
  [
    "a terabyte",
    safetensors(`{"a":${entry("[274877906944]", 0, 1099511627776)}}`, 8),
    "take 1099511627776 bytes, but 8 follow",
  ],
  [
    "a negative dimension",
    safetensors(`{"a":${entry("[-2]", 0, 8)}}`, 8),
    "-2 is no integer",
  ],
  [
    "a fraction",
    safetensors(`{"a":${entry("[2.0]", 0, 8)}}`, 8),
    "2.0 is no integer",
  ],
  [
    "an exponent",
    safetensors(`{"a":${entry("[2e0]", 0, 8)}}`, 8),
    "2e0 is no integer",
  ],
  [
    "a dimension as text",
    safetensors(`{"a":${entry('["2"]', 0, 8)}}`, 8),
    "has no shape of integers",
  ],
  [
    "a negative offset",
    safetensors(`{"a":${entry("[2]", -8, 0)}}`, 8),
    "-8 is no integer",
  ],
  [
    "one offset",
    safetensors('{"a":{"dtype":"F32","shape":[],"data_offsets":[4]}}', 4),
    "data_offsets of two",
    safetensors('{"a":{"shape":[],"data_offsets":[0,4],"dtype":"F32"}}', 4),
  ],
  [
    "no offsets",
    safetensors('{"a":{"dtype":"F32","shape":[]}}', 4),
    "data_offsets of two",
  ],
  [
    "no dtype",
    safetensors('{"a":{"shape":[],"data_offsets":[0,4]}}', 4),
    "has no dtype",
  ],
  [
    "no shape",
    safetensors('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4),
    "has no shape",
  ],
  [
    "an empty entry, long before the header goes wrong",
    safetensors('{"0":{},"1":{},"2'),
    'tensor "0" has no dtype',
  ],
  [
    "an entry of more values than any tensor has",
    safetensors(`{"a":${entry(`[${Array(200).fill(1)}]`, 0, 4)}}`, 4),
    "more than 128 values",
    safetensors(`{"a":${entry(`[${Array(64).fill(1)}]`, 0, 4)}}`, 4),
  ],
  [
    "metadata of more texts than anybody writes",
    safetensors(`{"__metadata__":{${texts(METADATA_COUNT + 1)}}}`),
    `more than ${METADATA_COUNT + 1} values`,
    safetensors(`{"__metadata__":{${texts(METADATA_COUNT)}}}`),
  ],
  [
    "more tensors than the limit, each of them right",
    safetensors(
      `{${
        Array.from(
          { length: TENSOR_COUNT + 1 },
          (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`,
        )
      }}`,
    ),
    `more tensors than the limit of ${TENSOR_COUNT}`,
  ],
  [
    "65 dimensions",
    safetensors(`{"a":${entry(`[${Array(65).fill(1)}]`, 0, 4)}}`, 4),
    "65 dimensions",
    safetensors(`{"a":${entry(`[${Array(64).fill(1)}]`, 0, 4)}}`, 4),
  ],
  [
    "an unknown dtype",
    safetensors(`{"a":${entry("[2]", 0, 8, '"F33"')}}`, 8),
    'unknown dtype "F33"',
  ],
  [
    "a dtype of an object's prototype",
    safetensors(`{"a":${entry("[2]", 0, 8, '"constructor"')}}`, 8),
    'unknown dtype "constructor"',
  ],
  [
    "a dtype that is a number",
    safetensors(`{"a":${entry("[2]", 0, 8, "32")}}`, 8),
    "has no dtype",
  ],
  [
    "half a byte",
    safetensors(`{"a":${entry("[3]", 0, 1, '"F4"')}}`, 1),
    "does not fill whole bytes",
    safetensors(`{"a":${entry("[4]", 0, 2, '"F4"')}}`, 2),
  ],
  [
    "an unknown key",
    safetensors(
      '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"strides":[1]}}',
      4,
    ),
    'unknown key "strides"',
  ],
  [
    "a tensor twice",
    safetensors(`{"a":${entry("[0]", 0, 0)},"a":${entry("[0]", 0, 0)}}`),
    'key "a" comes twice',
    safetensors(`{"a":${entry("[0]", 0, 0)},"b":${entry("[0]", 0, 0)}}`),
  ],
  [
    "a dtype twice",
    safetensors(
      '{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
    ),
    'key "dtype" comes twice',
  ],
  [
    "metadata twice",
    safetensors('{"__metadata__":{},"__metadata__":{}}'),
    "comes twice",
    safetensors('{"__metadata__":{}}'),
  ],
  [
    "metadata with a key twice",
    safetensors('{"__metadata__":{"a":"","a":""}}'),
    "comes twice",
    safetensors('{"__metadata__":{"a":"","b":""}}'),
  ],
  [
    "metadata that is no object",
    safetensors('{"__metadata__":"x"}'),
    "__metadata__ is no object",
  ],
  [
    "metadata that is no text",
    safetensors('{"__metadata__":{"a":1}}'),
    '__metadata__ "a" is no string',
    safetensors('{"__metadata__":{"a":"1"}}'),
  ],
  [
    "a tensor that is no object",
    safetensors('{"a":[]}'),
    'tensor "a" is no object',
  ],
  [
    "deep nesting",
    safetensors(`{"a":${"[".repeat(5000)}`),
    "nesting deeper than 16",
  ],
  [
    "a name of escape sequences",
    safetensors('{"\\u001b[2J\\n\u202e":1}'),
    'tensor "\\u{1b}[2J\\u{a}\\u{202e}" is no object',
  ],
];

for (const [what, bad, message, accepted = good] of twins) {
  Deno.test(`openSafetensors: ${what} is refused, its twin read`, async () => {
    const reading = () => openSafetensors(meteredSource(bad, bad.length));
    const error = await assertRejects(reading, SyntaxError, message);
    assert(
      error.message.startsWith("Cannot read probe as safetensors: "),
      error.message,
    );
    assert(!/\p{Cc}/u.test(error.message), error.message);
    await openSafetensors(memorySource(accepted));
  });
}

Deno.test("openSafetensors: a name of a megabyte makes a short message", async () => {
  const name = "x".repeat(1 << 20);
  const error = await assertRejects(() =>
    openSafetensors(memorySource(safetensors(`{"${name}":1}`)))
  );
  assert((error as Error).message.length < 300);
});

Deno.test("openSafetensors: tensors come in the order of their bytes, empty ones before what follows", async () => {
  const header = `{"c":${entry("[1]", 8, 12)},"a":${
    entry("[2]", 0, 8)
  },"none":${entry("[0]", 8, 8)},"last":${entry("[0,7]", 12, 12)}}`;
  const { tensors } = await openSafetensors(
    memorySource(safetensors(header, 12)),
  );
  assertEquals(tensors.map(({ name }) => name), ["a", "none", "c", "last"]);
});

Deno.test("openSafetensors: random headers are refused with a SyntaxError or read within the file", async () => {
  const numbers = ["0", "4", "8", "-4", "1e9", "999999999999999999", "2"];
  const texts = [
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"F32"',
    '"a"',
    '"__metadata__"',
  ];
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "é",
    entry("[2]", 0, 8),
    ...numbers,
    ...texts,
  ];
  const headers = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map((all) =>
      utf8("{" + all.join(""))
    ),
    fc.record({
      shape: fc.array(fc.maxSafeInteger(), { maxLength: 3 }),
      end: fc.maxSafeInteger(),
    })
      .map(({ shape, end }) => utf8(`{"a":${entry(`[${shape}]`, 0, end)}}`)),
  );
  const declared = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), {
    nil: undefined,
  });
  await fc.assert(
    fc.asyncProperty(
      headers,
      fc.nat(20),
      declared,
      async (header, extra, length) => {
        const bytes = safetensors(header, extra, length);
        try {
          const { tensors } = await openSafetensors(
            meteredSource(bytes, bytes.length),
          );
          for (const { offset, byteLength } of tensors) {
            assert(
              offset + byteLength <= bytes.length,
            );
          }
        } catch (error) {
          assert(error instanceof SyntaxError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

for (const name of ["dtypes", "names", "mixed", "none"]) {
  Deno.test(`planSafetensors: ${name}.safetensors as the library writes it`, async () => {
    const bytes = await vector(`${name}.safetensors`);
    const file = await openSafetensors(memorySource(bytes));
    const shuffled = [...file.tensors].reverse();
    const plan = planSafetensors(shuffled, file.metadata);
    assertEquals(plan.size, bytes.length);
    assertEquals(plan.header, bytes.subarray(0, plan.header.length));
    assertEquals(plan.tensors, file.tensors);
  });
}

Deno.test("planSafetensors: comes back through openSafetensors", async () => {
  const names = fc.string({ unit: "grapheme", maxLength: 8 }).filter((name) =>
    name !== "__metadata__"
  );
  const tensors = fc.uniqueArray(
    fc.record({
      name: names,
      dtype: fc.constantFrom("F32", "F16", "U8", "I64", "BOOL"),
      shape: fc.array(fc.nat(4), { maxLength: 4 }),
    }),
    { selector: ({ name }) => name, maxLength: 8 },
  );
  const metadata = fc.array(fc.tuple(names, fc.string())).map((pairs) =>
    new Map(pairs)
  );
  await fc.assert(
    fc.asyncProperty(tensors, metadata, async (entries, metadata) => {
      const plan = planSafetensors(entries, metadata);
      const bytes = concat(
        plan.header,
        new Uint8Array(plan.size - plan.header.length),
      );
      const file = await openSafetensors(memorySource(bytes));
      assertEquals([...file.metadata], [...metadata]);
      // Empty tensors share their offset, so the order of the file is not theirs.
      const byName = (a: { name: string }, b: { name: string }) =>
        a.name < b.name ? -1 : 1;
      assertEquals(
        [...file.tensors].sort(byName),
        [...plan.tensors].sort(byName),
      );
    }),
  );
});

Deno.test("planSafetensors: refuses what the format cannot hold", () => {
  const plan = (name: string, dtype = "F32", shape = [2]) => ({
    name,
    dtype,
    shape,
  });
  const refused: [Parameters<typeof planSafetensors>, string][] = [
    [[[plan("a"), plan("a")]], 'two tensors named "a"'],
    [[[plan("__metadata__")]], "a tensor named __metadata__"],
    [[[plan("a", "Q4_0")]], 'unknown dtype "Q4_0"'],
    [[[plan("a", "F4", [3])]], "does not fill whole bytes"],
    [[[plan("a", "F32", [-1])]], "dimension 0 is -1"],
    [[[plan("\ud800")]], "half a surrogate pair"],
    [[[], new Map([["a", "\udc00"]])], "half a surrogate pair"],
  ];
  for (const [args, message] of refused) {
    assertThrows(() => planSafetensors(...args), RangeError, message);
  }
  assertEquals(planSafetensors([plan("a"), plan("b")]).size, 8 + 112 + 16);
});
