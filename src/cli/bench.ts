/**
 * `bench`: how fast the formats are on this machine, in a few seconds.
 *
 * @module
 */
import { dequantizeWith, quantizeWith } from "../core.ts";
import { formats } from "../formats.ts";
import {
  allocate,
  type Backend,
  backend,
  useBackend,
} from "../kernels/engine.ts";
import { bytesOf } from "../stream/memory.ts";
import type { Format, Part } from "../words/format.ts";
import { type Call, type Command, DONE, show } from "./command.ts";
import { weightLike } from "./sample.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { type Variant, variantsOf } from "./variants.ts";

/** Values that are quantized: 1 MiB of float32, which a second-level cache holds. */
const SHAPE = [256, 1024];
const COUNT = 256 * 1024;

/** Milliseconds that an operation is repeated for. */
const TIME = 60;
/** Runs of an operation at least, however slow. */
const LEAST_RUNS = 3;

/** The command. */
export const benchCommand: Command = {
  name: "bench",
  summary: "Measure how fast the formats are on this machine",
  operands: "",
  count: 0,
  flags: [],
  examples: [["bench", "Every format on every backend, memcpy beside them"]],
  run,
};

interface Result {
  readonly name: string;
  readonly backend: Backend;
  /** Seconds for all values. */
  readonly quantize: number;
  readonly dequantize: number;
  /** Bytes that are read and written. */
  readonly bytes: number;
}

function run(call: Call, io: Io): Promise<number> {
  const chosen = backend();
  const results: Result[] = [];
  try {
    for (const name of chosen === "wasm" ? ["wasm", "js"] as const : [chosen]) {
      useBackend(name);
      for (const format of formats.values()) {
        results.push(measure(format, name));
      }
    }
  } finally {
    useBackend(chosen);
  }
  const copy = copySeconds();
  show(
    call,
    io.out,
    () => ({
      values: COUNT,
      memcpyBytesPerSecond: 8 * COUNT / copy,
      formats: results.map((result) => ({
        format: result.name,
        backend: result.backend,
        quantizeValuesPerSecond: COUNT / result.quantize,
        dequantizeValuesPerSecond: COUNT / result.dequantize,
      })),
    }),
    (columns) => text(results, copy, columns),
  );
  return Promise.resolve(DONE);
}

/** Options for a task like that of the others: where a scale serves a whole tensor, the shortest groups that are usual. */
function optionsFor(format: Format): object {
  if (typeof format.groupSize === "number") return {};
  const groupOf = ({ options }: Variant) => {
    const scheme = format.scheme(SHAPE, format.resolve(options, SHAPE));
    return scheme.fields[scheme.groupedBy]?.span.columns ?? Infinity;
  };
  const simple = variantsOf(format, {}, SHAPE).filter(({ flags }) =>
    flags.length <= 1
  );
  return simple.reduce((a, b) => groupOf(b) < groupOf(a) ? b : a).options;
}

function measure(format: Format, name: Backend): Result {
  const given = { shape: SHAPE, ...optionsFor(format) };
  const values = weightLike(SHAPE[0], SHAPE[1], allocate(COUNT));
  const into = quantizeWith(format, values, given);
  const out = allocate(COUNT);
  const bytes = Object.values<Part>(into.parts).reduce(
    (sum, { data }) => sum + bytesOf(data).length,
    4 * COUNT,
  );
  return {
    name: format.name,
    backend: name,
    quantize: median(() =>
      quantizeWith(format, values, { ...given, into } as object)
    ),
    dequantize: median(() => dequantizeWith(format, into, { into: out })),
    bytes,
  };
}

function copySeconds(): number {
  const from = new Float32Array(COUNT).fill(1), to = new Float32Array(COUNT);
  return median(() => to.set(from));
}

/** Median time of an operation in seconds. */
function median(operation: () => void): number {
  operation();
  const times: number[] = [];
  const end = performance.now() + TIME;
  while (times.length < LEAST_RUNS || performance.now() < end) {
    const start = performance.now();
    operation();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] / 1000;
}

function text(
  results: readonly Result[],
  copy: number,
  columns?: number,
): string[] {
  const giga = (x: number) => (x / 1e9).toPrecision(3);
  const rates = (time: number, bytes: number) => [
    giga(COUNT / time),
    giga(bytes / time),
  ];
  const right = "right" as const;
  const rows = results.map((result) => [
    result.name,
    result.backend,
    ...rates(result.quantize, result.bytes),
    ...rates(result.dequantize, result.bytes),
  ]);
  const head = ["format", "backend", "quantize G/s", "GB/s"];
  const lines = table(
    [...head, "dequantize G/s", "GB/s"],
    [...rows, [
      "memcpy",
      "",
      ...rates(copy, 8 * COUNT),
      ...rates(copy, 8 * COUNT),
    ]],
    ["left", "left", right, right, right, right],
    columns,
  );
  return [
    ...lines,
    `${
      SHAPE.join(" × ")
    } values in WebAssembly memory, one thread; G/s: 10⁹ values in a second, GB/s: read and written`,
  ];
}
