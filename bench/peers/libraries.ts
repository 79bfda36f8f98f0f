/**
 * The formats of other libraries, against those libraries: each in a process of
 * Python, its bytes and values compared before anything is timed.
 *
 * @module
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import * as nibblewise from "../../mod.ts";
import { run, writeNpy } from "../../tests/cli/support.ts";
import { weights } from "../cases.ts";
import type { Contest } from "../contest.ts";
import { type Child, leftOut, REUSED_MEMORY, startPython } from "./child.ts";
import {
  COLUMNS,
  memcpy,
  type Options,
  ownDequantizers,
  ownQuantizers,
} from "./own.ts";

/** A library, and what is done with it: options of `quantize` here, which its script understands. */
interface Library {
  readonly name: string;
  readonly script: string;
  readonly subjects: readonly Subject[];
  /** What the script reads besides the floats, made in the folder. */
  prepare?(folder: string, subject: Subject): Promise<void>;
}

type Subject = Readonly<Record<string, unknown>> & { readonly format: string };

const LIBRARIES: readonly Library[] = [
  {
    name: "bitsandbytes",
    script: "bitsandbytes_worker.py",
    subjects: [{ format: "nf4" }],
  },
  {
    name: "mlx",
    script: "mlx_worker.py",
    subjects: [
      { format: "mlx", mode: "affine", groupSize: 64, scaleDtype: "F32" },
      { format: "mlx", mode: "mxfp4", groupSize: 32, computeDtype: "F32" },
      { format: "mlx", mode: "nvfp4", groupSize: 16, computeDtype: "F32" },
    ],
  },
  {
    name: "compressed-tensors",
    script: "compressed_tensors_worker.py",
    subjects: [
      { format: "compressed_tensors", groupSize: 128, symmetric: true },
      { format: "compressed_tensors", groupSize: 128, symmetric: false },
    ],
  },
  {
    name: "onnxruntime",
    script: "onnxruntime_worker.py",
    subjects: [
      { format: "onnx_int4", axis: 1, blockSize: 32 },
      { format: "gather_blocks", blockSize: 32 },
    ],
    prepare: writeModel,
  },
];

/** The weight as the model that the command line makes of it. */
async function writeModel(folder: string, subject: Subject): Promise<void> {
  const { format, axis, blockSize } = subject;
  const flags = ["--format", format, "--block-size", String(blockSize)];
  if (axis !== undefined) flags.push("--axis", String(axis));
  const paths = [join(folder, "weight.npy"), "-o", join(folder, "weight.onnx")];
  const { code, err } = await run("quantize", ...paths, "--force", ...flags);
  if (code !== 0) throw new Error(`no model of ${format} was made: ${err}`);
}

/** What a script says of itself once it has the floats. */
interface Loaded {
  readonly name: string;
  readonly operations: readonly ("quantize" | "dequantize")[];
}

/** CRC-32 of the parts that a library makes, by our names, and of the values that it reads. */
interface Checksums {
  readonly parts: Readonly<Record<string, number>>;
  readonly values: number;
}

/** Fails where a library does not agree: a comparison of different work is worth nothing. */
function assertSame(
  title: string,
  options: Options,
  values: number,
  theirs: Checksums,
): void {
  const floats = weights(new Float32Array(values));
  const quantized = nibblewise.quantize(floats, options);
  const parts: Readonly<Record<string, { readonly data: ArrayBufferView }>> = {
    ...quantized.parts,
  };
  const own: Checksums = {
    parts: Object.fromEntries(
      Object.keys(theirs.parts).map((
        part,
      ) => [part, crc32(bytesOf(parts[part].data))]),
    ),
    values: crc32(bytesOf(nibblewise.dequantize(quantized))),
  };
  if (JSON.stringify(own) === JSON.stringify(theirs)) return;
  throw new Error(
    `${title}: the library disagrees: ${JSON.stringify({ own, theirs })}`,
  );
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A name of the subject: its format and the options that are words. */
function titleOf({ format, ...options }: Subject): string {
  const { mode, symmetric } = options;
  const asymmetric = symmetric === false ? "asymmetric" : undefined;
  return [format, mode, asymmetric].filter((word) => word).join(" ");
}

/** Both operations on one subject, as far as the library has them. */
async function* subjectContests(
  child: Child,
  { name, prepare }: Library,
  subject: Subject,
  folder: string,
  shape: readonly [rows: number, columns: number],
): AsyncGenerator<Contest> {
  const title = titleOf(subject);
  const options = { ...subject, shape } as unknown as Options;
  const values = shape[0] * shape[1];
  await prepare?.(folder, subject);
  const loaded = await child.ask({ command: "load", folder, options: subject });
  if ("missing" in (loaded as object)) {
    const { missing } = loaded as { missing: string };
    return leftOut(`${name} beside ${title}`, missing);
  }
  const { name: peer, operations } = loaded as Loaded;
  const checksums = await child.ask({ command: "checksums" }) as Checksums;
  assertSame(title, options, values, checksums);
  for (const operation of operations) {
    const own = operation === "quantize" ? ownQuantizers : ownDequantizers;
    yield {
      title: `${title}: ${operation}`,
      values,
      contenders: [
        {
          name: peer,
          memory: "reused",
          async time() {
            const answer = await child.ask({ command: operation });
            return (answer as { nanoseconds: number }).nanoseconds;
          },
        },
        ...own(options, values),
        memcpy(values),
      ],
    };
  }
}

/** The contests of every library that Python has here; a note on stderr tells of the others. */
export async function* libraryContests(
  values: number,
  wanted: string,
): AsyncGenerator<Contest> {
  const shape = [values / COLUMNS, COLUMNS] as const;
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-peers-" });
  try {
    const floats = weights(new Float32Array(values));
    await writeNpy(join(folder, "weight.npy"), floats, shape);
    for (const library of LIBRARIES) {
      const { name, script, subjects } = library;
      const some = subjects.filter(({ format }) => format.includes(wanted));
      if (some.length === 0) continue;
      const child = open(name, script);
      if (!child) continue;
      try {
        for (const subject of some) {
          yield* subjectContests(child, library, subject, folder, shape);
        }
      } finally {
        await child.close();
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts a script; undefined, with a note, where there is no Python. */
function open(name: string, script: string): Child | undefined {
  const path = join(import.meta.dirname!, "python", script);
  try {
    return startPython(path, REUSED_MEMORY);
  } catch (error) {
    leftOut(name, (error as Error).message);
    return undefined;
  }
}
