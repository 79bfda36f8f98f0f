/**
 * `compare`: how far the tensors of two files are apart.
 *
 * @module
 */
import { type Comparison, ErrorMeter } from "../compare.ts";
import { printable, quote } from "../files/errors.ts";
import { readAhead } from "../files/pipeline.ts";
import type { TensorFile } from "../files/tensors.ts";
import { type Call, type Command, DONE, FAILED, show } from "./command.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import {
  bothGrains,
  cut,
  type Grain,
  type Piece,
  PIECE_VALUES,
  roomFor,
} from "./pieces.ts";
import { Progress } from "./progress.ts";
import { comparisonJson } from "./report.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { decibels, shapeText } from "./text.ts";
import {
  allocateSlots,
  hasValues,
  type Slot,
  type Tensor,
  tensorsOf,
  ValueReader,
} from "./values.ts";

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

/** Values in a piece; two files times two slots are in memory. */
const COMPARED_VALUES = PIECE_VALUES / 2;
const SLOTS = 2;

/** A tensor that both files have. */
interface Pair {
  readonly expected: ValueReader;
  readonly actual: ValueReader;
  readonly grain: Grain;
  readonly meter: ErrorMeter;
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
    (a) => withFile(call, second, (b) => compareFiles(call, io, a, b)),
  );
}

async function compareFiles(
  call: Call,
  io: Io,
  a: TensorFile,
  b: TensorFile,
): Promise<number> {
  const { pairs, problems } = pairUp(call, a, b);
  await measure(pairs, io);
  const results = pairs.map(({ expected, meter }): [Tensor, Comparison] => [
    expected.tensor,
    meter.result(),
  ]);
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

function pairUp(call: Call, a: TensorFile, b: TensorFile): Pairing {
  const expected = tensorsOf(a),
    actual = sameName(expected, tensorsOf(b), a, b);
  const pairs: Pair[] = [], problems: string[] = [];
  const others = new Map(actual.map((tensor) => [tensor.name, tensor]));
  const names = [...expected, ...actual].map(({ name }) => name);
  const chosen = selected(call, [...new Set(names)]);
  const byName = new Map(expected.map((tensor) => [tensor.name, tensor]));
  for (const name of chosen) {
    const problem = problemOf(name, byName.get(name), others.get(name), a, b);
    if (problem !== undefined) problems.push(problem);
    else {
      const pair = pairOf(a, byName.get(name)!, b, others.get(name)!);
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
  const expected = new ValueReader(a, tensorA, COMPARED_VALUES);
  const actual = new ValueReader(b, tensorB, COMPARED_VALUES);
  const grain = bothGrains(expected.grain, actual.grain);
  return { expected, actual, grain, meter: new ErrorMeter() };
}

interface Job {
  readonly pair: Pair;
  readonly piece: Piece;
}

async function measure(pairs: readonly Pair[], io: Io): Promise<void> {
  const room = pairs.reduce(
    (most, { expected: { tensor }, grain }) =>
      Math.max(most, roomFor(tensor.shape, COMPARED_VALUES, grain)),
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
  try {
    for await (
      const { pair, piece, decode } of readAhead(jobs(pairs), slots, read)
    ) {
      const [x, y] = decode.map((values) => values());
      pair.meter.add(x, y);
      const { expected, actual } = pair;
      const bytes = expected.bytesOf(piece) + actual.bytesOf(piece);
      progress.add(bytes, expected.tensor.name);
    }
  } finally {
    progress.end();
  }
}

function* jobs(pairs: readonly Pair[]): Generator<Job, void> {
  for (const pair of pairs) {
    const { expected: { tensor: { shape } }, grain } = pair;
    for (const piece of cut(shape, COMPARED_VALUES, grain)) {
      yield { pair, piece };
    }
  }
}

async function read({ pair, piece }: Job, slots: readonly Slot[]) {
  const decode = await Promise.all([
    pair.expected.read(piece, slots[0]),
    pair.actual.read(piece, slots[1]),
  ]);
  return { pair, piece, decode };
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
