// GGUF through the command line: written, read, converted, loaded by llama.cpp.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gguf } from "@huggingface/gguf";
import { readFile, writeFile } from "node:fs/promises";
import { type GgufFile, isGguf } from "../../src/files/gguf_read.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { dequantize, quantize } from "../../src/quantize.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import {
  json,
  run,
  safetensorsBytes,
  tensorContents,
  weightLike,
} from "./support.ts";

const shape = [64, 256];
const weights = weightLike(64, 256);
const llama = await openLlama();

async function withModel(
  test: (path: (name: string) => string, model: string) => Promise<void>,
) {
  await withFolder(async (path) => {
    const float = { dtype: "F32", shape, data: weights };
    const half = new Uint16Array(256).fill(0x3c00);
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        { name: "model.embed.weight", ...float },
        { name: "model.q.weight", ...float },
        { name: "model.norm", dtype: "F16", shape: [256], data: half },
        {
          ...{ name: "odd.weight", dtype: "F32", shape: [2, 5] },
          data: weights.slice(0, 10),
        },
      ]),
    );
    await test(path, path("m.safetensors"));
  });
}

async function open(path: string): Promise<GgufFile> {
  const file = await openTensorFile(path);
  assert(isGguf(file));
  return file;
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

Deno.test("safetensors become a GGUF that others read, formats by patterns, the rest as it was", async () => {
  await withModel(async (path, model) => {
    const { copied, warnings } = await json(
      ...["quantize", model, "-o", path("m.gguf"), "--format", "q4_k"],
      ...[
        "--format",
        "q4_0:*embed.weight",
        "--meta",
        "general.architecture=llama",
      ],
      ...["--meta", "llama.block_count=1", "--meta", "x:[i32]=1,2"],
      ...[
        "--rename",
        "^model\\.=blk.0.",
        "--rename",
        '{"odd.weight": "even.weight"}',
      ],
    );
    assertEquals(warnings, []);
    const reasons = Object.fromEntries(
      copied.map((t: { name: string; reason: string }) => [t.name, t.reason]),
    );
    assertStringIncludes(reasons["blk.0.norm"], "one axis");
    assertStringIncludes(reasons["even.weight"], "multiple of 256");
    const tensors = await tensorContents(path("m.gguf"));
    const blocks = (format: "q4_0" | "q4_k") =>
      bytesOf(quantize(weights, { format, shape }).parts.blocks.data);
    assertEquals(tensors, {
      "blk.0.embed.weight": ["Q4_0", blocks("q4_0")],
      "blk.0.q.weight": ["Q4_K", blocks("q4_k")],
      "blk.0.norm": ["F32", bytesOf(new Float32Array(256).fill(1))],
      "even.weight": ["F32", bytesOf(weights.slice(0, 10))],
    });
    const { metadata, tensorInfos } = await gguf(path("m.gguf"), {
      allowLocalFile: true,
    });
    const values = { ...metadata } as Record<string, unknown>;
    assertEquals(values["general.architecture"], "llama");
    assertEquals(values["general.quantization_version"], 2);
    assertEquals(values["llama.block_count"], 1);
    assertEquals(tensorInfos.length, 4);
    const listed = await json("inspect", path("m.gguf"));
    assertEquals(listed.metadata["x"], {
      ...{ type: "array", elementType: "i32", length: 2, first: [1, 2] },
    });
  });
});

Deno.test("a dry run tells the size that comes out", async () => {
  await withModel(async (path, model) => {
    const dry = await json("inspect", model, "--dry-run", "--format", "q4_1");
    await json("quantize", model, "-o", path("m.gguf"), "--format", "q4_1");
    assertEquals((await readFile(path("m.gguf"))).length, dry.bytesAfter);
    const wrong = await run("inspect", model, "--format", "q4_1");
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.err, "--dry-run");
  });
});

Deno.test("GGUF to GGUF keeps metadata and what has the format already", async () => {
  await withModel(async (path, model) => {
    await json(
      ...["quantize", model, "-o", path("a.gguf"), "--format", "q4_k"],
      ...["--meta", "general.architecture=llama", "--meta", "general.name=é"],
    );
    const again = [
      ...["quantize", path("a.gguf"), "-o", path("b.gguf")],
      ...["--format", "q4_0:*embed.weight", "--format", "q4_k"],
    ];
    const refused = await run(...again);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "it is Q4_K already");
    assertStringIncludes(refused.err, "pass --requantize");
    const second = await json(...again, "--requantize");
    assertEquals(second.warnings.length, 1);
    assertStringIncludes(second.warnings[0], "quantized before (Q4_K)");
    const [a, b] = [
      await tensorContents(path("a.gguf")),
      await tensorContents(path("b.gguf")),
    ];
    for (const name of ["model.q.weight", "model.norm", "odd.weight"]) {
      assertEquals(b[name], a[name]);
    }
    const restored = dequantize(quantize(weights, { format: "q4_k", shape }));
    assertEquals(
      b["model.embed.weight"][1],
      bytesOf(quantize(restored, { format: "q4_0", shape }).parts.blocks.data),
    );
    const { metadata } = await json("inspect", path("b.gguf"));
    assertEquals(metadata["general.name"].value, "é");
    await json(
      ...["quantize", model, "-o", path("c.gguf"), "--format", "q4_k"],
      ...["--meta-from", path("a.gguf")],
    );
    assertEquals(
      await readFile(path("c.gguf")),
      await readFile(path("a.gguf")),
    );
  });
});

Deno.test("GGUF comes back as floats, and goes to safetensors without a change", async () => {
  await withModel(async (path, model) => {
    await json("quantize", model, "-o", path("m.gguf"), "--format", "iq4_nl");
    const restored = dequantize(quantize(weights, { format: "iq4_nl", shape }));
    await json(
      ...["dequantize", path("m.gguf"), "-o", path("x.npy")],
      ...["--tensors", "model.q.weight"],
    );
    const values = (await readFile(path("x.npy"))).subarray(128);
    assertEquals(new Uint8Array(values), bytesOf(restored));
    const call = ["convert", path("m.gguf"), "-o", path("c.safetensors")];
    const same = await json(...call, "--format", "iq4_nl");
    assertEquals(same.tensors, []);
    const { tensors } = await json(
      ...["compare", path("m.gguf"), path("c.safetensors")],
    );
    assertEquals(tensors.map((t: { rmse: number }) => t.rmse), [0, 0, 0, 0]);
    await json(
      ...["convert", path("c.safetensors"), "-o", path("d.gguf")],
      ...["--format", "iq4_nl"],
    );
    assertEquals(
      await tensorContents(path("d.gguf")),
      await tensorContents(path("m.gguf")),
    );
    const other = await run(
      ...call.slice(0, 2),
      ...["-o", path("e.safetensors"), "--format", "int4", "--requantize"],
    );
    assertEquals(other.code, 0);
    assertStringIncludes(other.err, "the error told here is added");
  });
});

Deno.test("what GGUF cannot hold is refused before any work", async () => {
  await withModel(async (path, model) => {
    const call = ["quantize", model, "-o", path("m.gguf")];
    for (
      const [code, args, message] of [
        [2, [], "int4, the default"],
        [2, ["--format", "int4"], "GGUF has no type for format int4"],
        [2, ["--format", "q4_0", "--meta", "nothing"], "key=value"],
        [2, ["--format", "q4_0", "--rename", "zzz=y"], "No tensor is renamed"],
        [
          2,
          ["--format", "q4_0", "--rename", '{"od.weight": "x"}'],
          "did you mean odd.weight?",
        ],
        [2, ["--format", "q4_0", "--rename", "[=x"], "Cannot rename"],
        [
          2,
          ["--format", "q4_0", "--rename", '{"odd.weight": 1}'],
          "no object of strings",
        ],
        [
          1,
          ["--format", "q4_0", "--rename", "model\\.(q|norm)(\\.weight)?=x"],
          "occurs twice",
        ],
        [1, ["--format", "q4_0", "--strict"], "Cannot quantize tensor"],
        [1, ["--format", "q4_0", "--meta-from", model], "it is no GGUF"],
        [1, ["--format", "q4_0", "--rename", path("no.json")], "no such file"],
      ] as const
    ) {
      const outcome = await run(...call, ...args);
      assertEquals([outcome.code, outcome.out], [code, ""], args.join(" "));
      assertStringIncludes(outcome.err, message);
    }
    const meta = await run(
      ...["quantize", model, "-o", path("m.safetensors"), "--meta", "a=b"],
    );
    assertEquals(meta.code, 2);
    const done = await run(...call, "--format", "q4_0");
    assertEquals(done.code, 0);
    assertStringIncludes(done.err, "general.architecture is unknown");
  });
});

for (const format of ["q4_0", "q4_k", "iq4_xs", "mxfp4"]) {
  Deno.test(`native llama.cpp loads what the command line writes: ${format}`, {
    ignore: llama === undefined,
  }, async () => {
    await withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      await json(
        ...["quantize", path("f32.gguf"), "-o", path("ours.gguf")],
        ...["--format", format],
      );
      const file = await open(path("ours.gguf"));
      const fileType = file.values.get("general.file_type")!.value as number;
      await file.source.close();
      llama!.quantize(path("f32.gguf"), path("theirs.gguf"), fileType, {
        pure: true,
      });
      const tokens = llama!.tokenize(path("f32.gguf"), "the zebra\n");
      assertEquals(
        llama!.logits(path("ours.gguf"), tokens),
        llama!.logits(path("theirs.gguf"), tokens),
      );
      assertEquals(
        await tensorContents(path("ours.gguf")),
        await tensorContents(path("theirs.gguf")),
      );
    });
  });
}
