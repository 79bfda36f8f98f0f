import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { openGguf } from "../../src/files/gguf_read.ts";
import { planGguf } from "../../src/files/gguf_write.ts";
import {
  type GgufElementType,
  type GgufScalar,
  GgufValue,
} from "../../src/files/gguf_value.ts";
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { GGUF_HEADER_BYTES } from "../../src/files/limits.ts";
import { int, SparseSource } from "./gguf_support.ts";

const vectors = new URL("../vectors/", import.meta.url);
const valid = await Deno.readFile(new URL("gguf_types.gguf", vectors));
/** Everything before the data: mutations elsewhere find nothing. */
const headerLength = 1760;

/** Words that break counts, lengths, types and offsets. */
const nasty = [
  0n,
  1n,
  2n,
  8n,
  9n,
  13n,
  32n,
  255n,
  1n << 16n,
  1n << 24n,
  1n << 31n,
]
  .concat([
    (1n << 32n) - 1n,
    1n << 32n,
    1n << 53n,
    1n << 62n,
    1n << 63n,
    (1n << 64n) - 1n,
  ]);

const mutation = fc.record({
  at: fc.nat({ max: headerLength - 1 }),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    fc.tuple(fc.constantFrom(...nasty), fc.constantFrom<4 | 8>(4, 8))
      .map(([word, size]) => int(size, word)),
  ),
});

Deno.test("a mutated file is read within bounds or refused with a named error", async () => {
  let read = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat({ max: valid.length })),
      fc.constantFrom(0, 1000, 1e8),
      async (mutations, cut, growth) => {
        const bytes = valid.slice(0, cut ?? valid.length);
        for (const { at, bytes: part } of mutations) {
          bytes.set(
            part.subarray(0, Math.max(0, bytes.length - at)),
            Math.min(at, bytes.length),
          );
        }
        const source = new SparseSource(bytes, bytes.length + growth);
        try {
          const file = await openGguf(source);
          read++;
          assertSound(bytes, file.version, await openGguf(source));
        } catch (error) {
          if (!(error instanceof SyntaxError || error instanceof RangeError)) {
            throw error;
          }
          assert(
            error.message.startsWith("Cannot read test.gguf as GGUF: "),
            error.message,
          );
          assert(error.message.length < 400, error.message);
          refused++;
        }
        assert(source.largestRead <= Math.min(source.size, GGUF_HEADER_BYTES));
      },
    ),
    { numRuns: 1500 },
  );
  // Neither side of the property may be empty.
  assert(read > 50 && refused > 50, `${read} read, ${refused} refused`);
});

/** What was read lies in the file, and its header comes out again byte for byte. */
function assertSound(
  bytes: Uint8Array,
  version: number,
  file: Awaited<ReturnType<typeof openGguf>>,
) {
  for (const { offset, byteLength } of file.tensors) {
    assert(
      offset % file.alignment === 0 && offset + byteLength <= file.source.size,
    );
  }
  for (const value of file.values.values()) value.first(100);
  const { header, tensors } = planGguf(file.values, file.tensors);
  assertEquals(
    tensors,
    file.tensors.map(({ name, dtype, shape, offset, byteLength }) => ({
      name,
      dtype,
      shape,
      offset,
      byteLength,
    })),
  );
  // Version 2 is written as 3, and padding is written as zeros.
  assert(version === 2 || version === 3);
  const end = header.findLastIndex((byte) => byte !== 0) + 1;
  assertEquals(bytes.subarray(8, end), header.subarray(8, end));
}

const integer = (low: bigint, high: bigint) => fc.bigInt(low, high);
const element: Record<GgufElementType, fc.Arbitrary<GgufScalar>> = {
  u8: integer(0n, 255n).map(Number),
  i8: integer(-128n, 127n).map(Number),
  u16: integer(0n, 65535n).map(Number),
  i16: integer(-32768n, 32767n).map(Number),
  u32: integer(0n, 2n ** 32n - 1n).map(Number),
  i32: integer(-(2n ** 31n), 2n ** 31n - 1n).map(Number),
  u64: integer(0n, 2n ** 64n - 1n),
  i64: integer(-(2n ** 63n), 2n ** 63n - 1n),
  f32: fc.float(),
  f64: fc.double(),
  bool: fc.boolean(),
  string: fc.string({ unit: "binary", maxLength: 40 }),
};

const value = fc.oneof(
  ...Object.entries(element).map(([type, arbitrary]) =>
    fc.oneof(
      arbitrary.map((one) => ({
        made: GgufValue.of(type as GgufElementType, one),
        from: one as unknown,
      })),
      fc.array(arbitrary, { maxLength: 20 })
        .map((many) => ({
          made: GgufValue.array(type as GgufElementType, many),
          from: many as unknown,
        })),
    )
  ),
);
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 })
  .filter((text) => !text.includes("\0") && text.isWellFormed());
const tensor = fc.tuple(
  name,
  fc.constantFrom(...ggmlLayouts.values()),
  fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  fc.integer({ min: 1, max: 3 }),
).map(([name, type, outer, blocks]) => ({
  name,
  dtype: type.name,
  shape: [...outer, blocks * type.blockSize],
}));

Deno.test("what is laid out is read back", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, value), {
        selector: ([key]) => key,
        maxLength: 8,
      }),
      fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 }),
      fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
      async (pairs, tensors, power) => {
        const values = new Map(pairs.map(([key, { made }]) => [key, made]));
        if (power !== undefined) {
          values.set("general.alignment", GgufValue.of("u32", 2 ** power));
        }
        const plan = planGguf(values, tensors);
        const file = await openGguf(new SparseSource(plan.header, plan.size));
        assertEquals(file.tensors, plan.tensors);
        assertEquals(
          file.tensors.map(({ name, dtype, shape }) => ({
            name,
            dtype,
            shape,
          })),
          tensors,
        );
        assertEquals([...file.values.keys()], [...values.keys()]);
        for (const [key, { from }] of pairs) {
          assertEquals(file.values.get(key)!.value as unknown, from);
        }
        assertEquals(file.alignment, power === undefined ? 32 : 2 ** power);
      },
    ),
    { numRuns: 300 },
  );
});
