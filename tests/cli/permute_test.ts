/**
 * Act-order undone by `--permute-to`: each column has the values that it had, at
 * the place that the permutation tells, and both files appear or none.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dequantize, quantize } from "../../mod.ts";
import { safetensorsOutput } from "../../src/cli/output.ts";
import { Quantizer } from "../../src/cli/quantize_run.ts";
import {
  bytesInFormat,
  isQuantized,
  tensorsOf,
} from "../../src/cli/tensors.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { matmul_nbits } from "../../src/formats/matmul_nbits.ts";
import { columnsByGroup } from "../../src/schemes/act_order.ts";
import { adversarial } from "../adversarial.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { readQuantized } from "../files/read_quantized.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { json, MemorySink, run, safetensorsBytes } from "./support.ts";

const vector = (name: string) =>
  new URL(`../vectors/gptq/${name}`, import.meta.url).pathname;

const SORTED = "gptqmodel-v2-sym-g64-desc_act";
const NATURAL = "gptqmodel-v1-sym-g128";

/** The values of every quantized tensor of a file. */
async function valuesIn(file: TensorFile): Promise<Map<string, Float32Array>> {
  const { quantized } = await sortTensors(file);
  const all = new Map<string, Float32Array>();
  for (const entry of quantized) {
    all.set(entry.name, dequantize(await readQuantized(file, entry)));
  }
  return all;
}

async function valuesAt(path: string): Promise<Map<string, Float32Array>> {
  const file = await openTensorFile(path);
  try {
    return await valuesIn(file);
  } finally {
    await file.source.close();
  }
}

async function permutationsAt(path: string): Promise<Map<string, Int32Array>> {
  const file = await openTensorFile(path);
  const all = new Map<string, Int32Array>();
  for (const { name, dtype, shape, offset, byteLength } of file.tensors) {
    assertEquals([dtype, shape], ["I32", [byteLength / 4]]);
    const bytes = new Uint8Array(byteLength);
    await file.source.read(offset, bytes);
    all.set(name, new Int32Array(bytes.buffer));
  }
  await file.source.close();
  return all;
}

/** What stands at column `permutation[i]` as column `i`. */
function permuted(values: Float32Array, permutation: Int32Array): Float32Array {
  const { length } = permutation;
  return values.map((_, i) => values[i - i % length + permutation[i % length]]);
}

for (
  const name of [
    SORTED,
    "autogptq-v1-sym-g128-desc_act",
    "gptqmodel-v2-asym-channel-desc_act",
  ]
) {
  for (const format of ["gptq", "matmul_nbits", "compressed_tensors"]) {
    // What those hold by the libraries' own rules.
    const holds = format === "gptq" || name.includes("channel") ===
        (format === "compressed_tensors");
    if (!holds) continue;
    Deno.test(`${name} as ${format} has the columns that the permutation says`, async () => {
      await withFolder(async (path) => {
        const from = `${vector(name)}/model.safetensors`;
        const to = path("q.safetensors"), columns = path("p.safetensors");
        const report = await json(
          ...["convert", from, "-o", to, "--format", format],
          ...["--permute-to", columns],
        );
        assertEquals(report.tensors.length, 2);
        assertStringIncludes(report.warnings[0], "x[:, permutation]");
        const before = await valuesAt(from), after = await valuesAt(to);
        const permutations = await permutationsAt(columns);
        assertEquals([...permutations.keys()].sort(), [...after.keys()].sort());
        for (const [tensor, permutation] of permutations) {
          assertEquals(
            permutation.toSorted(),
            Int32Array.from(permutation, (_, i) => i),
          );
          assertSameBytes(
            after.get(tensor)!,
            permuted(before.get(tensor)!, permutation),
            tensor,
          );
        }
      });
    });
  }
}

Deno.test("columns are sorted by their groups, in the order that they had", () => {
  const sorted = columnsByGroup(Int32Array.of(1, 0, 2, 1, 0, 0, 1), 3);
  assertEquals([...sorted], [1, 4, 5, 0, 3, 6, 2]);
  assertEquals(columnsByGroup(new Int32Array(0), 3).length, 0);
});

Deno.test("without the flag the refusal names it; where nothing is in act-order, so does another", async () => {
  await withFolder(async (path) => {
    const call = (name: string, ...more: string[]) =>
      run(
        ...["convert", `${vector(name)}/model.safetensors`],
        ...["-o", path("q.safetensors"), "--format", "matmul_nbits", ...more],
      );
    const refused = await call(SORTED);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "pass --permute-to FILE");
    const needless = await call(NATURAL, "--permute-to", path("p.safetensors"));
    assertEquals(needless.code, 1);
    assertStringIncludes(needless.err, "drop --permute-to");
    assertEquals(await readdir(path(".")), []);
    assertEquals((await call(NATURAL)).code, 0);
  });
});

Deno.test("permutations go to a file of their own, and only where nothing is lost", async () => {
  await withFolder(async (path) => {
    const convert = (output: string, columns: string, ...more: string[]) =>
      run(
        ...["convert", `${vector(SORTED)}/model.safetensors`, "-o", output],
        ...["--format", "matmul_nbits", "--permute-to", columns, ...more],
      );
    const q = path("q.safetensors"), p = path("p.safetensors");
    for (
      const [output, columns, why] of [
        [q, path("p.npy"), "must end in .safetensors"],
        [q, q, "that is the output"],
        [path("q/"), path("q/p.safetensors"), "in the folder of the output"],
      ]
    ) {
      const { code, err } = await convert(output, columns);
      assertEquals(code, 2);
      assertStringIncludes(err, why);
    }
    await writeFile(p, "precious");
    const refused = await convert(q, p);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "it exists already");
    assertEquals(await readdir(path(".")), ["p.safetensors"]);
    assertEquals(await readFile(p, "utf8"), "precious");
    assertEquals((await convert(q, p, "--force", "--quiet")).code, 0);
    assertEquals((await permutationsAt(p)).size, 2);
    // An input is none of them, whatever is forced.
    const input = await run(
      ...["convert", q, "-o", path("r.safetensors"), "--format", "gptq"],
      ...["--permute-to", q, "--force"],
    );
    assertEquals(input.code, 1);
  });
});

Deno.test("a folder and its permutations appear together, and these not in the input", async () => {
  await withFolder(async (path) => {
    await mkdir(path("hf"));
    for (const name of ["model.safetensors", "quantize_config.json"]) {
      await cp(`${vector(SORTED)}/${name}`, path(`hf/${name}`));
    }
    const convert = (columns: string) =>
      run(
        ...["convert", path("hf"), "-o", path("q/"), "--quiet"],
        ...["--format", "matmul_nbits", "--permute-to", columns],
      );
    const inside = await convert(path("hf/p.safetensors"));
    assertEquals(inside.code, 1);
    assertStringIncludes(inside.err, "it is in the input");
    assertEquals(await readdir(path(".")), ["hf"]);
    assertEquals((await convert(path("p.safetensors"))).code, 0);
    assertEquals((await readdir(path("."))).sort(), [
      "hf",
      "p.safetensors",
      "q",
    ]);
  });
});

/** A GPTQ tensor in a file, each of its columns in the group that `order` says. */
function gptqFile(order: readonly number[], rows: number): Uint8Array {
  const { parts } = quantize(adversarial(rows * order.length).gauss, {
    format: "gptq",
    shape: [rows, order.length],
    groupSize: 16,
    actOrder: true,
  });
  parts.g_idx.data.set(order);
  const entries = Object.entries(parts).map(([part, rest]) => ({
    name: `w.${part}`,
    ...rest,
  }));
  return safetensorsBytes(entries);
}

const CONFIG = JSON.stringify({
  quant_method: "gptq",
  bits: 4,
  group_size: 16,
  desc_act: true,
});

Deno.test("groups that have not their number of columns are refused, and nothing is written", async () => {
  const full = Array.from({ length: 64 }, (_, i) => i % 4);
  const cases: [number[], string | undefined][] = [
    [full, undefined],
    [full.with(3, 0), "one too many in group 0"],
    [full.with(5, -1), "group -1"],
    [full.with(5, 2 ** 31 - 1), "group 2147483647"],
    [full.with(5, 4), "group 4"],
  ];
  for (const [order, why] of cases) {
    await withFolder(async (path) => {
      await writeFile(path("model.safetensors"), gptqFile(order, 8));
      await writeFile(path("quantize_config.json"), CONFIG);
      const { code, err } = await run(
        ...["convert", path("model.safetensors"), "--format", "matmul_nbits"],
        ...["-o", path("q.safetensors")],
        ...["--permute-to", path("p.safetensors"), "--quiet"],
      );
      assertEquals(code, why === undefined ? 0 : 1, err);
      assertStringIncludes(err, why ?? "");
      assertEquals((await readdir(path("."))).length, why ? 2 : 4);
    });
  }
});

Deno.test("in windows of any size whole rows are sorted", async () => {
  const order = Array.from({ length: 96 }, (_, i) => (i * 5 + 3) % 6);
  const rows = 24, shape = [rows, 96];
  const file = {
    ...await openSafetensors(memorySource(gptqFile(order, rows))),
    config: () => Promise.resolve(JSON.parse(CONFIG)),
  };
  const tensor = (await tensorsOf(file)).find(isQuantized)!;
  const options = matmul_nbits.resolve({
    blockSize: 16,
    symmetric: true,
    scaleDtype: "F16",
    computeDtype: "F16",
  }, shape);
  const kept = matmul_nbits.kept(options);
  const layout = { format: matmul_nbits, shape, options };
  const plan = { name: "w", format: matmul_nbits, shape, options: kept };
  const expected = permuted(
    (await valuesIn(file)).get("w.weight")!,
    columnsByGroup(Int32Array.from(order), 16),
  );
  for (const capacity of [1, 100, 2 ** 20]) {
    const output = safetensorsOutput([{ name: "w", shape, quantized: plan }]);
    const sink = new MemorySink(output.size);
    const task = { index: 0, tensor, plan, layout, repacked: true };
    const tasks = {
      quantized: [{ ...task, bytes: bytesInFormat(layout), permuted: true }],
      copied: [],
    };
    await new Quantizer({ file, tasks, output, clamp: false, capacity })
      .run(sink, { add: () => {} });
    const written = await openSafetensors(memorySource(sink.bytes));
    const values = (await valuesIn(written)).get("w")!;
    assertSameBytes(values, expected, `capacity ${capacity}`);
  }
});
