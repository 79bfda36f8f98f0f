/** A matrix as a file: the same again, and every lie about it refused. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import { PackedMatrix } from "../../src/search/mod.ts";
import { safetensorsBytes } from "../cli/support.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { gaussianRows, printedSeed, VARIANTS } from "./support.ts";

const seed = printedSeed("file_test");
const DIMENSION = 96;
const query = gaussianRows(1, DIMENSION, seed);

/** More rows than a chunk has, so that a file is made of pieces. */
function filled(options: object, count = 5000): PackedMatrix {
  const matrix = new PackedMatrix({ dimension: DIMENSION, ...options });
  matrix.add(gaussianRows(count, DIMENSION, seed + 1));
  return matrix;
}

for (const variant of VARIANTS) {
  const options = { ...variant, dimension: DIMENSION };
  if ("groupSize" in options) options.groupSize = 32;

  Deno.test(`${JSON.stringify(options)}: comes back with the same bits, at any address`, async () => {
    const matrix = filled(options);
    for (const id of [0, 77, 4999]) matrix.remove(id);
    const bytes = matrix.toBytes();
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    for (
      const again of [
        await PackedMatrix.open(new Blob([bytes])),
        await PackedMatrix.fromBytes(shifted),
        await PackedMatrix.open(new Blob([...matrix.toFile().pieces()])),
      ]
    ) {
      assertEquals(again.toBytes(), bytes);
      assertEquals(again.scores(query), matrix.scores(query));
      assertEquals([again.size, again.nextId], [4997, 5000]);
      again.remove(1);
      assertEquals(again.add(query), 5000);
    }
  });
}

Deno.test("an empty matrix, and one that waits for its centre, come back too", async () => {
  const matrix = new PackedMatrix({ dimension: 3, center: true });
  const again = await PackedMatrix.fromBytes(matrix.toBytes());
  for (const one of [matrix, again]) one.add([1, 2, 3, 1, 2, 3]);
  assertEquals(again.toBytes(), matrix.toBytes());
  assertEquals([...again.get(1)], [1, 2, 3]);
});

Deno.test("a file is read in pieces no larger than a chunk", async () => {
  const bytes = filled({}).toBytes();
  const source = memorySource(bytes), sizes: number[] = [];
  const read = source.read.bind(source);
  source.read = (offset, into) => {
    sizes.push(into.length);
    return read(offset, into);
  };
  await PackedMatrix.open(source);
  assert(sizes.length > 6 && Math.max(...sizes) <= 256 * 1024, sizes.join());
});

/** The tensors of a file as they were given, to be written again with something changed. */
async function taken(bytes: Uint8Array) {
  const file = await openSafetensors(memorySource(bytes));
  return {
    metadata: Object.fromEntries(file.metadata),
    tensors: file.tensors.map(({ name, dtype, shape, offset, byteLength }) => ({
      name,
      dtype,
      shape: [...shape],
      data: bytes.slice(offset, offset + byteLength),
    })),
  };
}

type Taken = Awaited<ReturnType<typeof taken>>;

function tensor(file: Taken, name: string) {
  return file.tensors.find((one) => one.name === name)!;
}

function options(file: Taken, change: object): void {
  const given = JSON.parse(file.metadata["nibblewise.matrix"]);
  file.metadata["nibblewise.matrix"] = JSON.stringify({ ...given, ...change });
}

function put(file: Taken, name: string, at: number, bytes: number[]): void {
  tensor(file, name).data.set(bytes, at);
}

const NAN = [0, 0, 0xc0, 0x7f], MINUS_ONE = [0, 0, 0x80, 0xbf];

const LIES: Record<string, [change: (file: Taken) => void, message: string]> = {
  "no options": [(f) => f.metadata = {}, 'has no "nibblewise.matrix"'],
  "options that are no JSON": [
    (f) => f.metadata["nibblewise.matrix"] = "{",
    "packed matrix",
  ],
  "options that are null": [
    (f) => f.metadata["nibblewise.matrix"] = "null",
    "version is undefined",
  ],
  "another version": [(f) => options(f, { version: 2 }), "version is 2"],
  "a grid that is none": [
    (f) => options(f, { grid: "x" }),
    'Unknown grid "x"',
  ],
  "no seed": [(f) => options(f, { rotate: undefined }), "an option is missing"],
  "another grid": [(f) => options(f, { grid: "uniform" }), "its levels"],
  "a dimension beyond all bounds": [
    (f) => options(f, { dimension: 1e12 }),
    "Cannot use dimension",
  ],
  "another dimension": [
    (f) => options(f, { dimension: 128 }),
    'tensor "codes" is',
  ],
  "another group size": [(f) => options(f, { groupSize: 96 }), "fractions"],
  "no norms": [
    (f) => f.tensors = f.tensors.filter(({ name }) => name !== "norms"),
    'no tensor "norms"',
  ],
  "no scales": [
    (f) => f.tensors = f.tensors.filter(({ name }) => name !== "scales"),
    'tensor "codes" is U8',
  ],
  "scales of another type": [
    (f) => tensor(f, "scales").dtype = "I32",
    "is I32",
  ],
  "a scale that is NaN": [
    (f) => put(f, "scales", 16, NAN),
    "row 4 has a scale",
  ],
  "a norm below 0": [
    (f) => put(f, "norms", 8, MINUS_ONE),
    "row 2 has a scale or norm of -1",
  ],
  "a fraction above 1": [
    (f) => put(f, "fractions", 2 * 3 * 5, [1, 0x3c]),
    "row 5 has a fraction",
  ],
  "a centre that is NaN": [(f) => put(f, "center", 0, NAN), "centre"],
  "an id twice": [
    (f) => put(f, "ids", 0, [9, 0, 0, 0]),
    "the id 9 comes twice",
  ],
  "an id out of range": [(f) => put(f, "ids", 0, [0, 0, 0, 1]), "is not below"],
  "no removed ids": [
    (f) => f.tensors = f.tensors.filter(({ name }) => name !== "removed"),
    'no tensor "removed"',
  ],
};

Deno.test("what a file says and is not so is refused in one line, and the file itself taken", async (t) => {
  const matrix = filled({ grid: "lloyd", groupSize: 32, center: true }, 40);
  matrix.remove(7);
  const bytes = matrix.toBytes();
  const written = ({ tensors, metadata }: Taken) =>
    safetensorsBytes(tensors, metadata);
  const whole = await PackedMatrix.fromBytes(written(await taken(bytes)));
  assertEquals(whole.toBytes(), bytes);
  for (const [name, [change, message]] of Object.entries(LIES)) {
    await t.step(name, async () => {
      const file = await taken(bytes);
      change(file);
      const error = await assertRejects(
        () => PackedMatrix.fromBytes(written(file)),
        SyntaxError,
        message,
      );
      assert(!/[\n]|\.$/.test(error.message), error.message);
    });
  }
});

Deno.test("a file that is cut off anywhere is refused", async () => {
  const matrix = filled({ groupSize: 32 }, 3);
  const bytes = matrix.toBytes();
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(
      () => PackedMatrix.fromBytes(bytes.subarray(0, length)),
      SyntaxError,
    );
  }
  assertEquals((await PackedMatrix.fromBytes(bytes)).size, 3);
});

Deno.test("only bytes are opened", async () => {
  await assertRejects(
    () => PackedMatrix.open("index.safetensors" as never),
    TypeError,
    "pass a Blob, a File or a Uint8Array",
  );
});
