/**
 * What a file is by its first bytes: a container of tensors, or one of the
 * things that people save under the name of a model.
 *
 * Looked at before a file is taken for headerless numbers, where any bytes
 * would do: so each rule has to be one that numbers hardly ever meet.
 *
 * @module
 */
import { FAISS_MAGIC } from "./faiss.ts";
import { HDF5_MAGIC } from "./hdf5.ts";
import { LUCENE_MAGIC } from "./lucene.ts";
import { SAFETENSORS_HEADER_BYTES } from "./limits.ts";
import { TFLITE_MAGIC } from "./tflite.ts";

/** Bytes from the start of a file that are looked at. */
export const START_BYTES = 512;

/** The first bytes of every `.npy` file: `\x93NUMPY`. */
export const NPY_MAGIC: Uint8Array = latin1("\x93NUMPY");

const GGUF_MAGIC = latin1("GGUF");

const LUCENE_MAGIC_BYTES = Uint8Array.from(LUCENE_MAGIC);

const TFLITE_MAGIC_BYTES = latin1(TFLITE_MAGIC);

const FAISS_MAGIC_BYTES = latin1(FAISS_MAGIC);

const HDF5_MAGIC_BYTES = latin1(HDF5_MAGIC);

/** How zip archives start: with a file, or with the end where there is none. */
const ZIP_MAGICS = [latin1("PK\x03\x04"), latin1("PK\x05\x06")];

/** Containers that are known by their first bytes. */
export type SignedContainer =
  | "npy"
  | "npz"
  | "gguf"
  | "faiss"
  | "lucene"
  | "tflite"
  | "keras"
  | "safetensors";

/**
 * The container that a file starts like.
 *
 * @param start Its first {@linkcode START_BYTES}, or all there are.
 * @returns The container, or undefined where it starts like none.
 */
export function containerOf(start: Uint8Array): SignedContainer | undefined {
  if (startsWith(start, NPY_MAGIC)) return "npy";
  if (startsWith(start, GGUF_MAGIC)) return "gguf";
  if (startsWith(start, FAISS_MAGIC_BYTES)) return "faiss";
  if (startsWith(start, LUCENE_MAGIC_BYTES)) return "lucene";
  if (startsWith(start.subarray(4), TFLITE_MAGIC_BYTES)) return "tflite";
  if (isKeras(start) || startsWith(start, HDF5_MAGIC_BYTES)) return "keras";
  if (isZip(start)) return "npz";
  return startsLikeSafetensors(start) ? "safetensors" : undefined;
}

function isZip(start: Uint8Array): boolean {
  return ZIP_MAGICS.some((magic) => startsWith(start, magic));
}

/** Files of a `.keras` archive, one of which is the first. */
const KERAS_FIRST = ["metadata.json", "config.json", "model.weights.h5"];

function isKeras(start: Uint8Array): boolean {
  const name = start.subarray(30);
  return isZip(start) &&
    KERAS_FIRST.some((first) => startsWith(name, latin1(first)));
}

/** No signature, but as floats this would be a tiny one, a zero, and luck. */
function startsLikeSafetensors(start: Uint8Array): boolean {
  if (start.length < 9 || start[8] !== 0x7b) return false;
  const view = new DataView(start.buffer, start.byteOffset);
  const length = view.getBigUint64(0, true);
  return length >= 2n && length <= BigInt(SAFETENSORS_HEADER_BYTES);
}

/**
 * Whether a file starts as `llama-imatrix` began its files before they were GGUF: a
 * number of entries, then the length of a name, and the name of a matrix.
 *
 * @param start Its first {@linkcode START_BYTES}, or all there are.
 */
export function startsLikeImatrix(start: Uint8Array): boolean {
  if (start.length < 16) return false;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const entries = view.getInt32(0, true), length = view.getInt32(4, true);
  // ggml's names have less than 64 bytes, and llama.cpp's weights end so.
  if (entries < 1 || length < 6 || length > 64) return false;
  const name = String.fromCharCode(...start.subarray(8, 8 + length));
  return /^[\x20-\x7e]+weight$/.test(name);
}

/** What can be known of a file that is no container. */
export interface Ends {
  /** Its first {@linkcode START_BYTES}, or all there are. */
  readonly start: Uint8Array;
  /** Its last byte; undefined where it has none, or it is not known yet. */
  readonly last?: number;
}

interface Stranger {
  /** What to call it, and what to do about it. */
  readonly what: string;
  matches(ends: Ends): boolean;
}

/** The four letters of ggml's files before GGUF, as little-endian words. */
const GGML_LEGACY = ["lmgg", "fmgg", "tjgg", "algg"].map(latin1);

/** How torch.save began before it wrote zip archives: protocol 2, then a number of ten bytes. */
const TORCH_PICKLE = latin1("\x80\x02\x8a\x0a");

const STRANGERS: readonly Stranger[] = [
  {
    what:
      "an importance file of llama-imatrix, no model; pass it with --imatrix beside one",
    matches: ({ start }) => startsLikeImatrix(start),
  },
  {
    what:
      "a Git LFS pointer, which stands for the real file; fetch that with git lfs pull",
    matches: ({ start }) =>
      startsWith(start, latin1("version https://git-lfs.github.com/spec/")),
  },
  {
    what:
      "a web page (HTML), not the file that it links to; download that again",
    matches: ({ start }) =>
      /^<(!doctype html|html|head|body)[\s>]/i.test(textOf(start)),
  },
  {
    what: "JSON text, which holds no tensors; save numbers as .npy",
    matches: ({ start }) =>
      /^([{[]\s*["{}[\]0-9-]|[{[]$)/.test(textOf(start)) && isText(start),
  },
  {
    what:
      "a ggml file from before GGUF; convert it with the scripts of the project that it is for, or fetch a .gguf",
    matches: ({ start }) =>
      GGML_LEGACY.some((magic) => startsWith(start, magic)),
  },
  {
    what:
      "a zip archive; name it .npz where it holds arrays of numpy, and save what PyTorch has saved so as .safetensors",
    matches: ({ start }) => isZip(start),
  },
  {
    what: "a Python pickle (PyTorch); save it as .safetensors",
    matches: isPickle,
  },
  {
    what: "compressed by gzip; unpack it with gunzip",
    matches: ({ start }) =>
      startsWith(start, latin1("\x1f\x8b\x08")) && start[3] < 0x20,
  },
  {
    what: "compressed by zstd; unpack it with unzstd",
    matches: ({ start }) => startsWith(start, latin1("\x28\xb5\x2f\xfd")),
  },
  {
    what: "compressed by xz; unpack it with unxz",
    matches: ({ start }) => startsWith(start, latin1("\xfd7zXZ\x00")),
  },
];

/**
 * What a file is that is no container of tensors.
 *
 * @param ends What is known of it.
 * @returns What to call it and what to do, to follow `it is`; undefined where it is nothing known.
 */
export function strangerOf(ends: Ends): string | undefined {
  return STRANGERS.find((stranger) => stranger.matches(ends))?.what;
}

/** Two bytes of a float can be those of a pickle by chance: more has to agree. */
function isPickle({ start, last }: Ends): boolean {
  if (startsWith(start, TORCH_PICKLE)) return true;
  const [proto, version] = start;
  if (proto !== 0x80 || version < 2 || version > 5) return false;
  // From protocol 4 on a frame follows, whose length of eight bytes has zeros at its end.
  const framed = version >= 4 && start[2] === 0x95 && start[9] === 0 &&
    start[10] === 0;
  return framed || last === 0x2e; // STOP
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return bytes.length >= magic.length &&
    magic.every((byte, index) => byte === bytes[index]);
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The start as text, without a byte order mark and white space. */
function textOf(start: Uint8Array): string {
  return new TextDecoder().decode(start).trimStart();
}

/** Whether there are no controls but white space, and only proper UTF-8. */
function isText(start: Uint8Array): boolean {
  const text = new TextDecoder().decode(start, { stream: true });
  // deno-lint-ignore no-control-regex -- controls are what is looked for
  return !/[\x00-\x08\x0e-\x1f\x7f\ufffd]/.test(text);
}
