/**
 * What searched scales are worth: decibels and time of every format and every
 * search, native ggml's search with weights of 1 beside them.
 * `deno task bench:fidelity [--values N] [--format NAME] [--markdown]`
 *
 * The real weights are those of all-MiniLM-L6-v2: see tests/fidelity.ts for where
 * they come from.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import * as nibblewise from "../mod.ts";
import { ggmlLayouts } from "../src/ggml/table.ts";
import { openGgml } from "../tests/peers/ggml.ts";
import { COLUMNS, madeUpSamples, miniLmSample } from "../tests/fidelity.ts";
import { environment, median, table } from "./table.ts";

/** Options that are tried beside those of the default, where a format groups by them. */
const OPTIONS: Readonly<Record<string, readonly object[]>> = {
  int4: [{ groupSize: 32 }, { groupSize: 32, scaleMethod: "affine" }],
  matmul_nbits: [{}, { symmetric: false }],
  gptq: [{}, { symmetric: false, version: 2 }],
  nf4: [{}, { nested: true }],
  mlx: [{}, { mode: "mxfp4" }, { mode: "nvfp4" }],
};

const ROUNDS = 3;

/** Codes and floats of a sample, in any way. */
type Way = (values: Float32Array) => { back: Float32Array; ns: number };

function own(options: object): Way {
  return (values) => {
    const given = {
      ...options,
      shape: [values.length / COLUMNS, COLUMNS],
    } as object as { format: "int4" };
    const times: number[] = [];
    let quantized = nibblewise.quantize(values, given);
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      quantized = nibblewise.quantize(values, given);
      times.push((performance.now() - start) * 1e6 / values.length);
    }
    return { back: nibblewise.dequantize(quantized), ns: median(times) };
  };
}

type Ggml = NonNullable<Awaited<ReturnType<typeof openGgml>>>;

function native(ggml: Ggml, name: string): Way {
  return (values) => {
    const bytes = Math.ceil(values.length * 5 / 8);
    const blocks = new Uint8Array(bytes), floats = Float32Array.from(values);
    const even = new Float32Array(COLUMNS).fill(1), times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      ggml.quantize(name, floats, COLUMNS, blocks, even);
      times.push((performance.now() - start) * 1e6 / values.length);
    }
    const back = new Float32Array(values.length);
    ggml.dequantize(name, blocks, back);
    return { back, ns: median(times) };
  };
}

/** The searches that a format does with some options. */
function searchesOf(format: string, options: object): string[] {
  const schema = nibblewise.formats.get(format as "q4_0")!.options;
  const { search } = schema as Record<string, { choices?: string[] }>;
  return (search?.choices ?? []).filter((name) => {
    try {
      const given = { format, ...options, search: name, shape: [1, COLUMNS] };
      nibblewise.quantize(new Float32Array(COLUMNS), given as never);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  });
}

const { values: count, format: only, markdown } = parseArgs(Deno.args, {
  boolean: ["markdown"],
  string: ["values", "format"],
  default: { values: "98304" },
});
const size = Math.ceil(Number(count) / COLUMNS) * COLUMNS;
const real = await miniLmSample(size);
const samples = [...(real ? [real] : []), ...madeUpSamples(size)];
const ggml = await openGgml();
const header = [
  "format",
  "search",
  ...samples.map(({ name }) => `${name} dB`),
  "ns a value",
];
const rows: string[][] = [];

function measure(label: string, search: string, way: Way): void {
  const results = samples.map(({ values }) => {
    const { back, ns } = way(values);
    return { sqnr: nibblewise.compare(values, back).sqnr, ns };
  });
  rows.push([
    label,
    search,
    ...results.map(({ sqnr }) => sqnr.toFixed(2)),
    median(results.map(({ ns }) => ns)).toFixed(0),
  ]);
}

for (const { name } of nibblewise.formats.values()) {
  if (only && name !== only) continue;
  for (const options of OPTIONS[name] ?? [{}]) {
    const details = Object.entries(options).map(([key, value]) =>
      `${key} ${value}`
    );
    const label = [name, ...details].join(", ");
    for (const search of searchesOf(name, options)) {
      measure(label, search, own({ format: name, ...options, search }));
    }
    if (ggml && ggmlLayouts.has(name.toUpperCase())) {
      measure(label, "native, weights of 1", native(ggml, name));
    }
  }
}
ggml?.close();
console.log(environment(), "\n");
console.log(
  markdown
    ? [header, header.map(() => "---"), ...rows].map((row) =>
      `| ${row.join(" | ")} |`
    ).join("\n")
    : table(header, rows, 2),
);
