/**
 * `index`: vectors to a file that can be searched.
 *
 * @module
 */
import { printable } from "../../files/errors.ts";
import { type ExtraTensor, PackedMatrix } from "../../search/mod.ts";
import { type Call, type Command, DONE, show } from "../command.ts";
import { DTYPE_FLAG } from "../input.ts";
import { namesTensor, readText } from "../names.ts";
import {
  leftoverWarnings,
  openOutput,
  OUTPUT_FLAGS,
  outputOf,
  STANDARD,
  tellOfOutput,
  warn,
  writeOutput,
} from "../output.ts";
import { Progress } from "../progress.ts";
import type { Io } from "../terminal.ts";
import { bytes, seconds } from "../text.ts";
import {
  batchRows,
  matrixOptions,
  ROW_FLAGS,
  TENSOR_FLAG,
  type Vectors,
  withVectors,
} from "../vectors.ts";

/** The command. */
export const indexCommand: Command = {
  name: "index",
  summary: "Pack vectors into a file that search looks through",
  operands: "VECTORS -o OUT",
  count: 1,
  flags: [
    ...OUTPUT_FLAGS,
    ...ROW_FLAGS,
    {
      name: "ids",
      takes: "FILE",
      help: "a text file with a name for each vector, one a line",
      reads: (path) => path,
    },
    TENSOR_FLAG,
    DTYPE_FLAG,
  ],
  examples: [
    [
      "index embeddings.npy -o embeddings.safetensors --ids titles.txt",
      "Embeddings in 4 bits a value, and what they stand for",
    ],
    [
      "index embeddings.npy -o embeddings.safetensors --grid lloyd --center",
      "The best that four bits can do; recall tells how good that is",
    ],
  ],
  run,
};

function run(call: Call, io: Io): Promise<number> {
  const [input] = call.operands, { path } = outputOf(call, io, ["safetensors"]);
  const idsPath = call.get("ids");
  return withVectors(call, input, async (vectors) => {
    const names = idsPath === undefined
      ? undefined
      : namesTensor(await readText(idsPath), vectors.rows, printable(idsPath));
    const matrix = new PackedMatrix(matrixOptions(call, vectors.dimension));
    const sink = await openOutput(path, call);
    const progress = new Progress(io, vectors.rows * vectors.dimension * 4);
    const size = await writeOutput(sink, progress, async () => {
      await fill(matrix, vectors, progress);
      return await write(matrix, names ? [names] : [], sink);
    });
    const { rows, dimension } = vectors, time = progress.seconds;
    const warnings = leftoverWarnings(sink);
    await tellOfOutput(io, () => {
      show(
        call,
        path === STANDARD ? io.err : io.out,
        () => ({
          input,
          output: path,
          vectors: rows,
          dimension,
          bytesBefore: rows * dimension * 4,
          bytesAfter: size,
          seconds: time,
          warnings,
        }),
        () => [
          `${rows} vectors of ${dimension} values: ${
            bytes(rows * dimension * 4)
          } of float32 to ${bytes(size)} in ${seconds(time)}`,
        ],
      );
      warn(call, io, warnings);
    });
    return DONE;
  });
}

/** Adds all vectors of a file to a matrix. */
export async function fill(
  matrix: PackedMatrix,
  { rows, dimension, read, name }: Vectors,
  progress?: Progress,
): Promise<void> {
  const batch = batchRows(dimension);
  for (let first = 0; first < rows; first += batch) {
    const count = Math.min(batch, rows - first);
    const values = await read(first, count);
    try {
      matrix.add(values);
    } catch (error) {
      throw new RangeError(
        `Cannot index ${name}, rows ${first} to ${first + count - 1}: ${
          (error as Error).message
        }`,
        { cause: error },
      );
    }
    progress?.add(values.byteLength, name);
  }
}

async function write(
  matrix: PackedMatrix,
  beside: readonly ExtraTensor[],
  sink: Awaited<ReturnType<typeof openOutput>>,
): Promise<number> {
  const { size, pieces } = matrix.toFile(beside);
  let at = 0;
  for (const piece of pieces()) {
    await sink.write(at, piece);
    at += piece.length;
  }
  return size;
}
