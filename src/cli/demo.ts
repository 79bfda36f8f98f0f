/**
 * `demo`: the other commands at work on a matrix that it makes itself.
 *
 * @module
 */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "../compare.ts";
import { dequantizeWith, quantizeWith } from "../core.ts";
import { createFile } from "../files/file_sink.ts";
import { npyHeader } from "../files/npy.ts";
import { formats } from "../formats.ts";
import { bytesOf } from "../stream/memory.ts";
import { type Call, type Command, DONE, show } from "./command.ts";
import { weightLike } from "./sample.ts";
import { table } from "./table.ts";
import type { Io, Streams } from "./terminal.ts";
import { bitsText, bytes, decibels, jsonNumber } from "./text.ts";
import { bytesInFormat } from "./tensors.ts";
import { type Variant, variantsOf } from "./variants.ts";

/** Runs a command line in this process. */
type Run = (args: readonly string[], streams: Streams) => Promise<number>;

const ROWS = 512;
const COLUMNS = 1024;

/** What is shown; names of files lie in the temporary folder. */
const STEPS: readonly (readonly string[])[] = [
  ["quantize", "weights.npy", "-o", "tensor.safetensors"],
  [
    "quantize",
    "weights.npy",
    "-o",
    "groups.safetensors",
    "--group-size",
    "32",
  ],
  ["inspect", "groups.safetensors"],
  ["dequantize", "groups.safetensors", "-o", "restored.npy"],
  ["compare", "weights.npy", "restored.npy"],
];

/**
 * The command.
 *
 * @param runMain What runs a command line.
 * @returns It.
 */
export function demoCommand(runMain: Run): Command {
  return {
    name: "demo",
    summary: "Show the commands at work on a matrix made up for it",
    operands: "",
    count: 0,
    flags: [],
    examples: [["demo", "Quantize, inspect, restore and compare"]],
    run: (call, io) => demo(call, io, runMain),
  };
}

async function demo(call: Call, io: Io, runMain: Run): Promise<number> {
  const folder = temporaryFolder();
  try {
    const values = weightLike(ROWS, COLUMNS);
    await writeNpy(join(folder, "weights.npy"), values);
    const talks = !call.has("json") && !call.has("quiet");
    if (talks) {
      io.out.lines([
        `A matrix of ${ROWS} × ${COLUMNS} float32 weights, made up:`,
        "",
        `$ cd ${folder}`,
      ]);
    }
    const steps: object[] = [];
    for (const step of STEPS) {
      if (talks) io.out.lines([`$ nibblewise ${step.join(" ")}`]);
      const text = await runStep(step, folder, call, io, runMain);
      if (talks) io.out.lines([...text.split("\n"), ""]);
      else steps.push({ command: step, result: JSON.parse(text) });
    }
    const results = measureAll(values);
    show(
      call,
      io.out,
      () => ({ steps, formats: results.map(resultJson) }),
      (columns) => [
        "The same matrix in every format:",
        "",
        ...resultsText(results, columns),
      ],
    );
    return DONE;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function temporaryFolder(): string {
  const prefix = "nibblewise-demo-";
  const { Deno } = globalThis as {
    Deno?: { makeTempDirSync(options: { prefix: string }): string };
  };
  // Deno's tmpdir() asks for the permission to read the environment; this does not.
  return Deno?.makeTempDirSync({ prefix }) ??
    mkdtempSync(join(tmpdir(), prefix));
}

async function writeNpy(path: string, values: Float32Array): Promise<void> {
  const sink = await createFile(path);
  const header = npyHeader("F32", [ROWS, COLUMNS]);
  await sink.write(0, header);
  await sink.write(header.length, bytesOf(values));
  await sink.commit();
}

/** Runs a step on the files of the folder; what it prints names them as the step does. */
async function runStep(
  step: readonly string[],
  folder: string,
  call: Call,
  io: Io,
  runMain: Run,
): Promise<string> {
  const printed = { out: "", err: "" };
  const args = step.map((word) =>
    /\.(npy|safetensors|gguf)$/.test(word) ? join(folder, word) : word
  );
  if (call.has("json") || call.has("quiet")) args.push("--json");
  const code = await runMain(args, {
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    columns: { out: io.out.columns },
  });
  const short = (text: string) =>
    text.replaceAll(join(folder, "/"), "").trimEnd();
  const complaint = short(printed.err);
  if (code !== DONE) throw new Error(complaint);
  if (complaint !== "" && !call.has("quiet")) {
    io.err.lines(complaint.split("\n"));
  }
  return short(printed.out);
}

const SHAPE = [ROWS, COLUMNS];

/** Every format by default and with one option changed, where that changes the result. */
function measureAll(values: Float32Array): Result[] {
  const seen = new Set<string>();
  return [...formats.values()]
    .flatMap((format) => variantsOf(format, {}, SHAPE))
    .filter(({ flags }) => flags.length <= 1)
    .map((variant) => measure(variant, values))
    .filter(({ format, bytes, sqnr }) => {
      const key = `${format} ${bytes} ${sqnr}`, isNew = !seen.has(key);
      seen.add(key);
      return isNew;
    });
}

interface Result {
  readonly format: string;
  readonly flags: string;
  readonly bytes: number;
  readonly sqnr: number;
}

function measure(
  { flags, format, options }: Variant,
  values: Float32Array,
): Result {
  const quantized = quantizeWith(format, values, { shape: SHAPE, ...options });
  const resolved = format.resolve(options, SHAPE);
  return {
    format: format.name,
    flags: [format.name, ...flags].join(" "),
    bytes: bytesInFormat({ format, shape: SHAPE, options: resolved }),
    sqnr: compare(values, dequantizeWith(format, quantized)).sqnr,
  };
}

function bitsOf(result: Result): number {
  return result.bytes * 8 / (ROWS * COLUMNS);
}

function resultsText(
  results: readonly Result[],
  columns?: number,
): string[] {
  return table(
    ["--format", "bits", "size", "SQNR dB"],
    [
      ["(float32)", "32", bytes(ROWS * COLUMNS * 4), "exact"],
      ...results.map((result) => [
        result.flags,
        bitsText(bitsOf(result)),
        bytes(result.bytes),
        decibels(result.sqnr),
      ]),
    ],
    ["left", "right", "right", "right"],
    columns,
  );
}

function resultJson(result: Result): object {
  return {
    format: result.flags,
    bitsPerValue: bitsOf(result),
    bytes: result.bytes,
    sqnr: jsonNumber(result.sqnr),
  };
}
