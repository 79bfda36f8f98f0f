// What another program has quantized is never taken for weights: known scales
// are multiplied in, unknown ones are an error that names them.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { openTensorFile } from "../../src/files/open.ts";
import { readFloats } from "../../src/files/floats.ts";
import { decodeFloat8 } from "../../src/numeric/float8.ts";
import { dtypeBytes } from "../../src/numeric/dtypes.ts";
import { sizeOf } from "../../src/numeric/shape.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { type Given, json, run, safetensorsBytes } from "./support.ts";

/** A tensor of bytes that are finite in any dtype. */
function tensor(name: string, dtype: string, shape: number[]): Given {
  const data = new Uint8Array(sizeOf(shape) * dtypeBytes(dtype));
  for (let i = 0; i < data.length; i++) data[i] = (i * 29 + 5) % 0x3c;
  return { name, dtype, shape, data };
}

const embeddings = tensor("embed.weight", "F32", [32, 64]);

/** Where shapes do not tell MLX's four bits from eight, this does. */
const EIGHT_BITS = '{"quantization":{"bits":8,"group_size":32}}';

/** What programs leave behind that are not known here. */
const strangers: readonly (readonly [what: string, parts: readonly Given[]])[] =
  [
    ["GPTQ without g_idx", [
      tensor("l.q.qweight", "I32", [8, 64]),
      tensor("l.q.scales", "F16", [2, 64]),
    ]],
    ["ModelOpt's NF4, packed flat", [
      tensor("l.q.double_scale", "BF16", [1]),
      tensor("l.q.weight", "U8", [2048]),
      tensor("l.q.scale", "I8", [1, 64]),
      tensor("l.q.scale_zeros", "BF16", [1]),
    ]],
    ["MLX's eight bits", [
      tensor("l.q.weight", "U32", [64, 16]),
      tensor("l.q.scales", "F16", [64, 2]),
      tensor("l.q.biases", "F16", [64, 2]),
    ]],
    ["integers with a scale", [
      tensor("l.q.weight", "I8", [64, 64]),
      tensor("l.q.weight_scale", "F32", [64, 1]),
    ]],
    ["bitsandbytes' eight bits", [
      tensor("l.q.weight", "I8", [64, 64]),
      tensor("l.q.SCB", "F32", [64]),
    ]],
    ["codes in floats", [
      tensor("l.q.weight", "BF16", [1024, 1]),
      tensor("l.q.weight.absmax", "F32", [64]),
    ]],
    ["blocks of experts", [
      tensor("l.experts.up_codes", "U8", [4, 64, 2, 15]),
      tensor("l.experts.up_scales", "U8", [4, 64, 2]),
    ]],
    ["MXFP8", [
      tensor("l.q.weight", "F8_E4M3", [64, 64]),
      tensor("l.q.weight_scale", "U8", [64, 2]),
    ]],
    ["eight-bit floats with scales of no known block", [
      tensor("l.q.weight", "F8_E4M3", [64, 64]),
      tensor("l.q.weight_scale_inv", "F32", [3, 5]),
    ]],
  ];

for (const [what, parts] of strangers) {
  Deno.test(`${what}: refused by name, left out it is copied`, async () => {
    await withFolder(async (path) => {
      const input = path("in.safetensors");
      await writeFile(input, safetensorsBytes([embeddings, ...parts]));
      await writeFile(path("config.json"), EIGHT_BITS);
      const to = ["-o", path("out.safetensors")];
      for (
        const call of [
          ["quantize", input, ...to],
          ["quantize", input, ...to, "--requantize"],
          ["dequantize", input, ...to],
        ]
      ) {
        const { code, err } = await run(...call);
        assertEquals(code, 1, call.join(" "));
        assertStringIncludes(err, "another program has quantized");
        assertStringIncludes(err, `"${parts[0].name}" ${parts[0].dtype}`);
        assertEquals(err.trim().split("\n").length, 1);
      }
      const { out } = await run("inspect", input, "--json");
      assertEquals(JSON.parse(out).warnings.length, 1);
      const done = await json("quantize", input, ...to, "--skip", "l.*");
      assertEquals(done.tensors.length, 1);
      assertEquals(done.copied.length, parts.length);
    });
  });
}

Deno.test("a config that tells of another program is enough, its twin quantized", async () => {
  await withFolder(async (path) => {
    const input = path("in.safetensors"), to = path("out.safetensors");
    const packed = tensor("l.q.trellis", "I16", [4, 4, 64]);
    await writeFile(input, safetensorsBytes([embeddings, packed]));
    await writeFile(
      path("config.json"),
      '{"quantization_config":{"quant_method":"exl3"}}',
    );
    const { code, err } = await run("quantize", input, "-o", to);
    assertEquals(code, 1);
    assertStringIncludes(err, 'by the config with "exl3"');
    await writeFile(path("config.json"), "{}");
    assertEquals((await json("quantize", input, "-o", to)).tensors.length, 1);
  });
});

Deno.test("names that models have on their own are no signs", async () => {
  await withFolder(async (path) => {
    const input = path("in.safetensors");
    await writeFile(
      input,
      safetensorsBytes([
        embeddings,
        tensor("attn.logit_scale", "F32", [4, 1, 1]),
        tensor("attn.relative_position_index", "I64", [49, 49]),
        tensor("norm.scale", "F32", [64]),
        tensor("norm.weight", "F32", [64, 64]),
        tensor("attn.k_scale", "F32", []),
      ]),
    );
    const done = await json("quantize", input, "-o", path("out.safetensors"));
    assertEquals(
      done.tensors.map(({ name }: Given) => name).sort(),
      ["attn.logit_scale", "embed.weight", "norm.weight"],
    );
  });
});

/** Kinds of scales of a weight of 200 × 300, and the place of each value's. */
const kinds: readonly [
  what: string,
  name: string,
  dtype: string,
  shape: number[],
  place: (row: number, column: number) => number,
][] = [
  ["one number", "weight_scale", "F32", [], () => 0],
  ["one number in an array", "weight_scale", "BF16", [1], () => 0],
  ["one number by DeepSeek's name", "weight_scale_inv", "F32", [1, 1], () => 0],
  ["one for each row", "weight_scale", "F32", [200, 1], (row) => row],
  ["one for each row, flat", "weight_scale", "F16", [200], (row) => row],
  [
    "one for each block",
    "weight_scale_inv",
    "F32",
    [2, 3],
    (row, column) => Math.floor(row / 128) * 3 + Math.floor(column / 128),
  ],
];

for (const [what, name, dtype, shape, place] of kinds) {
  Deno.test(`eight-bit floats, ${what}: value times scale`, async () => {
    await withFolder(async (path) => {
      const weight = tensor("l.q.weight", "F8_E4M3", [200, 300]);
      const scales = tensor(`l.q.${name}`, dtype, shape);
      if (dtype === "F32") {
        new Float32Array(scales.data.buffer).forEach((_, i, all) =>
          all[i] = 1 / (3 + i)
        );
      }
      const input = path("in.safetensors"), to = path("out.safetensors");
      await writeFile(input, safetensorsBytes([weight, scales, embeddings]));
      const done = await json("dequantize", input, "-o", to);
      assertEquals(done.tensors.map(({ name }: Given) => name), [weight.name]);

      const codes = new Float32Array(200 * 300);
      decodeFloat8(weight.data as Uint8Array, "F8_E4M3", codes);
      const numbers = new Float32Array(sizeOf(shape));
      const file = await openTensorFile(input);
      const entry = file.tensors.find((e) => e.name === scales.name)!;
      await readFloats(file, entry, 0, numbers);
      await file.source.close();
      const expected = codes.map((code, i) =>
        code * numbers[place(Math.floor(i / 300), i % 300)]
      );

      const written = await openTensorFile(to);
      assertEquals(
        written.tensors.map((e) => e.name).sort(),
        [embeddings.name, weight.name],
      );
      const actual = new Float32Array(200 * 300);
      const out = written.tensors.find((e) => e.name === weight.name)!;
      await readFloats(written, out, 0, actual);
      await written.source.close();
      assertEquals(
        new Uint32Array(actual.buffer),
        new Uint32Array(expected.buffer),
      );
      const same = await json("compare", input, to);
      assertEquals(same.problems, []);
      assertEquals(
        same.tensors.every((t: { mae: number }) => t.mae === 0),
        true,
      );

      // From these values on, and not from the bytes.
      const small = path("small.safetensors");
      await json("quantize", input, "-o", small);
      await json("quantize", to, "-o", path("b.safetensors"));
      assertEquals(
        await readFile(small),
        await readFile(path("b.safetensors")),
      );
    });
  });
}

Deno.test("scales stay with a weight that is copied", async () => {
  await withFolder(async (path) => {
    const input = path("in.safetensors"), to = path("out.safetensors");
    const weight = tensor("l.q.weight", "F8_E4M3", [200, 300]);
    const scales = tensor("l.q.weight_scale", "F32", [200, 1]);
    await writeFile(input, safetensorsBytes([weight, scales, embeddings]));
    const done = await json("quantize", input, "-o", to, "--tensors", "embed*");
    assertEquals(
      done.copied.map(({ name }: Given) => name),
      [scales.name, weight.name],
    );
  });
});

Deno.test("what ModelOpt compresses in memory is named, floats that it looked at are weights", async () => {
  await withFolder(async (path) => {
    const input = path("in.safetensors");
    const to = ["-o", path("out.safetensors"), "--force"];
    const scale = tensor("l.q.weight_quantizer._scale", "F32", [128, 1]);
    const codes = tensor("l.q.weight", "U8", [64, 128]);
    await writeFile(input, safetensorsBytes([embeddings, codes, scale]));
    const { code, err } = await run("quantize", input, ...to);
    assertEquals(code, 1);
    assertStringIncludes(err, 'ModelOpt has compressed "l.q" in memory');
    assertStringIncludes(err, "INT4QTensor");
    const rest = await json("quantize", input, ...to, "--skip", "l.q.*");
    assertEquals(rest.tensors.length, 1);

    const floats = tensor("l.q.weight", "F32", [64, 256]);
    const seen = tensor("l.q.weight_quantizer._amax", "F32", []);
    await writeFile(input, safetensorsBytes([embeddings, floats, seen]));
    const done = await json("quantize", input, ...to);
    assertEquals(done.tensors.length, 2);
  });
});
