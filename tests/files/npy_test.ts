import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { memorySource } from "../../src/files/file_source.ts";
import { readFloats } from "../../src/files/floats.ts";
import { npyHeader, openNpy } from "../../src/files/npy.ts";
import { concat, meteredSource, ramp, utf8, vector } from "./support.ts";

const golden: [file: string, dtype: string, shape: number[], flags?: string][] =
  [
    ["f4_c", "F32", [3, 5]],
    ["f4_scalar", "F32", []],
    ["f4_empty", "F32", [0, 4]],
    ["f4_fortran", "F32", [3, 5], "fortranOrder"],
    ["f2_c", "F16", [7]],
    ["f2_big_fortran", "F16", [2, 3, 4], "bigEndian fortranOrder"],
    ["f4_big", "F32", [2, 3], "bigEndian"],
    ["f8_c", "F64", [4, 2]],
    ["f8_big_fortran", "F64", [3, 2, 2], "bigEndian fortranOrder"],
    ["f4_version2", "F32", [2, 2]],
    ["f4_version3", "F32", [2, 2]],
  ];

for (const [name, dtype, shape, flags = ""] of golden) {
  Deno.test(`openNpy: ${name}.npy as numpy wrote it`, async () => {
    const file = await openNpy(memorySource(await vector(`${name}.npy`)), "W");
    const [tensor] = file.tensors;
    assertEquals(file.container, "npy");
    assertEquals([tensor.name, tensor.dtype, tensor.shape], [
      "W",
      dtype,
      shape,
    ]);
    assertEquals(tensor.bigEndian ?? false, flags.includes("bigEndian"));
    assertEquals(tensor.fortranOrder ?? false, flags.includes("fortranOrder"));
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await readFloats(file, tensor, 0, values);
    assertEquals(
      [...values],
      name === "f4_scalar" ? [-12] : ramp(values.length),
    );
  });
}

Deno.test("openNpy: bfloat16 is opaque until the caller says so", async () => {
  const bytes = await vector("bf16_c.npy");
  const opaque = await openNpy(memorySource(bytes), "W");
  assertEquals([opaque.tensors[0].dtype, opaque.tensors[0].byteLength], [
    "V2",
    18,
  ]);
  const file = await openNpy(memorySource(bytes), "W", { dtype: "BF16" });
  const values = new Float32Array(9);
  await readFloats(file, file.tensors[0], 0, values);
  assertEquals([...values], ramp(9));
});

Deno.test("openNpy: a dtype that the header denies is refused", async () => {
  const bytes = await vector("f2_c.npy");
  const reading = openNpy(memorySource(bytes), "W", { dtype: "BF16" });
  await assertRejects(
    () => reading,
    SyntaxError,
    'its dtype is F16 ("<f2"), not BF16',
  );
  assertEquals(
    (await openNpy(memorySource(bytes), "W", { dtype: "F16" })).tensors.length,
    1,
  );
});

Deno.test("openNpy: other dtypes are listed, not read", async () => {
  for (const [name, dtype] of [["i8_c", "I64"], ["int4", "V1"]]) {
    const file = await openNpy(memorySource(await vector(`${name}.npy`)), "W");
    assertEquals(file.tensors[0].dtype, dtype);
    const reading = readFloats(file, file.tensors[0], 0, new Float32Array(1));
    await assertRejects(() => reading, RangeError, `its dtype is "${dtype}"`);
  }
});

Deno.test("openNpy: records and pickled objects are refused", async () => {
  const records = openNpy(
    memorySource(await vector("records.npy"), "r.npy"),
    "W",
  );
  await assertRejects(
    () => records,
    SyntaxError,
    "Cannot read r.npy as .npy: it holds records",
  );
  const objects = openNpy(memorySource(await vector("objects.npy")), "W");
  await assertRejects(() => objects, SyntaxError, "pickled Python objects");
});

/** A file of this header and as many zeros. */
function npy(
  header: string,
  dataBytes: number,
  version = [1, 0],
  declared = header.length,
) {
  const length = new Uint8Array(version[0] === 1 ? 2 : 4);
  new DataView(length.buffer)[version[0] === 1 ? "setUint16" : "setUint32"](
    0,
    declared,
    true,
  );
  const magic = [0x93, ...utf8("NUMPY"), ...version];
  return concat(magic, length, utf8(header), new Uint8Array(dataBytes));
}

/** A header with this shape of float32. */
const shaped = (shape: string) =>
  `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }\n`;
/** A header with this dtype, two of it. */
const typed = (descr: string) =>
  `{'descr': ${descr}, 'fortran_order': False, 'shape': (2,), }\n`;

const good = npy(shaped("(2, 3)"), 24);
const twins: [
  what: string,
  bad: Uint8Array,
  message: string,
  good?: Uint8Array,
][] = [
  [
    "one byte too few",
    good.subarray(0, -1),
    "(2, 3) of F32 takes 24 bytes, but 23 follow",
  ],
  ["one byte too many", concat(good, [0]), "takes 24 bytes, but 25 follow"],
  [
    "a wrong magic",
    concat([0x92], good.subarray(1)),
    "does not start with \\x93NUMPY",
  ],
  [
    "version 4",
    npy(shaped("(2,)"), 8, [4, 0]),
    "version is 4.0",
    npy(shaped("(2,)"), 8, [3, 0]),
  ],
  ["version 1.1", npy(shaped("(2,)"), 8, [1, 1]), "version is 1.1"],
  [
    "a header behind the end",
    npy(shaped("(2, 3)"), 0, [1, 0], 9000),
    "ends beyond the file",
  ],
  [
    "a header of 4 GiB",
    npy(shaped("(2, 3)"), 24, [2, 0], 2 ** 32 - 1),
    "limit of 10000",
    npy(shaped("(2, 3)"), 24, [2, 0]),
  ],
  [
    "a header of 10001",
    npy(shaped("(2,)").padEnd(10001), 8, [2, 0]),
    "limit of 10000",
    npy(shaped("(2,)").padEnd(10000), 8, [2, 0]),
  ],
  ["nine bytes", good.subarray(0, 9), "does not start with"],
  ["no header", npy("", 0), "has no { at character 0"],
  [
    "a huge count",
    npy(shaped("(9007199254740991,)"), 24),
    "more than 2^53 - 1",
  ],
  [
    "a count beyond 2^53",
    npy(shaped("(99999999999999999999,)"), 24),
    "dimension 0 is 100000000000000000000",
  ],
  [
    "a product beyond 2^53",
    npy(shaped("(134217728, 134217728)"), 24),
    "more than 2^53 - 1",
  ],
  [
    "a product beyond 2^53 beside a zero",
    npy(shaped("(134217728, 134217728, 0)"), 0),
    "more than 2^53 - 1",
    npy(shaped("(134217728, 4, 0)"), 0),
  ],
  [
    "a count of a terabyte",
    npy(shaped("(274877906944,)"), 24),
    "takes 1099511627776 bytes, but 24 follow",
  ],
  [
    "a negative dimension",
    npy(shaped("(-1, 6)"), 24),
    "no dimension from 0 up at character 51",
  ],
  [
    "two negative dimensions",
    npy(shaped("(-2, -3)"), 24),
    "no dimension from 0 up",
  ],
  [
    "a fraction",
    npy(shaped("(1.5, 4)"), 24),
    "has no comma",
    npy(shaped("(1, 6)"), 24),
  ],
  [
    "an exponent",
    npy(shaped("(6e0,)"), 24),
    "has no comma",
    npy(shaped("(6,)"), 24),
  ],
  ["no tuple", npy(shaped("(6)"), 24), "has no comma", npy(shaped("(6,)"), 24)],
  ["a list", npy(shaped("[6]"), 24), "has no (", npy(shaped("(6L,)"), 24)],
  ["a leading zero", npy(shaped("(06,)"), 24), "without leading zeros"],
  [
    "65 dimensions",
    npy(shaped(`(${"1, ".repeat(65)})`), 4),
    "65 dimensions",
    npy(shaped(`(${"1, ".repeat(64)})`), 4),
  ],
  ["an expression", npy(shaped("(2*3,)"), 24), "has no comma"],
  [
    "a call",
    npy("__import__('os').system('true')", 0),
    "has no { at character 0",
  ],
  [
    "a missing key",
    npy("{'descr': '<f4', 'shape': (6,)}", 24),
    "not descr, fortran_order, shape",
  ],
  ["an unknown key", npy(shaped("(6,), 'x': 1"), 24), 'unknown key "x"'],
  [
    "__proto__",
    npy(shaped("(6,), '__proto__': 1"), 24),
    'unknown key "__proto__"',
  ],
  ["a key twice", npy(shaped("(6,), 'shape': (6,)"), 24), 'key "shape" twice'],
  [
    "fortran_order 1",
    npy("{'descr': '<f4', 'fortran_order': 1, 'shape': (6,)}", 24),
    "True or False",
    npy("{'descr':'<f4','fortran_order':True,'shape':(6,)}", 24),
  ],
  [
    "something behind",
    npy(shaped("(6,)") + "x", 24),
    "has no end",
    npy(shaped("(6,)") + " \n ", 24),
  ],
  ["an open string", npy("{'descr': '<f4", 0), "has no string"],
  [
    "bytes beyond ASCII",
    npy(shaped("(6,)").replace("}", "}\xa0"), 24),
    "is not ASCII",
  ],
  [
    "a native order",
    npy(typed("'=f4'"), 8),
    'its dtype "=f4"',
    npy(typed("'<f4'"), 8),
  ],
  ["no order", npy(typed("'f4'"), 8), 'its dtype "f4"', npy(typed('"<f4"'), 8)],
  [
    "an order of none for four bytes",
    npy(typed("'|f4'"), 8),
    'its dtype "|f4"',
    npy(typed("'|u1'"), 2),
  ],
  [
    "a float of 3 bytes",
    npy(typed("'<f3'"), 6),
    'its dtype "<f3"',
    npy(typed("'<f2'"), 4),
  ],
  ["text", npy(typed("'<U4'"), 32), 'its dtype "<U4"', npy(typed("'|V4'"), 8)],
  [
    "no bytes",
    npy(typed("'|V0'"), 0),
    'its dtype "|V0"',
    npy(typed("'|V1'"), 2),
  ],
  [
    "escape sequences in a dtype",
    npy(typed("'\x1b[2J'"), 8),
    'its dtype "\\u{1b}[2J"',
  ],
];

for (const [what, bad, message, accepted = good] of twins) {
  Deno.test(`openNpy: ${what} is refused, its twin read`, async () => {
    const reading = () => openNpy(meteredSource(bad, 12 + 10_000), "W");
    const error = await assertRejects(reading, SyntaxError, message);
    assert(!error.message.includes("\n"), error.message);
    assertEquals(
      (await openNpy(memorySource(accepted), "W")).tensors.length,
      1,
    );
  });
}

Deno.test("openNpy: other writers may order and space the header as they like", async () => {
  const header = '{ "shape":(2,3), "fortran_order" :True,\t"descr": ">f8" }';
  const { tensors } = await openNpy(memorySource(npy(header, 48)), "W");
  const flags = { bigEndian: true, fortranOrder: true };
  const where = { offset: 10 + header.length, byteLength: 48 };
  assertEquals(tensors, [{
    name: "W",
    dtype: "F64",
    shape: [2, 3],
    ...where,
    ...flags,
  }]);
});

Deno.test("openNpy: random headers are refused with a SyntaxError or read within the file", async () => {
  const pieces = [
    "{",
    "}",
    "'descr'",
    ":",
    "'<f4'",
    ",",
    "'fortran_order'",
    "True",
    "'shape'",
    "(",
    ")",
    "2",
    "3",
    "-",
    "L",
    " ",
    "[",
    "\\",
    "é",
    "999999999999",
  ];
  const headers = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((all) =>
      utf8(all.join(""))
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      headers,
      fc.nat(3),
      fc.nat(40),
      async (header, major, extra) => {
        const prefix = npy("", 0, [major, 0], header.length);
        const bytes = concat(prefix, header, new Uint8Array(extra));
        try {
          const { tensors: [tensor] } = await openNpy(
            meteredSource(bytes, 500),
            "W",
          );
          assertEquals(tensor.offset + tensor.byteLength, bytes.length);
        } catch (error) {
          assert(error instanceof SyntaxError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("npyHeader: byte for byte what numpy writes", async () => {
  const text = new TextDecoder().decode(await vector("npy_headers.json"));
  const headers: [string, number[], string][] = JSON.parse(text);
  for (const [dtype, shape, expected] of headers) {
    assertEquals(String.fromCharCode(...npyHeader(dtype, shape)), expected);
  }
});

Deno.test("npyHeader: comes back through openNpy", async () => {
  const dtypes = fc.constantFrom(
    "F16",
    "F32",
    "F64",
    "I8",
    "U8",
    "I32",
    "BOOL",
  );
  const shapes = fc.array(fc.nat(5), { maxLength: 6 });
  await fc.assert(fc.asyncProperty(dtypes, shapes, async (dtype, shape) => {
    const header = npyHeader(dtype, shape);
    assertEquals(header.length % 64, 0);
    const width = dtype === "BOOL" ? 1 : Number(dtype.slice(1)) / 8;
    const bytes = concat(
      header,
      new Uint8Array(width * shape.reduce((a, b) => a * b, 1)),
    );
    const { tensors: [tensor] } = await openNpy(memorySource(bytes), "W");
    assertEquals([tensor.dtype, tensor.shape], [dtype, shape]);
  }));
});

Deno.test("npyHeader: refuses what .npy cannot hold", () => {
  assertThrows(
    () => npyHeader("F8_E4M3", [2]),
    RangeError,
    'Cannot write dtype "F8_E4M3" to .npy',
  );
  assertThrows(() => npyHeader("F32", [-1]), RangeError, "dimension 0 is -1");
});

Deno.test("floats that numpy does not have are read by their names", async () => {
  for (
    const [descr, dtype, bytes, values] of [
      ["bfloat16", "BF16", [0x80, 0x3f, 0, 0xc0], [1, -2]],
      ["float8_e4m3fn", "F8_E4M3", [0x38, 0xc0], [1, -2]],
      ["float8_e5m2", "F8_E5M2", [0x3c, 0xc0], [1, -2]],
      ["<f1", "F8_E5M2", [0x3c, 0xc0], [1, -2]],
      ["float8_e8m0fnu", "F8_E8M0", [127, 128], [1, 2]],
    ] as const
  ) {
    const header =
      `{'descr': '${descr}', 'fortran_order': False, 'shape': (2,), }`;
    const file = concat(npy(header, 0), [...bytes]);
    const { tensors, source } = await openNpy(memorySource(file), "w");
    assertEquals(tensors[0].dtype, dtype);
    const found = new Float32Array(2);
    await readFloats({ source }, tensors[0], 0, found);
    assertEquals([...found], [...values], descr);
  }
  for (const descr of ["float8_e3m4", "bfloat8", "<f3"]) {
    const header =
      `{'descr': '${descr}', 'fortran_order': False, 'shape': (2,), }`;
    await assertRejects(
      () => openNpy(memorySource(npy(header, 2)), "w"),
      SyntaxError,
      "none that can be read",
    );
  }
});

Deno.test("opaque bytes and integers are what the caller says they are, where they can be", async () => {
  const e4m3 = await vector("float8_e4m3.npy");
  const e5m2 = await vector("float8_e5m2.npy");
  const i8 = npy(
    "{'descr': '|i1', 'fortran_order': False, 'shape': (9,), }",
    9,
  );
  const values = async (bytes: Uint8Array, dtype?: string) => {
    const file = await openNpy(memorySource(bytes), "w", { dtype });
    const found = new Float32Array(9);
    await readFloats(file, file.tensors[0], 0, found);
    return [...found];
  };
  // (i − 48) / 4, rounded to four significant bits, or three.
  assertEquals(
    await values(e4m3, "F8_E4M3"),
    [-12, -12, -12, -11, -11, -11, -10, -10, -10],
  );
  assertEquals(
    await values(e5m2),
    [-12, -12, -12, -12, -12, -10, -10, -10, -10],
  );
  assertEquals(await values(i8, "I8"), new Array(9).fill(0));
  const bytes = i8.slice();
  bytes.set([127, 128, 255], bytes.length - 3);
  assertEquals((await values(bytes, "I8")).slice(-3), [127, -128, -1]);
  bytes.set(utf8("u"), bytes.indexOf(0x69, 10 + 8));
  assertEquals((await values(bytes, "U8")).slice(-3), [127, 128, 255]);
  for (const [file, dtype] of [[i8, "U8"], [e4m3, "BF16"], [e5m2, "F8_E4M3"]]) {
    await assertRejects(
      () => values(file as Uint8Array, dtype as string),
      Error,
      `not ${dtype}`,
    );
  }
  await assertRejects(() => values(i8), RangeError, "its dtype is");
});
