/**
 * Opens a file of tensors of any kind: its first bytes say which, and its
 * ending must agree.
 *
 * @module
 */
import { basename } from "node:path";
import type { ByteSource } from "./bytes.ts";
import { printable } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { isGguf, openGguf } from "./gguf_read.ts";
import { joinShards } from "./gguf_shards.ts";
import { SAFETENSORS_HEADER_BYTES } from "./limits.ts";
import { NPY_MAGIC, openNpy } from "./npy.ts";
import { openRaw } from "./raw.ts";
import { openSafetensors } from "./safetensors.ts";
import { spoolInput } from "./stdio.ts";
import type { TensorFile } from "./tensors.ts";

/** What a caller knows that the file does not say. */
export interface OpenOptions {
  /** The dtype of a `.npy` file of opaque elements: `BF16`. */
  readonly dtype?: string;
}

interface Container {
  /** What to call it in messages. */
  readonly name: string;
  /** Endings of its files. */
  readonly endings: readonly string[];
  /** Whether a file may start like this (twelve bytes, or all there are). */
  matches(start: Uint8Array): boolean;
  open(
    source: ByteSource,
    name: string,
    options: OpenOptions,
  ): Promise<TensorFile> | TensorFile;
}

const START_BYTES = 12;

const GGUF_MAGIC = Uint8Array.of(0x47, 0x47, 0x55, 0x46);

/** Those with a signature first; raw float32 has none and is known by its ending only. */
const CONTAINERS: readonly Container[] = [
  {
    name: ".npy",
    endings: [".npy"],
    matches: (start) => startsWith(start, NPY_MAGIC),
    open: openNpy,
  },
  {
    name: "GGUF",
    endings: [".gguf"],
    matches: (start) => startsWith(start, GGUF_MAGIC),
    open: (source) => openGguf(source),
  },
  {
    name: "safetensors",
    endings: [".safetensors"],
    // No signature, but as floats this would be a tiny one, a zero, and luck.
    matches: (start) => {
      if (start.length < 9 || start[8] !== 0x7b) return false;
      const length = new DataView(start.buffer).getBigUint64(0, true);
      return length >= 2n && length <= BigInt(SAFETENSORS_HEADER_BYTES);
    },
    open: (source) => openSafetensors(source),
  },
];

const RAW: Container = {
  name: "raw float32",
  endings: [".f32", ".bin"],
  matches: () => false,
  open: openRaw,
};

/** Files that people try, and what to tell them. */
const STRANGERS: readonly [Uint8Array, string][] = [
  [
    Uint8Array.of(0x50, 0x4b, 3, 4),
    "a zip archive (.npz or PyTorch); save its arrays as .npy",
  ],
  [
    Uint8Array.of(0x80, 2, 0x8a, 10),
    "a PyTorch pickle; save it as .safetensors",
  ],
];

/**
 * Opens a file of tensors and checks it; one shard of a split GGUF opens them all.
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
  const source = path === "-" ? await spoolInput() : await openFile(path);
  try {
    const named = path === "-" ? undefined : path;
    const file = await openSource(source, named, options);
    return isGguf(file) ? await joinShards(file, named) : file;
  } catch (error) {
    await source.close();
    throw error;
  }
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
  const start = new Uint8Array(Math.min(START_BYTES, source.size));
  await source.read(0, start);
  const container = chooseContainer(source, path, start);
  const dtype = options.dtype?.toUpperCase();
  if (dtype !== undefined && container.open !== openNpy) {
    throw new RangeError(
      `Cannot read ${source.name} as ${
        printable(dtype)
      }: only .npy leaves a dtype open`,
    );
  }
  return await container.open(source, tensorName(path), { dtype });
}

function chooseContainer(
  source: ByteSource,
  path: string | undefined,
  start: Uint8Array,
): Container {
  const byStart = CONTAINERS.find((container) => container.matches(start));
  const byEnding = [...CONTAINERS, RAW].find(({ endings }) => {
    return endings.some((ending) => path?.toLowerCase().endsWith(ending));
  });
  const chosen = byStart ?? byEnding;
  if (byStart !== undefined && byEnding !== undefined && byStart !== byEnding) {
    throw new SyntaxError(
      `Cannot read ${source.name}: it starts like ${byStart.name}, but its ending says ` +
        `${byEnding.name}; rename it`,
    );
  }
  const stranger = STRANGERS.find(([magic]) => startsWith(start, magic));
  if (byStart === undefined && stranger !== undefined && chosen !== undefined) {
    throw new SyntaxError(`Cannot read ${source.name}: it is ${stranger[1]}`);
  }
  if (chosen === undefined) {
    const names = CONTAINERS.map(({ name }) => name).join(", ");
    const what = stranger?.[1] ??
      `none of ${names}, nor does it end in ${RAW.endings.join(", ")}`;
    throw new SyntaxError(`Cannot read ${source.name}: it is ${what}`);
  }
  return chosen;
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return bytes.length >= magic.length &&
    magic.every((byte, index) => byte === bytes[index]);
}

/** A bare tensor is named after its file without the ending. */
function tensorName(path: string | undefined): string {
  if (path === undefined) return "tensor";
  const name = basename(path);
  const dot = name.lastIndexOf(".");
  return printable(dot > 0 ? name.slice(0, dot) : name);
}
