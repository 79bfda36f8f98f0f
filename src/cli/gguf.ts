/**
 * What GGUF wants to know beyond the tensors.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import { parseMeta } from "../files/gguf_meta.ts";
import { isGguf } from "../files/gguf_read.ts";
import { splitGroups, type SplitLimit } from "../files/gguf_split.ts";
import { ggufQuantizationVersion } from "../files/gguf_types.ts";
import { GgufValue } from "../files/gguf_value.ts";
import {
  type GgufPlan,
  type GgufTensor,
  planGguf,
  writeGgufFrame,
} from "../files/gguf_write.ts";
import { openTensorFile } from "../files/open.ts";
import type { Importance } from "../files/imatrix.ts";
import {
  importanceValues,
  SPLIT,
  splitValues,
} from "../files/recipe_metadata.ts";
import type { TensorFile } from "../files/tensors.ts";
import { formats } from "../formats.ts";
import { ggmlLayouts } from "../ggml/table.ts";
import type { Format } from "../words/format.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { OutputPlan, OutputTensor } from "./output.ts";
import { type FilePlace, placesIn } from "./places.ts";

/** The flags that set metadata. */
export const META_FLAGS: readonly Flag[] = [
  {
    name: "meta",
    takes: "KEY=VALUE",
    many: true,
    help: "metadata of a .gguf: general.name=Tiny, key:u32=5, key:[i32]=1,2",
  },
  {
    name: "meta-from",
    takes: "FILE",
    help: "a .gguf whose metadata is taken over",
    reads: (path) => path,
  },
];

const ARCHITECTURE = "general.architecture";

/** The type of ggml that a format is; undefined where GGUF cannot hold it. */
export function ggmlTypeOf(format: Format): string | undefined {
  const name = format.name.toUpperCase();
  return ggmlLayouts.has(name) ? name : undefined;
}

/**
 * Checks that GGUF can hold what a call asks for.
 *
 * @param call The call.
 * @param chosen The formats that may be used.
 * @throws {UsageError} If one has no type in GGUF.
 */
export function checkGgufCall(call: Call, chosen: readonly Format[]): void {
  const stranger = chosen.find((format) => ggmlTypeOf(format) === undefined);
  if (!stranger) return;
  const known = [...formats.values()].filter(ggmlTypeOf).map(({ name }) =>
    name
  );
  throw new UsageError(
    `GGUF has no type for ${
      call.all("format").length === 0
        ? "int4, the default"
        : `format ${stranger.name}`
    }: add --format with one of ${known.join(", ")}`,
  );
}

/** Throws a UsageError when metadata is given for a container that has none. */
export function checkNoMeta(call: Call): void {
  for (const { name } of META_FLAGS) {
    if (!call.has(name)) continue;
    throw new UsageError(
      `Flag --${name} is for .gguf outputs: name the output so, or drop it`,
    );
  }
}

/** Metadata for a file, and what to say about it. */
export interface GgufMetadata {
  /** The values in order. */
  readonly values: ReadonlyMap<string, GgufValue>;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/**
 * Puts the metadata of an output together: that of the input and of
 * `--meta-from`, what was quantized, and `--meta` over all.
 *
 * @param call The call.
 * @param file The input.
 * @param fileType What most values are, by llama.cpp's number; undefined where it has none.
 * @param importance The importance file that was used.
 * @returns The metadata.
 */
export async function metadataFor(
  call: Call,
  file: TensorFile,
  fileType: number | undefined,
  importance?: Importance,
): Promise<GgufMetadata> {
  const given = call.all("meta").map(parsedMeta);
  const values = new Map<string, GgufValue>([
    [ARCHITECTURE, GgufValue.of("string", "unknown")],
    ...(isGguf(file) ? file.values : []),
    ...await metadataFrom(call.get("meta-from")),
  ]);
  for (const key of SPLIT) values.delete(key);
  values.set(
    "general.quantization_version",
    GgufValue.of("u32", ggufQuantizationVersion),
  );
  if (fileType !== undefined) {
    values.set("general.file_type", GgufValue.of("u32", fileType));
  }
  if (importance) {
    for (const [key, value] of importanceValues(importance)) {
      values.set(key, value);
    }
  }
  for (const [key, value] of given) values.set(key, value);
  const unknown = values.get(ARCHITECTURE)!.value === "unknown";
  return {
    values,
    warnings: unknown
      ? [
        `${ARCHITECTURE} is unknown: llama.cpp loads the file only with --meta ${ARCHITECTURE}=llama, or what it is, and the metadata that goes with that`,
      ]
      : [],
  };
}

function parsedMeta(text: string): [string, GgufValue] {
  try {
    return parseMeta(text);
  } catch (error) {
    throw new UsageError(`Cannot take --meta: ${(error as Error).message}`);
  }
}

async function metadataFrom(
  path: string | undefined,
): Promise<Iterable<[string, GgufValue]>> {
  if (path === undefined) return [];
  const file = await openTensorFile(path);
  try {
    if (isGguf(file)) return file.values;
    throw new RangeError(
      `Cannot take metadata from ${file.source.name}: it is no GGUF`,
    );
  } finally {
    await file.source.close();
  }
}

/**
 * Lays out a GGUF file, or several.
 *
 * @param tensors What it shall hold, in order.
 * @param values Its metadata.
 * @param limit What a file holds at most, where there are to be several.
 * @returns The plan.
 * @throws {RangeError} If GGUF cannot hold a tensor.
 */
export function ggufOutput(
  tensors: readonly OutputTensor[],
  values: ReadonlyMap<string, GgufValue>,
  limit?: SplitLimit,
): OutputPlan {
  const own = tensors.map(ggufTensor);
  const whole = planGguf(values, own);
  if (!limit) return fileOutput(whole);
  const sizes = whole.tensors.map(({ byteLength }) => byteLength);
  const groups = splitGroups(sizes, limit);
  const files: FilePlace[] = [];
  let start = 0;
  for (const [no, numbers] of groups.entries()) {
    const metadata = new Map([
      ...(no === 0 ? values : []),
      ...splitValues(no, groups.length, tensors.length),
    ]);
    const plan = fileOutput(planGguf(metadata, numbers.map((i) => own[i])));
    files.push({ start, plan, numbers });
    start += plan.size;
  }
  return { ...placesIn(files), shards: files.map(({ start }) => start) };
}

function ggufTensor(
  { name, shape, dtype, byteLength, quantized }: OutputTensor,
): GgufTensor {
  const type = quantized ? ggmlTypeOf(quantized.format) : dtype;
  if (type !== undefined) return { name, shape, dtype: type, byteLength };
  throw new RangeError(
    `Cannot write tensor ${quote(name)} to GGUF: it has no type for ${
      quantized!.format.name
    }; choose the tensor, so that it is quantized anew, or write .safetensors`,
  );
}

function fileOutput(plan: GgufPlan): OutputPlan {
  return {
    size: plan.size,
    // Formats of ggml have one part, which is the tensor.
    offsetOf: (index) => plan.tensors[index].offset,
    writeFrame: (sink) => writeGgufFrame(sink, plan),
  };
}

/** A value as one line: arrays by their first elements. */
export function valueText(value: GgufValue): string {
  const shown = value.first(SHOWN_ELEMENTS).map((x) =>
    typeof x === "string" ? quote(x) : String(x)
  );
  if (value.type !== "array") return shown[0];
  const more = value.length > SHOWN_ELEMENTS ? ", …" : "";
  return `${value.length} × ${value.elementType}: ${shown.join(", ")}${more}`;
}

/** A value as data. */
export function valueJson(value: GgufValue): object {
  const plain = (x: unknown) => typeof x === "bigint" ? bigJson(x) : x;
  const first = value.first(SHOWN_ELEMENTS).map(plain);
  return value.type === "array"
    ? {
      type: "array",
      elementType: value.elementType,
      length: value.length,
      first,
    }
    : { type: value.type, value: first[0] };
}

/** Elements of an array that are shown. */
const SHOWN_ELEMENTS = 5;

/** Integers that JSON readers would round become text. */
function bigJson(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
