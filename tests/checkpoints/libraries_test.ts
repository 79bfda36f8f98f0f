/**
 * Checkpoints as the command makes them, loaded by the libraries that they are for:
 * the very values that `dequantize` gives, and everything else as it was.
 */
import { assertEquals } from "@std/assert";
import { mkdir } from "node:fs/promises";
import { json, run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { runPython } from "../peers/python.ts";
import { LINEAR, writeLlama } from "./llama_folder.ts";

const maker = new URL("make.py", import.meta.url).pathname;
const judge = new URL("judge.py", import.meta.url).pathname;

/** Python packages that load checkpoints, formats of them, and whether embeddings are quantized. */
const LIBRARIES: readonly {
  name: string;
  packages: string[];
  formats: string[][];
  embeddings?: true;
}[] = [
  {
    name: "torch",
    packages: ["transformers", "compressed_tensors", "bitsandbytes"],
    formats: [
      ["compressed_tensors"],
      ["compressed_tensors", "--symmetric", "false", "--group-size", "row"],
      ["mxfp4_ct"],
      ["nvfp4_ct"],
      ["nf4"],
      ["nf4", "--nested", "true", "--compute-dtype", "BF16"],
      ["fp4"],
    ],
  },
  {
    name: "gptq",
    packages: ["gptqmodel", "transformers"],
    formats: [["gptq"], ["gptq", "--symmetric", "false", "--version", "2"], [
      "awq",
    ]],
  },
  {
    name: "awq",
    packages: ["compressed_tensors", "transformers"],
    formats: [["awq"]],
  },
  {
    name: "autoawq",
    packages: ["awq", "datasets"],
    formats: [["awq"], ["awq", "--group-size", "64"]],
  },
  { name: "hqq", packages: ["torch", "hqq"], formats: [["hqq"]] },
  {
    name: "torchao",
    packages: ["torchao", "transformers"],
    formats: [
      ["mxfp4_torchao"],
      ["mxfp4_torchao", "--swizzled", "true", "--scale-rule", "rceil"],
      ["nvfp4_torchao"],
      ["nvfp4_torchao", "--swizzled", "true", "--per-tensor-scale", "false"],
    ],
  },
  {
    name: "modelopt",
    packages: ["modelopt", "transformers"],
    formats: [["mxfp4_modelopt"], ["nvfp4_modelopt"], ["int4_modelopt"]],
  },
  {
    name: "mlx",
    packages: ["mlx", "mlx_lm"],
    formats: [["mlx"], ["mlx", "--mode", "mxfp4"], ["mlx", "--mode", "nvfp4"]],
    embeddings: true,
  },
];

for (const { name, packages, formats, embeddings } of LIBRARIES) {
  const missing = await missingOf(packages);
  if (missing === undefined) {
    console.log(
      "Python is not there: no library loads what is made (NIBBLEWISE_PYTHON)",
    );
  } else if (missing.length > 0) {
    console.log(
      `${
        missing.join(", ")
      } not there (pip install, NIBBLEWISE_PYTHON): ${name} loads nothing`,
    );
  }
  Deno.test({
    name: `${name} loads folders of ${
      formats.map((f) => f.join(" ")).join(", ")
    }, with our values`,
    ignore: missing?.length !== 0,
    fn: () =>
      withFolder(async (path) => {
        await writeLlama(path("in"));
        const folders: string[] = [];
        for (const [no, [format, ...flags]] of formats.entries()) {
          const [made, floats] = [path(`q${no}`), path(`f${no}`)];
          const skip = ["--skip", "model.layers.1.mlp.gate_proj.weight"];
          const how = ["--format", format, ...flags, ...skip, "-q"];
          await done("quantize", path("in"), "-o", `${made}/`, ...how);
          await done("dequantize", made, "-o", `${floats}/`, "-q");
          folders.push(made, floats);
        }
        const told = await judged(name, folders);
        assertEquals(told.length, formats.length);
        for (const [no, { quantized, plain, differ }] of told.entries()) {
          const format = formats[no].join(" ");
          assertEquals(differ, [], format);
          const linear = 2 * LINEAR.length - 1;
          assertEquals(quantized.length, linear + (embeddings ? 2 : 0), format);
          // Five norms, the linear module that is skipped, embeddings and head.
          assertEquals(plain.length, embeddings ? 6 : 8, format);
        }
      }),
  });
}

/** Formats that libraries save in folders by configs of their own, which no golden file has. */
const SAVED = {
  torchao: ["mxfp4_torchao", "nvfp4_torchao"],
  modelopt: ["mxfp4_modelopt", "nvfp4_modelopt", "int4_modelopt"],
};

for (const [library, formats] of Object.entries(SAVED)) {
  const { packages } = LIBRARIES.find(({ name }) => name === library)!;
  Deno.test({
    name: `${library}: its own folders of ${
      formats.join(", ")
    } have its values`,
    ignore: (await missingOf(packages))?.length !== 0,
    fn: () =>
      withFolder(async (path) => {
        await mkdir(path("made"));
        const call = [maker, library, path("made")];
        const { success, err } = await runPython(call);
        assertEquals(success, true, err.slice(-3000));
        const folders: string[] = [];
        for (const format of formats) {
          const [made, floats] = [path(`made/${format}`), path(`f${format}`)];
          const { tensors, warnings } = await json("inspect", made);
          assertEquals(warnings, []);
          const found = tensors.flatMap((tensor: { format?: string }) =>
            tensor.format ?? []
          );
          assertEquals(found, Array(2 * LINEAR.length).fill(format));
          await done("dequantize", made, "-o", `${floats}/`, "-q");
          folders.push(made, floats);
        }
        for (const { quantized, differ } of await judged(library, folders)) {
          assertEquals([quantized.length, differ], [2 * LINEAR.length, []]);
        }
      }),
  });
}

/** Which packages Python lacks; undefined where there is no Python. */
async function missingOf(packages: string[]): Promise<string[] | undefined> {
  const find = `import importlib.util as u, sys
print(*(p for p in sys.argv[1:] if u.find_spec(p) is None))`;
  try {
    const { out } = await runPython(["-c", find, ...packages]);
    return out.split(/\s+/).filter(Boolean);
  } catch {
    return undefined;
  }
}

async function done(...args: string[]): Promise<void> {
  const { code, err } = await run(...args);
  assertEquals(code, 0, err);
}

interface Verdict {
  readonly quantized: string[];
  readonly plain: string[];
  readonly differ: string[];
}

async function judged(library: string, folders: string[]): Promise<Verdict[]> {
  const { success, out, err } = await runPython([judge, library, ...folders]);
  assertEquals(success, true, err.slice(-3000));
  const lines = out.split("\n");
  return lines.filter((line) => line.startsWith('{"quantized"')).map((line) =>
    JSON.parse(line)
  );
}
