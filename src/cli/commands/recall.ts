/**
 * `recall`: what each option finds of what an exact search finds.
 *
 * @module
 */
import { printable } from "../../files/errors.ts";
import { createFile } from "../../files/file_sink.ts";
import { type Call, type Command, DONE, show, UsageError } from "../command.ts";
import { DTYPE_FLAG } from "../input.ts";
import {
  leftoverWarnings,
  OUTPUT_FLAGS,
  tellOfOutput,
  warn,
  writeOutput,
} from "../output.ts";
import { Progress } from "../progress.ts";
import {
  CHOICES,
  depthsOf,
  measure,
  searchExactly,
  type Standing,
  type Subject,
} from "../recall_measure.ts";
import { type Report, reportPage } from "../recall_report.ts";
import { table } from "../table.ts";
import type { Io } from "../terminal.ts";
import { METRIC_FLAG, metricOf, TENSOR_FLAG, withVectors } from "../vectors.ts";

/** The command. */
export const recallCommand: Command = {
  name: "recall",
  summary: "Tell what each way to pack vectors finds of an exact search",
  operands: "VECTORS --queries QUERIES",
  count: 1,
  flags: [
    {
      name: "queries",
      takes: "FILE",
      help: "the queries, a vector each",
      reads: (path) => path,
    },
    ...OUTPUT_FLAGS,
    METRIC_FLAG,
    TENSOR_FLAG,
    DTYPE_FLAG,
  ],
  examples: [
    [
      "recall embeddings.npy --queries queries.npy",
      "A table of every option, beside exact float32",
    ],
    [
      "recall embeddings.npy --queries queries.npy -o report.html",
      "The same as a page with a plot",
    ],
  ],
  run,
};

async function run(call: Call, io: Io): Promise<number> {
  const [input] = call.operands, path = call.get("queries");
  if (path === undefined) {
    throw new UsageError("No queries are named: give them with --queries FILE");
  }
  const output = outputOf(call);
  const subject = await readSubject(call, input, path);
  const sink = output === undefined ? undefined : await createFile(output, {
    force: call.has("force"),
    inputs: call.inputs,
  });
  const report = {
    title: `${printable(input)}, ${
      subject.rows.length / subject.dimension
    } vectors of ${subject.dimension} values; ${printable(path)}, ${
      subject.queries.length / subject.dimension
    } queries; ${subject.metric}`,
    depths: depthsOf(subject),
    standings: measureAll(subject, io),
  };
  if (sink) {
    await writeOutput(sink, new Progress(io, 0), async () => {
      await sink.write(0, new TextEncoder().encode(reportPage(report)));
    });
  }
  const warnings = sink ? leftoverWarnings(sink) : [];
  const tell = () => {
    show(
      call,
      io.out,
      () => ({
        input,
        queries: path,
        metric: subject.metric,
        ...reportJson(report),
        warnings,
      }),
      (columns) => reportText(report, columns),
    );
    warn(call, io, warnings);
  };
  if (sink) await tellOfOutput(io, tell);
  else tell();
  return DONE;
}

function outputOf(call: Call): string | undefined {
  const path = call.get("output");
  if (path === undefined || /\.html?$/i.test(path)) return path;
  throw new UsageError(
    `Cannot write ${printable(path)}: a report must end in .html`,
  );
}

async function readSubject(
  call: Call,
  input: string,
  path: string,
): Promise<Subject> {
  const [rows, dimension] = await withVectors(
    call,
    input,
    async (vectors): Promise<[Float32Array, number]> => [
      await vectors.read(0, vectors.rows),
      vectors.dimension,
    ],
  );
  return await withVectors(call, path, async (queries) => {
    if (queries.dimension !== dimension) {
      throw new RangeError(
        `Cannot search ${
          printable(input)
        } with ${queries.name}: its vectors have ${queries.dimension} values, not ${dimension}`,
      );
    }
    if (rows.length === 0 || queries.rows === 0) {
      throw new RangeError(
        `Cannot measure recall: there are ${
          rows.length / dimension || 0
        } vectors and ${queries.rows} queries`,
      );
    }
    const values = await queries.read(0, queries.rows);
    return { rows, queries: values, dimension, metric: metricOf(call) };
  });
}

function measureAll(subject: Subject, io: Io): Standing[] {
  const progress = new Progress(io, CHOICES.length + 1);
  try {
    const { found, standing } = searchExactly(subject);
    const group = Math.ceil(subject.dimension / 32) * 32;
    return [
      standing,
      ...CHOICES.filter(({ options: { groupSize } }) =>
        typeof groupSize !== "number" || group % groupSize === 0
      ).map((choice) => {
        progress.add(1, choice.name);
        return measure(choice, subject, found);
      }),
    ];
  } finally {
    progress.end();
  }
}

function reportJson({ depths, standings }: Report): object {
  const choices = standings.map((
    { name, recall, milliseconds, adding, bytes },
  ) => ({
    name,
    recall: Object.fromEntries(depths.map((k) => [k, recall.get(k)])),
    millisecondsPerQuery: milliseconds,
    millisecondsToAdd: adding,
    bytesPerVector: bytes,
  }));
  return { choices };
}

function reportText(
  { depths, standings, title }: Report,
  columns?: number,
): string[] {
  const right = "right" as const;
  const lines = table(
    [
      "options",
      ...depths.map((k) => `recall@${k}`),
      "ms/query",
      "bytes/vector",
    ],
    standings.map(({ name, recall, milliseconds, bytes }) => [
      name,
      ...depths.map((k) => recall.get(k)!.toFixed(4)),
      milliseconds.toFixed(3),
      bytes.toFixed(1),
    ]),
    ["left", right, right, right, right, right],
    columns,
  );
  return [title, "", ...lines];
}
