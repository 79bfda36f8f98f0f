/**
 * Opens a file of tensors of any kind: its first bytes say which, and its
 * ending must agree.
 *
 * @module
 */
import { lstat } from "node:fs/promises";
import { basename, extname } from "node:path";
import type { ByteSource } from "./bytes.ts";
import { isCheckpoint, openCheckpoint } from "./checkpoint.ts";
import { readConfigBeside } from "./checkpoint_config.ts";
import { printable } from "./errors.ts";
import { openFaiss } from "./faiss.ts";
import { openFile } from "./file_source.ts";
import { isGguf, openGguf } from "./gguf_read.ts";
import { joinShards } from "./gguf_shards.ts";
import {
  containerOf,
  type Ends,
  type SignedContainer,
  START_BYTES,
  strangerOf,
} from "./magic.ts";
import { openKeras } from "./keras.ts";
import { openLucene } from "./lucene.ts";
import { openNpy } from "./npy.ts";
import { openNpz } from "./npz.ts";
import { openOnnx } from "./onnx_read.ts";
import { openOpenvino } from "./openvino.ts";
import { openRaw } from "./raw.ts";
import { openSafetensors } from "./safetensors_read.ts";
import { spoolInput, STDIN } from "./stdio.ts";
import { openTflite } from "./tflite.ts";
import type { TensorFile } from "./tensors.ts";

/** What a caller knows that the file does not say. */
export interface OpenOptions {
  /** What a `.npy` or `.npz` does not say of its elements: `BF16`, `F8_E4M3`, or `I8` that are values. */
  readonly dtype?: string;
  /** Whether that is for some files only, and those that are otherwise keep what they say. */
  readonly ifOpen?: boolean;
}

interface Container {
  /** What to call it in messages. */
  readonly name: string;
  /** Endings of its files. */
  readonly endings: readonly string[];
  open(
    source: ByteSource,
    name: string,
    options: OpenOptions,
    path?: string,
  ): Promise<TensorFile> | TensorFile;
}

/** Those that are known by their first bytes. */
const SIGNED: Readonly<Record<SignedContainer, Container>> = {
  npy: { name: ".npy", endings: [".npy"], open: openNpy },
  npz: {
    name: ".npz",
    endings: [".npz"],
    open: (source, _name, options) => openNpz(source, options),
  },
  gguf: {
    name: "GGUF",
    endings: [".gguf"],
    open: (source) => openGguf(source),
  },
  safetensors: {
    name: "safetensors",
    endings: [".safetensors"],
    open: (source) => openSafetensors(source),
  },
  lucene: {
    name: "Lucene",
    endings: [".veq", ".vemq"],
    open: (source, _name, _options, path) => openLucene(source, path),
  },
  tflite: {
    name: "TensorFlow Lite",
    endings: [".tflite"],
    open: (source) => openTflite(source),
  },
  keras: {
    name: "Keras",
    endings: [".keras", ".h5"],
    open: (source) => openKeras(source),
  },
  faiss: { name: "faiss", endings: [".faiss"], open: openFaiss },
};

/** Those that leave a dtype open. */
const TAKES_DTYPE: readonly Container[] = [SIGNED.npy, SIGNED.npz];

const RAW: Container = {
  name: "raw float32",
  endings: [".f32", ".bin"],
  open: openRaw,
};

/** Protobuf has no signature: any bytes might be one. */
const ONNX: Container = {
  name: "ONNX",
  endings: [".onnx"],
  open: (source, _name, _options, path) => openOnnx(source, path),
};

/** Any document might be a graph. */
const OPENVINO: Container = {
  name: "OpenVINO",
  endings: [".xml"],
  open: (source, _name, _options, path) => openOpenvino(source, path),
};

/** Those that are known by their endings only. */
const UNSIGNED: readonly Container[] = [ONNX, OPENVINO, RAW];

/**
 * Opens a file of tensors and checks it; one shard of a split GGUF opens them
 * all, and so does the folder of a checkpoint, or its `model.safetensors.index.json`.
 *
 * @param path Where it is; `-` is standard input.
 * @param options What the file does not say.
 * @returns The opened file; the caller closes its source.
 * @throws {Error} If it cannot be read.
 * @throws {SyntaxError} If it is none of the containers, lies about itself, or
 * its first bytes and its ending disagree.
 */
export async function openTensorFile(
  path: string,
  options: OpenOptions = {},
): Promise<TensorFile> {
  if (await isCheckpoint(path)) {
    const file = await openCheckpoint(path, (path) => openOne(path, options));
    return withConfig(file, file.paths![0]);
  }
  return await openOne(path, options);
}

/** Opens a file that is no folder. */
async function openOne(
  path: string,
  options: OpenOptions,
): Promise<TensorFile> {
  const source = path === "-"
    ? await spoolInput((start) => chooseContainer(STDIN, undefined, { start }))
    : await openFile(path);
  try {
    if (path === "-") return await openSource(source, undefined, options);
    const file = await openSource(source, path, options);
    if (isGguf(file)) return await joinShards(file, path);
    if (file.container === "raw") await checkNoConstants(path);
    if (file.container !== "safetensors") return file;
    return withConfig(file, path);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The constants of a graph are of many types, and would all be taken for float32. */
async function checkNoConstants(path: string): Promise<void> {
  const ending = extname(path), graph = path.slice(0, -ending.length) + ".xml";
  if (ending.toLowerCase() !== ".bin") return;
  if (!await lstat(graph).catch(() => undefined)) return;
  throw new SyntaxError(
    `Cannot read ${
      printable(path)
    } as float32: it holds the constants of an OpenVINO model; open ${
      printable(basename(graph))
    } beside it, or rename this one to .f32 if it is none`,
  );
}

function withConfig(file: TensorFile, path: string): TensorFile {
  let config: Promise<unknown> | undefined;
  return { ...file, config: () => config ??= readConfigBeside(path) };
}

/**
 * Does the same with a source that is open already.
 *
 * @param source The bytes.
 * @param path What its ending and the name of a bare tensor come from, if there is one.
 * @param options What the file does not say.
 * @returns The opened file.
 */
export async function openSource(
  source: ByteSource,
  path?: string,
  options: OpenOptions = {},
): Promise<TensorFile> {
  const ends = await readEnds(source);
  const container = chooseContainer(source.name, path, ends);
  const dtype = options.dtype?.toUpperCase(), { ifOpen } = options;
  if (dtype !== undefined && !ifOpen && !TAKES_DTYPE.includes(container)) {
    throw new RangeError(
      `Cannot read ${source.name} as ${
        printable(dtype)
      }: only .npy and .npz leave a dtype open`,
    );
  }
  return await container.open(
    source,
    tensorName(path),
    { dtype, ifOpen },
    path,
  );
}

async function readEnds(source: ByteSource): Promise<Ends> {
  const start = new Uint8Array(Math.min(START_BYTES, source.size));
  await source.read(0, start);
  const last = new Uint8Array(Math.min(1, source.size));
  await source.read(source.size - last.length, last);
  return { start, last: last[0] };
}

/** Signatures first: some have none, and are known by their endings only. */
function chooseContainer(
  name: string,
  path: string | undefined,
  ends: Ends,
): Container {
  const signature = containerOf(ends.start);
  const byStart = signature && SIGNED[signature];
  const byEnding = [...Object.values(SIGNED), ...UNSIGNED].find(
    ({ endings }) => {
      return endings.some((ending) => path?.toLowerCase().endsWith(ending));
    },
  );
  if (byStart !== undefined && byEnding !== undefined && byStart !== byEnding) {
    // Other things than arrays are zip archives, too.
    const other = strangerOf(ends);
    throw new SyntaxError(
      other !== undefined
        ? `Cannot read ${name}: it is ${other}`
        : `Cannot read ${name}: it starts like ${byStart.name}, but its ending says ` +
          `${byEnding.name}; rename it`,
    );
  }
  const stranger = byStart ? undefined : strangerOf(ends);
  const chosen = byStart ?? byEnding;
  if (stranger === undefined && chosen !== undefined) return chosen;
  const names = Object.values(SIGNED).map(({ name }) => name).join(", ");
  const what = stranger ??
    `none of ${names}, nor does it end in ${
      UNSIGNED.flatMap(({ endings }) => endings).join(", ")
    }`;
  throw new SyntaxError(`Cannot read ${name}: it is ${what}`);
}

/** A bare tensor is named after its file without the ending. */
function tensorName(path: string | undefined): string {
  if (path === undefined) return "tensor";
  const name = basename(path);
  const dot = name.lastIndexOf(".");
  return printable(dot > 0 ? name.slice(0, dot) : name);
}
