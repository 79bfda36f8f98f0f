/** Keras' models: those that Keras saved read, and what is none. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readFile } from "node:fs/promises";
import { dequantize } from "../../mod.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { openKeras } from "../../src/files/keras.ts";
import { f32ToBf16 } from "../../src/numeric/bf16.ts";
import { json, run } from "../cli/support.ts";
import { floatsOf, goldenTensors } from "../formats/safetensors_vectors.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { readQuantized } from "./read_quantized.ts";
import { withFolder } from "./temporary_folder.ts";

const folder = new URL("../vectors/keras/", import.meta.url).pathname;

async function bytesOf(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(`${folder}${name}`));
}

function open(bytes: Uint8Array) {
  return openKeras(memorySource(bytes, "m.keras"));
}

/** Values by columns as values by rows. */
function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  return values.map((_, i) =>
    values[i % rows * columns + Math.floor(i / rows)]
  );
}

for (
  const name of [
    "dense_channel_float32",
    "dense_g32_bfloat16",
    "einsum_g32_float32",
  ]
) {
  Deno.test(`keras: the model ${name} holds the variables of its layer`, async () => {
    const file = await open(await bytesOf(`${name}.keras`));
    const golden = await goldenTensors(`keras/${name}.safetensors`);
    const [entry, ...more] = file.quantized;
    assertEquals([more, file.bound!.size], [[], 0]);
    assertEquals(entry.shape, [23, 96]);
    const tensor = await readQuantized(file, entry);
    for (const [part, { data, dtype }] of Object.entries(tensor.parts)) {
      const own = golden.get(`var.${part}`)!;
      const wanted = dtype === "BF16"
        ? Uint16Array.from(floatsOf(own), f32ToBf16)
        : own.data;
      assertSameBytes(data, wanted, `${name} ${part}`);
    }
    const dequant = golden.get("dequant");
    if (!dequant) return;
    const values = transposed(floatsOf(dequant), 96);
    assertSameBytes(dequantize(tensor), values, name);
  });
}

Deno.test("keras: layers of int4 among others, models in models, names as layers have them", async () => {
  const file = await open(await bytesOf("mixed.keras"));
  const golden = await goldenTensors("keras/mixed.safetensors");
  assertEquals(file.quantized.length, golden.size);
  for (const entry of file.quantized) {
    const { data, shape } = golden.get(entry.name)!;
    assertEquals(entry.shape, shape);
    const tensor = await readQuantized(file, entry);
    assertSameBytes(dequantize(tensor), data, entry.name);
  }
  assertEquals(file.quantized.map(({ options }) => options), [
    { groupSize: 8, axis: -1, scaleDtype: "F32" },
    { groupSize: "row", axis: -1, scaleDtype: "F32" },
  ]);
  assertEquals(Object.fromEntries(file.metadata), {
    keras_version: "3.15.1",
    "layers/dense": "first",
    "layers/dense_1": "one",
    "layers/embedding": "table",
    "layers/input_layer": "input_layer",
    "layers/input_layer_1": "input_layer_1",
    "layers/sequential": "inner",
    "layers/sequential/layers/dense": "within",
    "layers/sequential/layers/dense_1": "bytes",
    model: "mixed",
  });
  const other =
    "its layer is quantized otherwise than Dense and EinsumDense are by int4";
  const one = "its codes have four bits or eight: one output tells not";
  assertEquals(Object.fromEntries(file.bound!), {
    "layers/dense_1/vars/0": one,
    "layers/dense_1/vars/1": one,
    "layers/dense_1/vars/2": one,
    "layers/embedding/vars/0": other,
    "layers/embedding/vars/1": other,
    "layers/sequential/layers/dense_1/vars/0": other,
    "layers/sequential/layers/dense_1/vars/1": other,
    "layers/sequential/layers/dense_1/vars/2": other,
  });
  // Which group an input is in is said by the size of groups.
  const names = file.tensors.map(({ name }) => name);
  assert(names.includes("layers/dense/vars/0"));
  assert(!names.includes("layers/dense/vars/3"));
});

Deno.test("keras: inputs in another order than that of their groups are left as they are", async () => {
  const file = await open(await bytesOf("odd.weights.h5"));
  assertEquals(file.quantized, []);
  assertEquals(
    [...file.bound!.values()],
    Array(5).fill(
      "input 2 is in group 0: its inputs are not in the order of their groups",
    ),
  );
  const told = await bytesOf("odd.weights.h5");
  const index = file.tensors.at(-1)!;
  const groups = Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1);
  told.set(new Uint8Array(groups.buffer), index.offset);
  const { quantized: [{ options }] } = await open(told);
  assertEquals(options, { groupSize: 4, axis: -1, scaleDtype: "F32" });
});

Deno.test("keras: groups of hundreds of members, in a file that is deflated", async () => {
  const file = await open(await bytesOf("many.keras"));
  assertEquals(file.tensors.length, 300);
  const data = new Int16Array(1), bytes = new Uint8Array(data.buffer);
  for (const { name, dtype, offset } of file.tensors) {
    await file.source.read(offset, bytes);
    assertEquals([name, dtype], [`group/vars/${data[0]}`, "I16"]);
  }
  await file.source.close();
});

Deno.test("keras: the command line inspects, dequantizes, compares and converts", async () => {
  const model = `${folder}dense_g32_bfloat16.keras`;
  const { container, tensors } = await json("inspect", model);
  assertEquals([container, tensors[0].format], ["keras", "keras"]);
  await withFolder(async (path) => {
    const done = async (...args: string[]) => {
      const { code, err } = await run(...args);
      assertEquals([code, err], [0, ""]);
    };
    await done("dequantize", model, "-o", path("f.safetensors"));
    const { tensors: [same] } = await json(
      ...["compare", model, path("f.safetensors")],
      ...["--tensors", "layers/dense/kernel"],
    );
    assertEquals(same.maxError, 0);
    const onnx = ["--format", "onnx_int4", "--scale-dtype", "BF16"];
    await done("convert", model, "-o", path("r.safetensors"), ...onnx);
    const repacked = await json(
      ...["compare", model, path("r.safetensors")],
      ...["--tensors", "layers/dense/kernel"],
    );
    assertEquals(repacked.tensors[0].maxError, 0);
    const fine = ["--skip", "layers/dense_1*", "--skip", "*embed*"];
    const mixed = `${folder}mixed.keras`;
    const flags = ["--format", "int4", "--requantize", ...fine];
    const all = await json(
      "quantize",
      mixed,
      "-o",
      path("m.safetensors"),
      ...flags,
    );
    assertEquals(
      all.tensors.map(({ name }: { name: string }) => name),
      ["layers/dense/kernel", "layers/sequential/layers/dense/kernel"],
    );
  });
});

// ---- what is no such file ----

Deno.test("keras: archives without weights in one file, and HDF5 of other kinds, are refused by name", async () => {
  const model = await bytesOf("mixed.keras");
  const text = new TextDecoder("latin1").decode(model);
  const renamed = Uint8Array.from(
    text.replaceAll("model.weights.h5", "model_weights.h5"),
    (c) => c.charCodeAt(0),
  );
  const refused: [Uint8Array, string][] = [
    [renamed, 'it has no model.weights.h5, but "model_weights.h5"'],
    [await bytesOf("chunks.h5"), '"chunked" lies in chunks'],
    [await bytesOf("latest.h5"), "HDF5 of version 3, and only 0 is read"],
  ];
  for (const [bytes, message] of refused) {
    await assertRejects(() => open(bytes), RangeError, message);
  }
});

/** Where something is in the HDF5 file of `odd.weights.h5`. */
const ROOT = 96, TREE = 136, HEAP = 680;

Deno.test("keras: records that contradict the file are refused", async () => {
  const whole = await bytesOf("odd.weights.h5");
  const view = new DataView(whole.buffer);
  const at = (text: string, from = 0) => {
    const found = new TextDecoder("latin1").decode(whole).indexOf(text, from);
    assert(found >= 0, text);
    return found;
  };
  assertEquals([at("TREE"), at("HEAP"), view.getUint32(64, true)], [
    TREE,
    HEAP,
    ROOT,
  ]);
  const node = at("SNOD"), entry = node + 8;
  const { tensors: [kernel] } = await open(whole);
  // The place of the kernel stands once, in its layout.
  const layout =
    whole.findIndex((_, i) =>
      i % 2 === 0 && i + 8 <= whole.length &&
      view.getBigUint64(i, true) === BigInt(kernel.offset)
    ) - 2;
  const refused: [at: number, bytes: number[], message: string][] = [
    [0, [0], "it has no directory at its end"],
    [13, [4], "its places are not of 64 bits"],
    [40, [255, 255], "it ends at byte 65535 by its head"],
    [64, [0, 0, 0, 1], "takes 16 bytes from 16777216 on, beyond"],
    [ROOT, [2], "the header of its root is of version 2"],
    [ROOT + 8, [0, 0, 0, 1], "beyond the"],
    [ROOT + 16 + 2, [255, 255], "ends at byte"],
    [ROOT + 24, [255, 255, 255, 255, 255, 255, 255, 255], "leads nowhere"],
    [ROOT + 30, [255], "has the number"],
    [TREE, [0], "have no TREE at byte"],
    [TREE + 4, [1], "are no tree of names"],
    [TREE + 32, [TREE, 0], "is linked to twice"],
    [TREE + 5, [1], "have no TREE at byte"],
    [HEAP, [0], "have no HEAP at byte"],
    [HEAP + 8, [0, 0, 0, 1], "beyond the"],
    [node, [0], "have no SNOD at byte"],
    [node + 6, [255, 255], "beyond the"],
    [entry + 1, [255], 'have the name ""'],
    [entry + 8, [ROOT, 0], "is linked to twice"],
    [entry + 16, [2], "which is not followed"],
    [layout, [2], "has a layout of version 2, not 3"],
    [layout + 1, [2], "lies in chunks"],
    [layout + 5, [255], "beyond the"],
    [layout + 10, [17], "takes 16 bytes by its type and shape, and 17"],
  ];
  for (const [place, patch, message] of refused) {
    const damaged = whole.slice();
    damaged.set(patch, place);
    const { message: found } = await assertRejects(() => open(damaged), Error);
    assert(
      found.includes(message),
      `${place}: ${found} has no ${message}`,
    );
  }
  await open(whole.slice());
});

Deno.test("keras: a file whose records lead to the same bytes again and again is refused", async () => {
  const whole = await bytesOf("odd.weights.h5");
  const longer = new Uint8Array(whole.length + 4096);
  longer.set(whole);
  const view = new DataView(longer.buffer);
  // A message that says where more of them are: there, itself.
  const continued = (at: number) => {
    view.setUint16(at, 16, true);
    view.setUint16(at + 2, 16, true);
    view.setBigUint64(at + 8, BigInt(whole.length), true);
    view.setBigUint64(at + 16, 4096n, true);
  };
  view.setUint16(ROOT + 2, 65_535, true);
  continued(ROOT + 16);
  continued(whole.length);
  await assertRejects(
    () => open(longer),
    SyntaxError,
    "it points at the same places again and again",
  );
});
