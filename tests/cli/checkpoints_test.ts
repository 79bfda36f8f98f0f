// What the ecosystem's own programs wrote is recognized by its parts and by the
// config file beside it; what may be this or that is said.

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { compare, formats } from "../../mod.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { json, run, safetensorsBytes, tensorContents } from "./support.ts";

/** Of which every format has whole groups, words and blocks. */
const shape = [32, 256];
const values = Float32Array.from(
  { length: 32 * 256 },
  (_, i) => Math.sin(i * 1.7) - 0.1,
);

/** The same file without a word of this program, and with other changes to its header. */
function stripped(
  bytes: Uint8Array,
  change: (header: Record<string, { dtype: string; shape: number[] }>) => void =
    () => {},
): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  delete header.__metadata__;
  change(header);
  const text = new TextEncoder().encode(JSON.stringify(header));
  const result = new Uint8Array(8 + text.length + bytes.length - 8 - length);
  new DataView(result.buffer).setBigUint64(0, BigInt(text.length), true);
  result.set(text, 8);
  result.set(bytes.subarray(8 + length), 8 + text.length);
  return result;
}

type Path = (name: string) => string;

/** Quantizes to a file, and to one as another program would have written it. */
async function prepare(
  path: Path,
  format: string,
  ...flags: string[]
): Promise<Uint8Array> {
  await writeFile(
    path("w.safetensors"),
    safetensorsBytes([
      { name: "layer.weight", dtype: "F32", shape, data: values },
    ]),
  );
  const { code, err } = await run(
    ...["quantize", path("w.safetensors"), "-o", path("own.safetensors")],
    ...["--force", "--quiet", "--format", format, ...flags],
  );
  assertEquals([code, err], [0, ""]);
  const bytes = new Uint8Array(await readFile(path("own.safetensors")));
  await writeFile(path("foreign.safetensors"), stripped(bytes));
  return bytes;
}

/** What transformers and others put beside the file. */
async function writeConfig(
  path: Path,
  format: string,
  options: object = {},
): Promise<void> {
  const { convention, ...rest } = formats.get(format as "int4")!;
  const resolved = rest.resolve(options, shape);
  const settings = convention!.config?.(resolved);
  if (!settings) return;
  const config = "quantization_config" in settings
    ? settings
    : { model_type: "tiny", quantization_config: settings };
  await writeFile(path("config.json"), JSON.stringify(config));
}

async function dequantized(path: Path, file: string): Promise<Uint8Array> {
  const { code, err } = await run(
    ...["dequantize", path(file), "-o", path("out.safetensors")],
    ...["--force", "--quiet"],
  );
  assertEquals([code, err], [0, ""]);
  return new Uint8Array(await readFile(path("out.safetensors")));
}

for (const [name, { convention }] of formats) {
  if (!convention) continue;
  Deno.test(`${name}: parts have the ecosystem's names, and are known by them`, async () => {
    await withFolder(async (path) => {
      await prepare(path, name);
      await writeConfig(path, name);
      const { out } = await run(
        "inspect",
        path("foreign.safetensors"),
        "--json",
      );
      const { tensors } = JSON.parse(out);
      assertEquals(tensors.length, 1);
      assertEquals(tensors[0].name, "layer.weight");
      assertEquals(tensors[0].format, name);
      assertEquals(tensors[0].shape, shape);
      assertEquals(
        await dequantized(path, "foreign.safetensors"),
        await dequantized(path, "own.safetensors"),
      );
    });
  });
}

Deno.test("what is ambiguous without a config is said, with the way on", async () => {
  await withFolder(async (path) => {
    await prepare(path, "gptq");
    // Looking is allowed, and tells what is in doubt; work is not.
    const seen = await run("inspect", path("foreign.safetensors"));
    assertEquals(seen.code, 0);
    assertMatch(seen.err, /^nibblewise: warning: Cannot read .*version 1 or 2/);
    const failed = await run(
      ...["dequantize", path("foreign.safetensors"), "-o", path("f.npy")],
    );
    assertEquals(failed.code, 1);
    assertMatch(
      failed.err,
      /^nibblewise: Cannot read .*version 1 or 2[^\n]*quantize_config\.json or config\.json[^\n]*\n$/,
    );
    await writeConfig(path, "gptq", { version: 2 });
    const { code, out } = await run("inspect", path("foreign.safetensors"));
    assertEquals(code, 0);
    assertStringIncludes(out, "version 2");
  });
});

Deno.test("a config that disagrees with the tensors is told, its twin read", async () => {
  await withFolder(async (path) => {
    await prepare(path, "gptq");
    await writeConfig(path, "gptq", { groupSize: 64 });
    const out = ["-o", path("f.npy")];
    const failed = await run(
      "dequantize",
      path("foreign.safetensors"),
      ...out,
    );
    assertEquals(failed.code, 1);
    assertMatch(failed.err, /group_size 64 makes 4 groups/);
    await writeConfig(path, "gptq");
    const done = await run("dequantize", path("foreign.safetensors"), ...out);
    assertEquals(done.code, 0);
  });
});

Deno.test("a config that is no JSON is told, its twin read", async () => {
  await withFolder(async (path) => {
    await prepare(path, "nf4");
    await writeFile(path("config.json"), '{"quantization_config": ');
    const failed = await run("inspect", path("foreign.safetensors"));
    assertEquals(failed.code, 1);
    assertMatch(failed.err, /Cannot read .*config\.json: /);
    await writeFile(path("config.json"), "{}");
    assertEquals((await run("inspect", path("foreign.safetensors"))).code, 0);
  });
});

Deno.test("parts of a wrong shape are told by tensor, their twin read", async () => {
  await withFolder(async (path) => {
    const bytes = await prepare(path, "nf4");
    const wrong = stripped(bytes, (header) => {
      const { shape } = header["layer.weight.absmax"];
      header["layer.weight.absmax"].shape = [1, ...shape];
    });
    await writeFile(path("wrong.safetensors"), wrong);
    const call = (name: string) =>
      run("dequantize", path(name), "-o", path("f.npy"));
    const failed = await call("wrong.safetensors");
    assertEquals(failed.code, 1);
    assertMatch(failed.err, /tensor "layer\.weight": .*absmax/);
    assertEquals((await call("foreign.safetensors")).code, 0);
  });
});

Deno.test("some of the parts alone are plain tensors", async () => {
  await withFolder(async (path) => {
    const data = Int32Array.of(1, 2);
    const entries = ["a.qweight", "a.scales"].map((name) => ({
      ...{ name, dtype: "I32", shape: [2], data },
    }));
    await writeFile(path("p.safetensors"), safetensorsBytes(entries));
    const { code, out } = await run("inspect", path("p.safetensors"), "--json");
    assertEquals(code, 0);
    assertEquals(JSON.parse(out).tensors.length, 2);
    assert(
      JSON.parse(out).tensors.every(({ dtype }: { dtype: string }) =>
        dtype === "I32"
      ),
    );
  });
});

Deno.test("stacks of experts are written and read as their library keeps floats of them", () =>
  withFolder(async (path) => {
    const [experts, out, inputs] = [2, 16, 256];
    // The library's floats are [experts, in, out].
    const data = new Float32Array(values.length);
    for (let i = 0; i < data.length; i++) {
      const e = Math.floor(i / (out * inputs)), o = i % out;
      const at = Math.floor(i / out) % inputs;
      data[i] = values[(e * out + o) * inputs + at];
    }
    const given = { name: "experts.down_proj", dtype: "F32" };
    const write = (name: string, shape: number[], data: Float32Array) =>
      writeFile(path(name), safetensorsBytes([{ ...given, shape, data }]));
    await write("theirs.safetensors", [experts, inputs, out], data);
    await write("codes.safetensors", [experts, out, inputs], values);
    const made = async (from: string, format: string) => {
      const to = path(`${format}.safetensors`);
      const { warnings, tensors: [{ shape }] } = await json(
        ...["quantize", path(from), "-o", to, "--format", format, "--all"],
      );
      assertEquals([warnings, shape], [[], [experts, out, inputs]]);
      return to;
    };
    const quantized = await made("theirs.safetensors", "mxfp4_hf");
    const same = await made("codes.safetensors", "mxfp4_torchao");
    // Other libraries have both alike.
    const [a, b] = [
      await tensorContents(quantized),
      await tensorContents(same),
    ];
    assertEquals(
      a["experts.down_proj_blocks"][1],
      b["experts.down_proj._weight_qdata"][1],
    );
    const compared = await json(
      "compare",
      path("theirs.safetensors"),
      quantized,
    );
    assertEquals(compared.problems, []);
    assertEquals(compared.tensors[0].sqnr > 15, true);
    await json("dequantize", quantized, "-o", path("back.safetensors"));
    const [[dtype, back]] = Object.values(
      await tensorContents(path("back.safetensors")),
    );
    const { tensors: [{ shape }] } = await json(
      "inspect",
      path("back.safetensors"),
    );
    assertEquals([dtype, shape], ["F32", [experts, inputs, out]]);
    const floats = new Float32Array(back.buffer);
    const { maxError } = compare(data, floats);
    assertEquals(maxError, compared.tensors[0].maxError);
    // ggml has floats as codes.
    const gguf = [
      "-o",
      path("back.gguf"),
      "--meta",
      "general.architecture=llama",
    ];
    await json("dequantize", quantized, ...gguf);
    const inGguf = await json("inspect", path("back.gguf"));
    assertEquals(inGguf.tensors[0].shape, [experts, out, inputs]);
    const alike = await json("compare", quantized, path("back.gguf"));
    assertEquals(alike.tensors[0].maxError, 0);
  }));
