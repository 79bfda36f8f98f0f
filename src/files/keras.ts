/**
 * Reads what Keras 3 saves: `.keras`, a zip archive with the variables in an HDF5 file,
 * and such a file alone (`.weights.h5`).
 *
 * Variables have no names but the place of their layer and a number, `layers/dense/vars/0`.
 * A Dense or EinsumDense layer of `int4` has
 *
 * ```text
 * in groups     kernel I8 [in, ceil(out / 2)]  bias  kernel_scale [groups, out]
 *               kernel_zero I8 [groups, out]  g_idx F32 [in]
 * by channel    kernel I8 [in, ceil(out / 2)]  bias  kernel_scale [out]
 * ```
 *
 * bias where it has one. Its kernel is a tensor of the format `keras`, named
 * `layers/dense/kernel`; `g_idx` says how many inputs share a scale, and nothing else.
 *
 * Source: Keras 3.15.1, `saving_lib.py`, `variable_serialization_spec` of its layers.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { quote, unreadable } from "./errors.ts";
import { HDF5_MAGIC, readHdf5 } from "./hdf5.ts";
import { type Json, parseJson } from "./json.ts";
import { KERAS_METADATA_BYTES } from "./limits.ts";
import type { QuantizedEntry, SortedFile } from "./parts.ts";
import { readingOf, Unread } from "./readings.ts";
import type { TensorEntry } from "./tensors.ts";
import { readZip, type ZipEntry, zipMember } from "./zip.ts";

const WEIGHTS = "model.weights.h5", METADATA = "metadata.json";
const FLOATS = ["F32", "F16", "BF16", "F64"];

/**
 * Opens an archive or its HDF5 file.
 *
 * @param source The file.
 * @returns Its variables; those of int4 layers are tensors of the format `keras`.
 * @throws {SyntaxError} If it is neither, damaged, or contradicts itself.
 * @throws {RangeError} If it is of a kind that is not read, or goes beyond a limit.
 */
export async function openKeras(source: ByteSource): Promise<SortedFile> {
  try {
    const start = new Uint8Array(Math.min(source.size, HDF5_MAGIC.length));
    await source.read(0, start);
    return String.fromCharCode(...start) === HDF5_MAGIC
      ? await readVariables(source, new Map())
      : await openArchive(source);
  } catch (error) {
    throw unreadable(source.name, "Keras", error);
  }
}

async function openArchive(source: ByteSource): Promise<SortedFile> {
  const entries = await readZip(source);
  const weights = entries.find(({ name }) => name === WEIGHTS);
  if (!weights) {
    const [other] = entries.filter(({ name }) => /weights/.test(name));
    throw new RangeError(
      `it has no ${WEIGHTS}${
        other ? `, but ${quote(other.name)}` : ""
      }: only models saved in one file are read`,
    );
  }
  const version = await versionIn(source, entries);
  const member = zipMember(source, weights);
  const closed: ByteSource = {
    name: source.name,
    size: member.size,
    read: (offset, into) => member.read(offset, into),
    async close() {
      await member.close();
      await source.close();
    },
  };
  try {
    return await readVariables(
      closed,
      new Map(version === undefined ? [] : [["keras_version", version]]),
    );
  } catch (error) {
    await member.close();
    throw error;
  }
}

/** The version of Keras that wrote an archive; undefined where it does not say so. */
async function versionIn(
  source: ByteSource,
  entries: readonly ZipEntry[],
): Promise<string | undefined> {
  const entry = entries.find(({ name }) => name === METADATA);
  if (!entry || entry.size > KERAS_METADATA_BYTES) return undefined;
  const member = zipMember(source, entry);
  const bytes = new Uint8Array(entry.size);
  await member.read(0, bytes).finally(() => member.close());
  const version = parsed(bytes);
  return typeof version === "string" ? version : undefined;
}

function parsed(bytes: Uint8Array): Json | undefined {
  try {
    const json = parseJson(new TextDecoder().decode(bytes));
    return json instanceof Map ? json.get("keras_version") : undefined;
  } catch {
    return undefined;
  }
}

async function readVariables(
  source: ByteSource,
  metadata: Map<string, string>,
): Promise<SortedFile> {
  const { datasets, texts } = await readHdf5(source);
  const variables = datasets.map(({ path, ...rest }) => ({
    name: path,
    ...rest,
  }));
  for (const [path, own] of texts) {
    const name = own.get("name");
    // What a layer is called is said where its variables are.
    if (name !== undefined) metadata.set(layerOf(path), name);
  }
  const names = new Set(variables.map(({ name }) => name));
  const quantized: QuantizedEntry[] = [], dropped = new Set<string>();
  const bound = new Map<string, string>();
  for (const [group, own] of groupsOf(variables)) {
    if (!hasCodes(own)) continue;
    try {
      const layer = await readLayer(source, group, own);
      if (names.has(layer.kernel.name)) {
        throw new SyntaxError(
          `two variables have the name ${quote(layer.kernel.name)}`,
        );
      }
      quantized.push(layer.kernel);
      if (layer.index) dropped.add(layer.index.name);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      for (const { name } of own) bound.set(name, error.message);
    }
  }
  return {
    container: "keras",
    source,
    tensors: variables.filter(({ name }) => !dropped.has(name)),
    metadata,
    quantized,
    bound,
  };
}

/** The place of a layer by that of its variables. */
function layerOf(group: string): string {
  return group.replace(/\/?vars$/, "") || "model";
}

/** Variables by their groups, each group's in the order of their numbers. */
function groupsOf(
  variables: readonly TensorEntry[],
): Map<string, TensorEntry[]> {
  const groups = new Map<string, TensorEntry[]>();
  for (const variable of variables) {
    const at = variable.name.lastIndexOf("/");
    const group = variable.name.slice(0, Math.max(0, at));
    if (!/(^|\/)vars$/.test(group)) continue;
    const others = groups.get(group);
    if (others) others.push(variable);
    else groups.set(group, [variable]);
  }
  for (const own of groups.values()) {
    own.sort((a, b) => numberOf(a) - numberOf(b));
  }
  return groups;
}

function numberOf({ name }: TensorEntry): number {
  return Number(name.slice(name.lastIndexOf("/") + 1));
}

/** Whether a layer has bytes where others have floats. */
function hasCodes(variables: readonly TensorEntry[]): boolean {
  return variables.some(({ dtype, shape }) =>
    (dtype === "I8" || dtype === "U8") && shape.length >= 2
  );
}

// ---- layers ----

/** A layer of int4. */
interface Layer {
  readonly kernel: QuantizedEntry;
  /** Which group each input is in. */
  readonly index?: TensorEntry;
}

async function readLayer(
  source: ByteSource,
  group: string,
  variables: readonly TensorEntry[],
): Promise<Layer> {
  const [kernel, ...rest] = variables;
  const last = rest.at(-1);
  if (!isCodes(kernel) || !last) throw otherLayer();
  const isGrouped = last.dtype === "F32" && rest.length >= 3 &&
    isCodes(rest.at(-2)!);
  const [scale, zero, index] = isGrouped ? rest.slice(-3) : [last];
  const before = rest.slice(0, isGrouped ? -3 : -1);
  const isBias = before.length === 0 ||
    before.length === 1 && FLOATS.includes(before[0].dtype);
  if (!isBias || !FLOATS.includes(scale.dtype)) throw otherLayer();
  const [inputs, pairs] = kernel.shape;
  const outputs = scale.shape.at(-1) ?? 0;
  if (
    scale.shape.length !== (isGrouped ? 2 : 1) ||
    Math.ceil(outputs / 2) !== pairs
  ) throw otherLayer();
  if (!isGrouped) checkAlone(group, before.length > 0, inputs, outputs);
  const groupSize = index
    ? await groupSizeOf(source, index, inputs, scale.shape[0])
    : "row";
  const name = `${layerOf(group)}/kernel`;
  const reading = {
    format: "keras",
    shape: [outputs, inputs],
    options: { groupSize, axis: -1, scaleDtype: scale.dtype },
    parts: { kernel, kernel_scale: scale, kernel_zero: zero },
  };
  return { kernel: readingOf(name, reading, "its layer has it"), index };
}

function isCodes({ dtype, shape }: TensorEntry): boolean {
  return dtype === "I8" && shape.length === 2;
}

function otherLayer(): Unread {
  return new Unread(
    "its layer is quantized otherwise than Dense and EinsumDense are by int4",
  );
}

/** Throws where a kernel with one scale an output may be something else, too. */
function checkAlone(
  group: string,
  hasBias: boolean,
  inputs: number,
  outputs: number,
): void {
  if (outputs === 1) {
    throw new Unread("its codes have four bits or eight: one output tells not");
  }
  // Square tables have the same shapes; only layers of the library are so called.
  const isTable = !hasBias && inputs === outputs &&
    /embedding(_\d+)?$/.test(layerOf(group));
  if (isTable) throw otherLayer();
}

/**
 * How many inputs share a scale.
 *
 * @throws {Unread} If they are not in their order.
 */
async function groupSizeOf(
  source: ByteSource,
  { offset, shape }: TensorEntry,
  inputs: number,
  groups: number,
): Promise<number> {
  if (shape.length !== 1 || shape[0] !== inputs) throw otherLayer();
  const chunk = new Uint8Array(Math.min(inputs * 4, 64 * 1024));
  const view = new DataView(chunk.buffer);
  let size = 0;
  for (let first = 0; first < inputs; first += chunk.length / 4) {
    const count = Math.min(chunk.length / 4, inputs - first);
    await source.read(offset + 4 * first, chunk.subarray(0, 4 * count));
    for (let i = 0; i < count; i++) {
      const at = first + i, own = view.getFloat32(4 * i, true);
      if (own === 0 && size === at) size++;
      else if (own !== Math.floor(at / size)) {
        throw new Unread(
          `input ${at} is in group ${own}: its inputs are not in the order of their groups`,
        );
      }
    }
  }
  if (Math.ceil(inputs / Math.max(1, size)) === groups) return size;
  throw new Unread(`it has ${groups} groups for ${inputs} inputs by ${size}`);
}
