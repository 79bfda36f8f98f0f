/** Alignments and tensor records that must be refused, each beside one that differs in that point alone and is read. */
import * as limits from "../../src/files/limits.ts";
import { int, kv, raw, record, roomy, type Twin, u32 } from "./gguf_support.ts";

const one = (tensor: Uint8Array, data = 32) => raw({ tensors: [tensor], data });
const two = (first: Uint8Array, second: Uint8Array, data = 64) =>
  raw({ tensors: [first, second], data });
const aligned = (value: number, data = 4) =>
  raw({
    values: [u32("general.alignment", value)],
    tensors: [record("a", [1])],
    alignment: value || 32,
    data,
  });

export const tensorTwins: readonly Twin[] = [
  {
    title: "an alignment that is no u32",
    bad: raw({ values: [kv("general.alignment", 10, int(8, 64))] }),
    error: RangeError,
    says: "general.alignment is of type u64",
    good: aligned(64),
  },
  {
    title: "an alignment of 0",
    bad: aligned(0),
    error: RangeError,
    says: "is 0, not a power of two",
    good: aligned(1),
  },
  {
    title: "an alignment of 48",
    bad: aligned(48),
    error: RangeError,
    says: "is 48, not a power",
    good: aligned(16),
  },
  {
    title: "an alignment of 2^31",
    bad: raw({
      values: [u32("general.alignment", 2 ** 31)],
      tensors: [record("a", [1])],
    }),
    badSize: roomy,
    error: RangeError,
    says: `is ${2 ** 31}; at most ${limits.GGUF_ALIGNMENT}`,
    good: aligned(limits.GGUF_ALIGNMENT),
  },
  {
    title: "a tensor name of 64 bytes",
    bad: one(record("ü".repeat(32), [1])),
    error: SyntaxError,
    says: "declares 64 bytes; at most 63",
    good: one(record("ü".repeat(31) + "u", [1])),
  },
  {
    title: "a NUL in a name",
    bad: one(record("a\0", [1])),
    error: SyntaxError,
    says: "NUL",
    good: one(record("a", [1])),
  },
  {
    title: "a name that is not UTF-8",
    bad: one(record(new Uint8Array([0xc3]), [1])),
    error: SyntaxError,
    says: "the name of tensor 0 is not UTF-8",
    good: one(record("ü", [1])),
  },
  {
    title: "a duplicate name",
    bad: two(record("a", [8]), record("a", [8], 0, 32)),
    error: SyntaxError,
    says: 'tensor "a" occurs twice',
    good: two(record("a", [8]), record("b", [8], 0, 32)),
  },
  {
    title: "five dimensions",
    bad: one(record("a", [1, 1, 1, 1, 1])),
    error: SyntaxError,
    says: "declares 5 dimensions",
    good: one(record("a", [1, 1, 1, 1])),
  },
  {
    title: "2^32 - 1 dimensions",
    bad: one(record("a", [1], 0, 0, 0xffffffff)),
    error: SyntaxError,
    says: "declares 4294967295 dimensions",
    good: one(record("a", [])),
  },
  {
    title: "a dimension of 0",
    bad: one(record("a", [4, 0])),
    error: SyntaxError,
    says: "dimension of 0",
    good: one(record("a", [4, 1])),
  },
  {
    title: "a negative dimension",
    bad: one(record("a", [-4])),
    error: SyntaxError,
    says: "dimension of -4",
    good: one(record("a", [4])),
  },
  {
    title: "dimensions whose product wraps to a small number",
    bad: one(record("a", [2 ** 32, 2 ** 32])),
    error: RangeError,
    says: "multiply to more than 2^53 - 1",
    good: one(record("a", [2, 2])),
  },
  {
    title: "a size beyond 2^53",
    bad: one(record("a", [2 ** 52], 28)),
    error: RangeError,
    says: "more than 2^53 bytes as F64",
    good: one(record("a", [2], 28)),
  },
  {
    title: "a row that is no whole number of blocks",
    bad: one(record("a", [48, 2], 2), 64),
    error: RangeError,
    says: "rows of 48 values; Q4_0 needs a multiple of 32",
    good: one(record("a", [64, 2], 2), 72),
  },
  {
    title: "a scalar of a block type",
    bad: one(record("a", [], 2), 64),
    error: RangeError,
    says: "rows of 1 values",
    good: one(record("a", [32], 2), 18),
  },
  {
    title: "a first tensor that does not start at 0",
    bad: one(record("a", [4], 0, 32), 64),
    error: SyntaxError,
    says: 'tensor "a" starts at 32 of the data; 0 was expected',
    good: one(record("a", [4])),
  },
  {
    title: "overlapping tensors",
    bad: two(record("a", [9]), record("b", [8], 0, 32), 96),
    error: SyntaxError,
    says: 'tensor "b" starts at 32 of the data; 64 was expected',
    good: two(record("a", [9]), record("b", [8], 0, 64), 96),
  },
  {
    title: "a hole between tensors",
    bad: two(record("a", [8]), record("b", [8], 0, 64), 96),
    error: SyntaxError,
    says: "32 was expected",
    good: two(record("a", [8]), record("b", [8], 0, 32), 96),
  },
  {
    title: "an offset beyond 2^63",
    bad: two(record("a", [8]), record("b", [8], 0, 2n ** 63n + 32n), 96),
    error: SyntaxError,
    says: "starts at 9223372036854775840",
    good: two(record("a", [8]), record("b", [8], 0, 32), 64),
  },
  {
    title: "data that the file cuts off",
    bad: one(record("a", [5]), 19),
    error: SyntaxError,
    says: "ends at byte 84, but the file has 83",
    // The padding of the last tensor may be missing.
    good: one(record("a", [5]), 20),
  },
];

/** Likewise with tensors of types that ggml does not have: native ggml refuses both. */
export const strangerTwins: readonly Twin[] = [
  {
    title: "a tensor of an unknown type that the next one starts before",
    bad: raw({
      tensors: [
        record("a", [8]),
        record("b", [32], 144, 32),
        record("c", [8], 0, 0),
      ],
      data: 96,
    }),
    error: SyntaxError,
    says: 'tensor "b" starts at 32 of the data, but the next one at 0',
    good: raw({
      tensors: [
        record("a", [8]),
        record("b", [32], 144, 32),
        record("c", [8], 0, 64),
      ],
      data: 96,
    }),
  },
  {
    title: "a tensor of an unknown type that ends where no tensor can start",
    bad: two(record("a", [32], 144), record("b", [8], 0, 33), 96),
    error: SyntaxError,
    says: 'tensor "b" starts at 33 of the data; 64 was expected',
    good: two(record("a", [32], 144), record("b", [8], 0, 64), 96),
  },
  {
    title: "a tensor of an unknown type that reaches beyond the file",
    bad: two(record("a", [32], 144), record("b", [8], 0, 96), 96),
    error: SyntaxError,
    says: "ends at byte",
    good: two(record("a", [32], 144), record("b", [8], 0, 64), 96),
  },
  {
    title: "a tensor of an unknown type with a dimension too many",
    bad: one(record("a", [2 ** 32, 2 ** 32], 43)),
    error: RangeError,
    says: "multiply to more than 2^53 - 1",
    good: one(record("a", [2 ** 32, 2], 43)),
  },
];
