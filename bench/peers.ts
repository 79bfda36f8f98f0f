/**
 * Against others, in the same run: the original module under numpy, a naive
 * loop, and native ggml. `deno task bench:peers [--format NAME] [--values N] [--rounds N] [--json]`
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { crc32 } from "node:zlib";
import * as nibblewise from "../mod.ts";
import { ggmlTypes } from "../src/ggml/mod.ts";
import { writableTypes } from "../src/ggml/writable.ts";
import { type NativeGgml, openGgml } from "../tests/peers/ggml.ts";
import { type Backend, type Memory, weights, weightsIn } from "./cases.ts";
import {
  type Contender,
  contender,
  type Contest,
  hold,
  type Standing,
  standingsTable,
} from "./contest.ts";
import { naiveDequantize, naiveQuantize } from "./peers/naive.ts";
import {
  type Original,
  type OriginalMethod,
  startOriginal,
} from "./peers/numpy.ts";
import { environment } from "./table.ts";

/** What of this module takes part: backend, memory, and what to call it. */
const ways: readonly (readonly [Backend, Memory])[] = [["wasm", "heap"], [
  "wasm",
  "allocated",
], ["js", "heap"]];

/** Rows of a size that every block divides. */
const COLUMNS = 4096;

/** Options of `quantize` that are only known as data here. */
type Options = { format: "int4" };

/** nibblewise quantizing, in every way it can. */
function ownQuantizers(options: Options, values: number): Contender[] {
  return ways.map(([backend, memory]) => {
    nibblewise.useBackend(backend);
    const floats = weightsIn(nibblewise, memory, values);
    const into = nibblewise.quantize(floats, options);
    return contender(
      `nibblewise ${backend}`,
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend(backend);
        nibblewise.quantize(floats, { ...options, into });
      },
    );
  });
}

/** nibblewise dequantizing, in every way it can. */
function ownDequantizers(options: Options, values: number): Contender[] {
  return ways.map(([backend, memory]) => {
    nibblewise.useBackend(backend);
    const into = weightsIn(nibblewise, memory, values);
    const quantized = nibblewise.quantize(into, options);
    return contender(
      `nibblewise ${backend}`,
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend(backend);
        nibblewise.dequantize(quantized, { into });
      },
    );
  });
}

/** The same work with new arrays for every result, as the original does it. */
function ownOnFreshMemory(
  operation: "quantize" | "dequantize",
  options: Options,
  values: number,
): Contender {
  nibblewise.useBackend("wasm");
  const floats = weights(new Float32Array(values));
  const quantized = nibblewise.quantize(floats, options);
  return contender("nibblewise wasm", "fresh", () => {
    nibblewise.useBackend("wasm");
    if (operation === "quantize") nibblewise.quantize(floats, options);
    else nibblewise.dequantize(quantized);
  });
}

/** A copy of the floats, to see how near to memory speed everybody is. */
function memcpy(values: number): Contender {
  const source = weights(new Float32Array(values));
  const target = weights(new Float32Array(values));
  return contender("memcpy of the floats", "reused", () => target.set(source));
}

/** Fails when the original does not agree: a comparison of different work is worth nothing. */
async function assertSameBytes(
  original: Original,
  method: OriginalMethod,
  values: number,
): Promise<void> {
  const floats = weights(new Float32Array(values));
  const quantized = nibblewise.quantize(floats, {
    format: "int4",
    scaleMethod: method,
  });
  const { codes } = quantized.parts;
  const own = {
    packed: crc32(codes.data),
    values: crc32(bytesOf(nibblewise.dequantize(quantized))),
  };
  const theirs = await original.checksum(method);
  if (own.packed !== theirs.packed || own.values !== theirs.values) {
    throw new Error(
      `int4 ${method} and the original module disagree: ${
        JSON.stringify({ own, theirs })
      }`,
    );
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** int4 with one scale per tensor, against the original module and the naive loop. */
function* originalContests(
  original: Original | undefined,
  values: number,
): Generator<Contest> {
  for (const method of ["absmax", "minmax"] as const) {
    const options = { format: "int4", scaleMethod: method } as const;
    const floats = weights(new Float32Array(values));
    const packed = new Uint8Array(values / 2);
    const scale = naiveQuantize(floats, packed);
    for (const operation of ["quantize", "dequantize"] as const) {
      const own = operation === "quantize"
        ? ownQuantizers(options, values)
        : ownDequantizers(options, values);
      const naive = operation === "quantize"
        ? contender(
          "naive JS loop",
          "reused",
          () => void naiveQuantize(floats, packed),
        )
        : contender(
          "naive JS loop",
          "reused",
          () => naiveDequantize(packed, scale, floats),
        );
      const numpy: Contender[] = original
        ? [{
          name: "original (numpy)",
          memory: "fresh",
          time: () => original.time(operation, method),
        }]
        : [];
      const contenders = [
        ...numpy,
        ...(method === "absmax" ? [naive] : []),
        ...own,
        ownOnFreshMemory(operation, options, values),
        memcpy(values),
      ];
      const title = operation === "quantize"
        ? "quantize + pack"
        : "unpack + dequantize";
      yield { title: `int4 ${method}: ${title}`, values, contenders };
    }
  }
}

/** The functions of a type of ggml, from and to both kinds of memory; `run` is given the floats. */
function typeContenders(
  values: number,
  run: (floats: Float32Array) => void,
): Contender[] {
  return (["heap", "allocated"] as const).map((memory) => {
    nibblewise.useBackend("wasm");
    const floats = weightsIn(nibblewise, memory, values);
    return contender(
      "nibblewise wasm",
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend("wasm");
        run(floats);
      },
    );
  });
}

/** ggml's types beside four bits, against native ggml. */
function* typeContests(
  ggml: NativeGgml,
  values: number,
  names: readonly string[],
): Generator<Contest> {
  for (const name of names) {
    const { quantize, dequantize, blockSize, blockBytes } = ggmlTypes.get(
      name.toUpperCase(),
    )!;
    const floats = weights(new Float32Array(values));
    const blocks = new Uint8Array(values / blockSize * blockBytes);
    const out = new Float32Array(values);
    const native = (run: () => void) =>
      contender(`ggml ${ggml.version}`, "reused", run);
    yield {
      title: `${name}: quantize`,
      values,
      contenders: [
        native(() => void ggml.quantize(name, floats, COLUMNS, blocks)),
        ...typeContenders(values, (from) => quantize!(from, blocks, COLUMNS)),
        memcpy(values),
      ],
    };
    yield {
      title: `${name}: dequantize`,
      values,
      contenders: [
        native(() => ggml.dequantize(name, blocks, out)),
        ...typeContenders(values, (to) => dequantize(blocks, to)),
        memcpy(values),
      ],
    };
  }
}

/** The formats that ggml has too, against native ggml. */
function* ggmlContests(
  ggml: NativeGgml,
  values: number,
  formats: readonly string[],
): Generator<Contest> {
  for (const format of formats) {
    const options = {
      format,
      shape: [values / COLUMNS, COLUMNS],
    } as unknown as Options;
    const floats = weights(new Float32Array(values));
    const blocks = new Uint8Array(values);
    ggml.quantize(format, floats, COLUMNS, blocks);
    const native = (run: () => void) =>
      contender(`ggml ${ggml.version}`, "reused", run);
    yield {
      title: `${format}: quantize`,
      values,
      contenders: [
        native(() => void ggml.quantize(format, floats, COLUMNS, blocks)),
        ...ownQuantizers(options, values),
        memcpy(values),
      ],
    };
    const out = new Float32Array(values);
    yield {
      title: `${format}: dequantize`,
      values,
      contenders: [
        native(() => ggml.dequantize(format, blocks, out)),
        ...ownDequantizers(options, values),
        memcpy(values),
      ],
    };
  }
}

/** Native quantizers that search take minutes for what the others do in milliseconds. */
const SEARCH_FORMATS: readonly string[] = [
  "q4_k",
  "iq4_nl",
  "iq4_xs",
  "q5_k",
  "q6_k",
];

/** How much smaller the data of those formats is. */
const SEARCH_DIVISOR = 16;

async function* contests(
  values: number,
  wanted: string,
): AsyncGenerator<Contest> {
  if ("int4".includes(wanted)) {
    const original = await startOriginal(weights(new Float32Array(values)));
    try {
      if (original) {
        for (
          const method of ["absmax", "minmax"] as const
        ) await assertSameBytes(original, method, values);
      }
      yield* originalContests(original, values);
    } finally {
      await original?.close();
    }
  }
  const names = [...writableTypes.values()].map(({ name }) => name);
  const matching = names.filter((name) => name.includes(wanted));
  const core: ReadonlyMap<string, unknown> = nibblewise.formats;
  const shared = matching.filter((name) => core.has(name));
  const others = matching.filter((name) => !core.has(name));
  const ggml = matching.length > 0 ? await openGgml() : undefined;
  if (!ggml) return;
  try {
    yield* ggmlContests(
      ggml,
      values,
      shared.filter((name) => !SEARCH_FORMATS.includes(name)),
    );
    yield* ggmlContests(
      ggml,
      values / SEARCH_DIVISOR,
      shared.filter((name) => SEARCH_FORMATS.includes(name)),
    );
    yield* typeContests(
      ggml,
      values,
      others.filter((name) => !SEARCH_FORMATS.includes(name)),
    );
    yield* typeContests(
      ggml,
      values / SEARCH_DIVISOR,
      others.filter((name) => SEARCH_FORMATS.includes(name)),
    );
  } finally {
    ggml.close();
  }
}

function usage(problem: string): never {
  console.error(
    `${problem}; call it as bench:peers [--format NAME] [--values N] [--rounds N] [--json]`,
  );
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["format", "values", "rounds"],
  boolean: ["json"],
  default: { values: String(16 * 1024 * 1024), rounds: "9", format: "" },
  unknown: (argument) => usage(`there is no ${argument}`),
});
const values = Number(args.values), rounds = Number(args.rounds);
const unit = COLUMNS * SEARCH_DIVISOR;
if (!(values > 0) || values % unit !== 0) {
  usage(`--values takes a multiple of ${unit}, not ${args.values}`);
}
if (!(rounds >= 1) || !Number.isInteger(rounds)) {
  usage(`--rounds takes a whole number, not ${args.rounds}`);
}

const all: Standing[] = [];
if (!args.json) {
  console.log(
    `${environment()}\nmedians of ${rounds} rounds in which everybody takes turns`,
  );
}
for await (const contest of contests(values, String(args.format))) {
  const standings = await hold(contest, rounds);
  all.push(...standings);
  if (!args.json) {
    console.log(
      `\n${contest.title}, ${contest.values} values\n${
        standingsTable(standings)
      }`,
    );
  }
}
if (args.json) {
  console.log(JSON.stringify({ environment: environment(), standings: all }));
}
