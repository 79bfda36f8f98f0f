/** `.npz`: archives of numpy, and archives that lie. */
import { assertEquals, assertRejects } from "@std/assert";
import { readFloats } from "../../src/files/floats.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { InflatedSource } from "../../src/files/inflate.ts";
import { ZIP_INFLATED_BYTES } from "../../src/files/limits.ts";
import { openNpz } from "../../src/files/npz.ts";
import { npyHeader } from "../../src/files/npy.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { concat, utf8, vector } from "./support.ts";

/** The values of the golden arrays. */
const ramp = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => (i % 97 - 48) / 4);

async function valuesOf(file: TensorFile, name: string): Promise<Float32Array> {
  const entry = file.tensors.find((tensor) => tensor.name === name)!;
  const values = new Float32Array(entry.shape.reduce((a, b) => a * b, 1));
  await readFloats(file, entry, 0, values);
  return values;
}

for (const kind of ["stored", "deflated"]) {
  Deno.test(`the arrays of ${kind}.npz are read as numpy saved them`, async () => {
    const bytes = await vector(`${kind}.npz`);
    const file = await openNpz(memorySource(bytes), { dtype: "BF16" });
    try {
      assertEquals(
        file.tensors.map(({ name, dtype, shape }) => [name, dtype, shape]),
        [
          ["big", "F32", [2, 3]],
          ["columns", "F32", [3, 5]],
          ["layer/weight", "F32", [70, 100]],
          ["half", "BF16", [4, 8]],
          ["codes", "I8", [4, 64]],
          ["labels", "<U1", [2]],
          ["objects", "OBJECT", [2]],
        ],
      );
      assertEquals(await valuesOf(file, "big"), ramp(6));
      assertEquals(await valuesOf(file, "columns"), ramp(15));
      assertEquals(await valuesOf(file, "layer/weight"), ramp(7000));
      assertEquals(await valuesOf(file, "half"), ramp(32));
      await assertRejects(() => valuesOf(file, "codes"), RangeError, "I8");
    } finally {
      await file.source.close();
    }
    const numbers = await openNpz(memorySource(bytes), { dtype: "I8" });
    assertEquals(
      await valuesOf(numbers, "codes"),
      Float32Array.from({ length: 256 }, (_, i) => i - 128),
    );
    await numbers.source.close();
    await assertRejects(
      () => openNpz(memorySource(bytes), { dtype: "U8" }),
      RangeError,
      "none of its arrays is so",
    );
  });
}

/** A file of an archive that a test makes; what it says may be a lie. */
interface Member {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly size?: number;
  readonly stored?: number;
  readonly crc?: number;
  /** Where its record is said to be. */
  readonly at?: number;
  /** Sizes and place in the record of zip64. */
  readonly wide?: boolean;
}

function numbers(...fields: (readonly [value: number, bytes: number])[]) {
  const bytes: number[] = [];
  for (const [value, count] of fields) {
    for (let i = 0; i < count; i++) {
      bytes.push(Math.floor(value / 2 ** (8 * i)) % 256);
    }
  }
  return Uint8Array.from(bytes);
}

/** An archive of these files. */
function zip(
  members: readonly Member[],
  { count = members.length, comment = "", cut = 0 } = {},
): Uint8Array {
  const pieces: Uint8Array[] = [], directory: Uint8Array[] = [];
  let end = 0;
  for (const member of members) {
    const { name, data, method = 0, flags = 0, crc = 0 } = member;
    const { size = data.length, stored = data.length, at = end } = member;
    const text = utf8(name);
    const local = concat(
      numbers([0x04034b50, 4], [20, 2], [flags, 2], [method, 2], [0, 4]),
      numbers([crc, 4], [stored, 4], [size, 4], [text.length, 2], [0, 2]),
      text,
      data,
    );
    const extra = member.wide
      ? numbers([1, 2], [24, 2], [size, 8], [stored, 8], [at, 8])
      : new Uint8Array(0);
    const narrow = (value: number) => member.wide ? 0xffffffff : value;
    directory.push(concat(
      numbers([0x02014b50, 4], [20, 2], [20, 2], [flags, 2], [method, 2]),
      numbers([0, 4], [crc, 4], [narrow(stored), 4], [narrow(size), 4]),
      numbers([text.length, 2], [extra.length, 2], [0, 10], [narrow(at), 4]),
      text,
      extra,
    ));
    pieces.push(local);
    end += local.length;
  }
  const all = concat(...directory);
  return concat(
    ...pieces,
    all,
    numbers([0x06054b50, 4], [0, 4], [count, 2], [count, 2]),
    numbers([all.length, 4], [end, 4], [comment.length, 2]),
    utf8(comment),
  ).slice(0, cut === 0 ? undefined : -cut);
}

const array = concat(
  npyHeader("F32", [2]),
  new Uint8Array(Float32Array.of(1, 2).buffer),
);
const member: Member = { name: "a.npy", data: array };

function crcOf(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const open = (bytes: Uint8Array) => openNpz(memorySource(bytes, "x.npz"));

Deno.test("archives as they may be are read", async () => {
  for (
    const bytes of [
      zip([member]),
      zip([member], { comment: "PK\x05\x06 and more" }),
      zip([{ ...member, wide: true }]),
      zip([{ ...member, name: "b.npy" }, member]),
      zip([{
        ...member,
        data: await deflated(array),
        method: 8,
        size: array.length,
        crc: crcOf(array),
      }]),
    ]
  ) {
    const file = await open(bytes);
    assertEquals(await valuesOf(file, "a"), Float32Array.of(1, 2));
    await file.source.close();
  }
  assertEquals((await open(zip([]))).tensors, []);
});

Deno.test("archives that lie are refused before anything is inflated", async () => {
  const small = await deflated(array);
  for (
    const [bytes, message] of [
      [zip([member], { cut: 1 }), "no directory at its end"],
      [zip([member], { count: 2 }), "its directory of 2 files"],
      [zip([member, member]), '"a.npy" twice'],
      [zip([{ ...member, flags: 1 }]), "is encrypted"],
      [zip([{ ...member, method: 12 }]), "compressed by method 12"],
      [zip([{ ...member, size: 9 }]), "cannot be 9 bytes"],
      [zip([{ ...member, size: 1e6, stored: 1e6 }]), "where it is not"],
      [zip([{ ...member, at: 7 }]), "where it is not"],
      [zip([{ ...member, at: 2 ** 31 }]), "where it is not"],
      [
        zip([member, { ...member, name: "b.npy", at: 0 }]),
        '"b.npy" lies over another',
      ],
      [
        zip([{ ...member, data: small, method: 8, size: 1033 * small.length }]),
        `cannot be ${1033 * small.length} bytes`,
      ],
      [zip([{ ...member, name: "data.pkl" }]), '"data.pkl" in it is no .npy'],
    ] as const
  ) {
    await assertRejects(() => open(bytes), SyntaxError, message);
  }
});

Deno.test("an archive that would fill the disk is refused", async () => {
  // 32 MiB that are said to be 32 GiB.
  const stored = ZIP_INFLATED_BYTES / 1024;
  const head = zip([{ ...member, data: new Uint8Array(0) }]);
  const bytes = zip([{
    ...member,
    data: new Uint8Array(stored),
    method: 8,
    size: ZIP_INFLATED_BYTES + 1,
    wide: true,
  }]);
  await assertRejects(() => open(bytes), SyntaxError, "once inflated");
  await assertRejects(() => open(head), SyntaxError, "\\x93NUMPY");
});

Deno.test("inflated data that are not what the directory says are refused", async () => {
  const values = new Float32Array(10_000).fill(0.5);
  const whole = concat(
    npyHeader("F32", [10_000]),
    new Uint8Array(values.buffer),
  );
  const data = await deflated(whole);
  const given = (more: Partial<Member>): Member => ({
    ...{ name: "a.npy", data, method: 8, size: whole.length },
    ...{ crc: crcOf(whole), ...more },
  });
  const good = await open(zip([given({})]));
  assertEquals(await valuesOf(good, "a"), values);
  await good.source.close();
  const broken = data.slice();
  broken.fill(0xff, 12, 30);
  for (
    const [more, message] of [
      [{ crc: 1 }, "its check sum is another"],
      [{ data: data.subarray(0, data.length >> 1) }, ""],
      [{ data: broken }, ""],
    ] as [Partial<Member>, string][]
  ) {
    await assertRejects(
      async () => {
        const file = await open(zip([given(more)]));
        await valuesOf(file, "a").finally(() => file.source.close());
      },
      SyntaxError,
      message,
    );
  }
  // The size in the directory is held against that in the array's own header.
  await assertRejects(
    () => open(zip([given({ size: whole.length + 4 })])),
    SyntaxError,
    "follow the header",
  );
  const source = memorySource(data);
  for (
    const [size, more] of [[50_000, "and is 40128"], [20_000, "and is more"]]
  ) {
    const lie = { source, offset: 0, storedBytes: data.length, crc: 0 };
    const inflated = new InflatedSource("x", { ...lie, size: Number(size) });
    await assertRejects(
      () => inflated.read(18_000, new Uint8Array(1)),
      SyntaxError,
      String(more),
    );
    await inflated.close();
  }
});
