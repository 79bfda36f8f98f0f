/**
 * `compare`: how far the tensors of two files are apart.
 *
 * @module
 */
import { type Comparison, ErrorMeter } from "../compare.ts";
import { printable, quote } from "../files/errors.ts";
import type { TensorFile } from "../files/tensors.ts";
import { allocateSlots, type Slot } from "../stream/memory.ts";
import { readAhead } from "../stream/pipeline.ts";
import type { Values } from "../stream/values.ts";
import type { Window } from "../words/window.ts";
import { type Call, type Command, DONE, FAILED, show } from "./command.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { Progress } from "./progress.ts";
import { comparisonJson } from "./report.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { decibels, shapeText } from "./text.ts";
import {
  asFloatsOf,
  hasValues,
  isQuantized,
  largestRead,
  openValues,
  shareOf,
  type Tensor,
  tensorsOf,
} from "./tensors.ts";

/** The command. */
export const compareCommand: Command = {
  name: "compare",
  summary: "Tell how far the tensors of two files are apart",
  operands: "EXPECTED ACTUAL",
  count: 2,
  flags: [...SELECTION_FLAGS, DTYPE_FLAG],
  examples: [
    [
      "compare weights.npy weights.safetensors",
      "A quantized file against its original",
    ],
    [
      "compare a.safetensors b.safetensors --tensors '*.weight' --json",
      "Two checkpoints, some tensors",
    ],
  ],
  run,
};

/** Values in a window; two files times two slots are in memory. */
const WINDOW_VALUES = 2 * 1024 * 1024;
const SLOTS = 2;

/** One side of a comparison. */
interface Side {
  readonly file: TensorFile;
  readonly tensor: Tensor;
}

/** A tensor that both files have. */
interface Pair {
  readonly expected: Side;
  readonly actual: Side;
}

/** What there is to compare, and what stands in the way. */
interface Pairing {
  readonly pairs: readonly Pair[];
  readonly problems: readonly string[];
}

function run(call: Call, io: Io): Promise<number> {
  const [first, second] = call.operands;
  return withFile(
    call,
    first,
    (a) => withFile(call, second, (b) => compareFiles(call, io, a, b), true),
    true,
  );
}

async function compareFiles(
  call: Call,
  io: Io,
  a: TensorFile,
  b: TensorFile,
): Promise<number> {
  const { pairs, problems } = await pairUp(call, a, b);
  const results = await measure(pairs, io);
  const [expected, actual] = call.operands;
  show(
    call,
    io.out,
    () => ({
      expected,
      actual,
      tensors: results.map(([{ name, shape }, result]) => ({
        name,
        shape,
        ...comparisonJson(result),
      })),
      problems,
      ...(problems.length > 0 ? { error: errorText(problems) } : {}),
    }),
    (columns) => results.length > 0 ? resultsText(results, columns) : [],
  );
  io.err.lines(problems.map((problem) => `nibblewise: ${problem}`));
  return problems.length > 0 ? FAILED : DONE;
}

function errorText([first, ...more]: readonly string[]): string {
  return more.length > 0
    ? `${first}; problems tells ${more.length} more`
    : first;
}

async function pairUp(
  call: Call,
  a: TensorFile,
  b: TensorFile,
): Promise<Pairing> {
  const expected = await tensorsToCompare(a);
  const actual = sameName(expected, await tensorsToCompare(b), a, b);
  const pairs: Pair[] = [], problems: string[] = [];
  const others = new Map(actual.map((tensor) => [tensor.name, tensor]));
  const names = [...expected, ...actual].map(({ name }) => name);
  const chosen = selected(call, [...new Set(names)]);
  const byName = new Map(expected.map((tensor) => [tensor.name, tensor]));
  for (const name of chosen) {
    const [own, other] = [byName.get(name), others.get(name)];
    const seen = own && besideOf(own, a, other);
    const also = other && besideOf(other, b, own);
    const problem = problemOf(name, seen, also, a, b);
    if (problem !== undefined) problems.push(problem);
    else {
      const pair = pairOf(a, seen!, b, also!);
      if (pair) pairs.push(pair);
    }
  }
  if (pairs.length === 0 && problems.length === 0) {
    problems.push(
      `Nothing to compare in ${a.source.name} and ${b.source.name}: no tensor of both holds floats`,
    );
  }
  return { pairs, problems };
}

/** A tensor in the order of axes that another one has it in: floats beside codes of their library. */
function besideOf(
  tensor: Tensor,
  { container }: TensorFile,
  other: Tensor | undefined,
): Tensor {
  return other?.quantized && !isQuantized(tensor)
    ? asFloatsOf(tensor, other.quantized.format, container)
    : tensor;
}

/** Scales are in the values of their weights. */
async function tensorsToCompare(file: TensorFile): Promise<Tensor[]> {
  const tensors = await tensorsOf(file);
  return tensors.filter(({ scalesOf }) => scalesOf === undefined);
}

/** Bare arrays have no names of their own: one array is compared with one array. */
function sameName(
  expected: readonly Tensor[],
  actual: readonly Tensor[],
  a: TensorFile,
  b: TensorFile,
): readonly Tensor[] {
  const bare = [a, b].some(({ container }) =>
    container === "npy" || container === "raw"
  );
  return bare && expected.length === 1 && actual.length === 1
    ? [{ ...actual[0], name: expected[0].name }]
    : actual;
}

function problemOf(
  name: string,
  a: Tensor | undefined,
  b: Tensor | undefined,
  { source: { name: fileA } }: TensorFile,
  { source: { name: fileB } }: TensorFile,
): string | undefined {
  if (!a || !b) {
    return `Tensor ${quote(name)} is in ${a ? fileA : fileB}, not in ${
      a ? fileB : fileA
    }`;
  }
  if (a.shape.join() !== b.shape.join()) {
    return `Tensor ${quote(name)} is ${shapeText(a.shape)} in ${fileA}, ${
      shapeText(b.shape)
    } in ${fileB}`;
  }
  if (hasValues(a) !== hasValues(b)) {
    return `Tensor ${
      quote(name)
    } is ${a.dtype} in ${fileA}, ${b.dtype} in ${fileB}: only floats are compared`;
  }
  return undefined;
}

/** Undefined where neither holds floats. */
function pairOf(
  a: TensorFile,
  tensorA: Tensor,
  b: TensorFile,
  tensorB: Tensor,
): Pair | undefined {
  if (!hasValues(tensorA)) return undefined;
  return {
    expected: { file: a, tensor: tensorA },
    actual: { file: b, tensor: tensorB },
  };
}

/** A window that is compared. */
interface Job {
  readonly pair: Pair;
  readonly meter: ErrorMeter;
  /** Values of both. */
  readonly values: readonly [expected: Values, actual: Values];
  /** Those whose windows are compared. */
  readonly leading: Values;
  readonly window: Window;
}

type Result = [tensor: Tensor, comparison: Comparison];

async function measure(pairs: readonly Pair[], io: Io): Promise<Result[]> {
  const room = pairs.reduce(
    (most, pair) => Math.max(most, largestRead(leads(pair), WINDOW_VALUES)),
    0,
  );
  const total = pairs.reduce(
    (sum, { expected, actual }) =>
      sum + expected.tensor.byteLength + actual.tensor.byteLength,
    0,
  );
  const progress = new Progress(io, total);
  const slots = Array.from(
    { length: SLOTS },
    () => allocateSlots(2, room),
  );
  const results = new Map<Pair, Comparison>(
    pairs.map((pair) => [pair, NOTHING]),
  );
  try {
    for await (const { job, decode } of readAhead(jobs(pairs), slots, read)) {
      const { pair, meter, window } = job;
      const [x, y] = decode.map((values) => values());
      meter.add(x, y);
      results.set(pair, meter.result());
      const { expected: { tensor }, actual } = pair;
      const bytes = shareOf(tensor, window) + shareOf(actual.tensor, window);
      progress.add(bytes, tensor.name);
    }
  } finally {
    progress.end();
  }
  return Array.from(
    results,
    ([{ expected: { tensor } }, comparison]) => [tensor, comparison],
  );
}

/** What two tensors without values have in common. */
const NOTHING = new ErrorMeter().result();

/** The tensor in whose windows both are read: one that is quantized, as it is cut best where its groups end. */
function leads({ expected, actual }: Pair): Tensor {
  return expected.tensor.quantized || !actual.tensor.quantized
    ? expected.tensor
    : actual.tensor;
}

function* jobs(pairs: readonly Pair[]): Generator<Job, void> {
  for (const pair of pairs) {
    const { expected, actual } = pair;
    const values = [
      openValues(expected.file, expected.tensor),
      openValues(actual.file, actual.tensor),
    ] as const;
    const leading = values[leads(pair) === expected.tensor ? 0 : 1];
    const meter = new ErrorMeter();
    for (const window of leading.windows(WINDOW_VALUES)) {
      yield { pair, meter, values, leading, window };
    }
  }
}

async function read(job: Job, slots: readonly Slot[]) {
  const { values, leading, window } = job;
  const decode = await Promise.all(
    values.map((side, i) => side.read(window, leading.matrix, slots[i])),
  );
  return { job, decode };
}

function resultsText(
  results: readonly [Tensor, Comparison][],
  columns?: number,
): string[] {
  const number = (x: number) => x.toPrecision(3);
  const right = "right" as const;
  return table(
    ["tensor", "shape", "SQNR dB", "rmse", "mae", "max error", "cosine"],
    results.map(([{ name, shape }, { sqnr, rmse, mae, maxError, cosine }]) => [
      printable(name),
      shapeText(shape),
      decibels(sqnr),
      number(rmse),
      number(mae),
      number(maxError),
      cosine.toFixed(6),
    ]),
    ["left", "left", right, right, right, right, right],
    columns,
  );
}
