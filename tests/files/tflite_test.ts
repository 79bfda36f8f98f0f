/** TensorFlow Lite models: those of ai-edge-quantizer read, and what is no model. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readFile } from "node:fs/promises";
import { memorySource } from "../../src/files/file_source.ts";
import { openTflite } from "../../src/files/tflite.ts";
import { run } from "../cli/support.ts";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { assertGolden } from "./read_quantized.ts";
import { withFolder } from "./temporary_folder.ts";
import {
  type Fields,
  flatbuffer,
  int,
  items,
  model,
} from "./tflite_support.ts";

const folder = new URL("../vectors/tflite/", import.meta.url).pathname;

function open(bytes: Uint8Array) {
  return openTflite(memorySource(bytes, "m.tflite"));
}

for (
  const name of [
    "BLOCKWISE_32_sym_dynamic",
    "BLOCKWISE_32_sym_weight_only",
    "BLOCKWISE_64_sym_dynamic",
    "BLOCKWISE_64_sym_weight_only",
    "DEPTHWISE_10_sym",
    "DEPTHWISE_7_asym",
    "DEPTHWISE_7_sym",
    "CHANNELWISE_asym_dynamic",
    "CHANNELWISE_asym_oddK_dynamic",
    "CHANNELWISE_asym_oddK_weight_only",
    "CHANNELWISE_asym_weight_only",
    "CHANNELWISE_sym_dynamic",
    "CHANNELWISE_sym_oddK_dynamic",
    "CHANNELWISE_sym_oddK_weight_only",
    "CHANNELWISE_sym_weight_only",
    "TENSORWISE_asym_dynamic",
    "TENSORWISE_asym_weight_only",
    "TENSORWISE_sym_dynamic",
    "TENSORWISE_sym_weight_only",
  ]
) {
  Deno.test(`tflite: the model ${name} is read as LiteRT reads it`, async () => {
    const file = await open(
      new Uint8Array(await readFile(`${folder}${name}.tflite`)),
    );
    const [one, ...more] = file.quantized;
    assertEquals([one.name, more, file.bound!.size], ["weight", [], 0]);
    await assertGolden(file, one, `tflite/${name}`);
  });
}

Deno.test("tflite: a model is dequantized by the command line", async () => {
  await withFolder(async (path) => {
    const from = `${folder}CHANNELWISE_sym_weight_only.tflite`;
    const { code, err } = await run("dequantize", from, "-o", path("w.npy"));
    assertEquals(code, 0, err);
    const golden = await goldenTensors(
      "tflite/CHANNELWISE_sym_weight_only.safetensors",
    );
    const values = new Uint8Array(await readFile(path("w.npy"))).subarray(128);
    assertSameBytes(values, floatsOf(golden.get("dequant")!), "values");
  });
});

const F32 = 0, F16 = 1, I4 = 17, U4 = 20;

/** A tensor in a buffer. */
function tensor(
  name: string,
  type: number,
  shape: readonly number[],
  buffer: number,
  quantization?: Fields,
): Fields {
  const fields: Fields = {
    0: items(shape),
    1: int(type, 1),
    2: int(buffer),
    3: { text: name },
  };
  return quantization ? { ...fields, 4: { table: quantization } } : fields;
}

/** The bytes of float32 1, as items of scales. */
const ONE = 0x3f800000;
const channels = { 2: items([ONE, ONE]), 3: items([0, 0], 8) };
const bytes = (count: number): Fields => ({
  0: items(new Array(count).fill(0x21), 1),
});
const weight = (quantization?: Fields, type = I4) =>
  tensor("w", type, [2, 4], 1, quantization);
const valid = model([weight(channels)], [bytes(4)]);

Deno.test("tflite: what has no buffer is no tensor, and names are made unique", async () => {
  const tensors = [
    tensor("x", F32, [1, 4], 0),
    tensor("w", F32, [1], 1),
    tensor("w", F32, [1], 1),
    tensor("", F32, [1], 1),
  ];
  const file = await open(model(tensors, [bytes(4)]));
  assertEquals(file.tensors.map(({ name }) => name), [
    "w",
    "w (tensor 2 of graph 0)",
    " (tensor 3 of graph 0)",
  ]);
});

Deno.test("tflite: channels of the axis that the model names", async () => {
  const channelsOf = async (shape: number[], axis: number) => {
    const quantization = {
      2: items(new Array(shape[axis]).fill(ONE)),
      6: int(axis),
    };
    const size = shape.reduce((a, b) => a * b) / 2;
    const { quantized: [{ options }] } = await open(
      model([tensor("w", I4, shape, 1, quantization)], [bytes(size)]),
    );
    return options;
  };
  const channel = { granularity: "channel", symmetric: true };
  for (
    const [shape, axis] of [[[2, 4], 1], [[1, 4, 2], 1], [[1, 2, 3, 4], 3]]
  ) {
    assertEquals(await channelsOf(shape as number[], axis as number), {
      ...channel,
      axis,
    });
  }
});

Deno.test("tflite: buffers may lie behind the flatbuffer", async () => {
  const at = (offset: number) =>
    model([weight(channels)], [{ 1: int(offset, 8), 2: int(4, 8) }]);
  const front = at(999).length;
  const whole = Uint8Array.of(...at(front), 1, 2, 3, 4);
  const { quantized: [{ parts }] } = await open(whole);
  assertEquals(parts.get("weight")!.offset, front);
  await assertRejects(
    () => open(whole.slice(0, -1)),
    SyntaxError,
    `buffer 1 has 4 bytes from ${front} on, beyond the ${front + 3}`,
  );
});

const blocks = (scales: number, zeros: number) => ({
  4: int(2, 1),
  5: { table: { 0: int(scales), 1: int(zeros), 2: int(32) } },
});

const UNREAD: readonly [why: string, bytes: Uint8Array][] = [
  ["it is not quantized", model([weight()], [bytes(4)])],
  ["its codes have no sign", model([weight(channels, U4)], [bytes(4)])],
  [
    "it is sparse",
    model([{ ...weight(channels), 6: { table: {} } }], [bytes(4)]),
  ],
  [
    "it has 4 scales along axis 0 of [2,4]",
    model([weight({ 2: items([1, 1, 1, 1]) })], [bytes(4)]),
  ],
  [
    "it has 4 scales along axis -1 of [2,4]",
    model([weight({ 2: items([1, 1, 1, 1]), 6: int(-1) })], [bytes(4)]),
  ],
  [
    "with axis 1: channels can be of the first axis",
    model([
      tensor("w", I4, [2, 2, 2], 1, { 2: items([ONE, ONE]), 6: int(1) }),
    ], [bytes(4)]),
  ],
  ["it has 0 scales", model([weight({})], [bytes(4)])],
  [
    "of the kind 1, custom",
    model([weight({ 4: int(1, 1), 5: { table: {} } })], [bytes(4)]),
  ],
  [
    "the scales of its blocks are none",
    model([weight(blocks(7, -1))], [bytes(4)]),
  ],
  [
    "its blocks have zero points",
    model([weight(blocks(1, 1)), tensor("s", F16, [2], 1)], [bytes(4)]),
  ],
  [
    "it takes a matrix of rows of whole blocks",
    model([weight(blocks(1, -1)), tensor("s", F16, [2], 1)], [bytes(4)]),
  ],
];

for (const [why, bytes] of UNREAD) {
  Deno.test(`tflite: a weight is left as it is: ${why}`, async () => {
    const { quantized, bound } = await open(bytes);
    assertEquals(quantized.length, 0);
    assert(bound!.get("w")!.includes(why), bound!.get("w"));
    // The twin of all of them.
    assertEquals((await open(valid)).quantized.length, 1);
  });
}

function changed(at: number, ...to: number[]): Uint8Array {
  const copy = valid.slice();
  copy.set(to, at);
  return copy;
}

const REFUSED: readonly [why: string, bytes: Uint8Array][] = [
  ["it has no TFL3", changed(4, 0)],
  ["it has no TFL3", valid.slice(0, 7)],
  ["the root leads to byte", changed(3, 255)],
  ["the root leads to byte", valid.slice(0, 9)],
  ["leads to byte", valid.slice(0, 60)],
  ["buffer 1 has 4 items of 1 bytes", valid.slice(0, -1)],
  [
    "in buffer 2, and there are 2",
    model([tensor("w", F32, [1], 2)], [bytes(4)]),
  ],
  [
    '"w", takes 8 bytes, but its buffer has 4',
    model([tensor("w", F32, [2], 1)], [bytes(4)]),
  ],
  ["of the unknown type 99", model([tensor("w", 99, [2], 1)], [bytes(4)])],
  ["dimension 0 is -1", model([tensor("w", F32, [-1], 1)], [bytes(4)])],
  [
    "65 dimensions",
    model([tensor("w", F32, new Array(65).fill(1), 1)], [bytes(4)]),
  ],
  [
    "dimensions multiply to more than",
    model([tensor("w", F32, new Array(9).fill(2 ** 30), 1)], [bytes(4)]),
  ],
  [
    "a name of 70000 bytes",
    model([tensor("w".repeat(70000), F32, [1], 1)], [bytes(4)]),
  ],
  [
    "two tensors have the name",
    model(
      [tensor(" (tensor 1 of graph 0)", F32, [1], 1), tensor("", F32, [1], 1)],
      [bytes(4)],
    ),
  ],
  [
    "has 2 scales and 1 zero points",
    model([weight({ ...channels, 3: items([0], 8) })], [bytes(4)]),
  ],
  [
    "as its quantization says",
    model([
      tensor("w", I4, [2, 32], 1, blocks(1, -1)),
      tensor("s", F16, [3], 2),
    ], [bytes(32), bytes(6)]),
  ],
  [
    "above 2^53 - 1",
    model([weight(channels)], [{ 1: int(2n ** 63n, 8), 2: int(1, 8) }]),
  ],
];

for (const [why, bytes] of REFUSED) {
  Deno.test(`tflite: a model is refused by name: ${why}`, async () => {
    const error = await assertRejects(() => open(bytes), Error, why);
    assert(error instanceof SyntaxError || error instanceof RangeError);
    assert(
      error.message.startsWith("Cannot read m.tflite as TensorFlow Lite: "),
    );
    // The twin of all of them.
    assertEquals((await open(valid)).quantized.length, 1);
  });
}

Deno.test("tflite: graphs that share very many tensors are refused soon", async () => {
  const many = new Array(2000).fill(tensor("x", F32, [1], 0));
  const graphs = new Array(100).fill({});
  const bytes = flatbuffer({
    2: { tables: [...graphs, { 0: { tables: many } }] },
    4: { tables: [{}] },
  });
  assertEquals((await open(bytes)).tensors, []);
  // All graphs are the last one.
  const view = new DataView(bytes.buffer);
  const place = view.getUint32(0, true) + 4;
  const first = place + view.getUint32(place, true) + 4, last = first + 400;
  const graph = last + view.getUint32(last, true);
  for (let at = first; at < last; at += 4) view.setUint32(at, graph - at, true);
  await assertRejects(
    () => open(bytes),
    RangeError,
    "graphs and tensors, the limit",
  );
});
