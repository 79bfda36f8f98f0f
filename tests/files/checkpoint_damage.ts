/**
 * Damages checkpoints where a reader has to think: names, dtypes and shapes of
 * parts, parts of other formats beside them, and the settings in the config.
 *
 * @module
 */
import { dtypeBytes } from "../../src/numeric/dtypes.ts";
import { randomInteger } from "../adversarial.ts";

type Next = () => number;

/** A tensor of a safetensors file, and its bytes. */
interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Types that parts have, and some that none has. */
const DTYPES = ["U8", "I8", "I32", "I64", "F32", "F16", "BF16", "F8_E4M3"];

/** Settings that no library writes. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 2, 3, 4, 7, 8, 16, 32, 64, 128, 1e308],
  ...[0.5, 2 ** 31, 2 ** 53, "", "4", "int", "float", "gptq", "awq", "nf4"],
  ...["fp4", "\u001b[2J", "__proto__", "x".repeat(2000)],
  ...[[], {}, [[]], { weights: {} }, { bits: 4 }, [0, 1, 2]],
];

/** Bytes that an entry of a made-up shape takes at most. */
const MOST_BYTES = 65_536;

/** Reads a file whose header is to be trusted. */
export function entriesOf(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, start));
  const { __metadata__: _, ...header } = JSON.parse(text);
  return Object.keys(header).map((name) => {
    const { dtype, shape, data_offsets: [from, to] } = header[name];
    const data = bytes.subarray(start + from, start + to);
    return { name, dtype, shape, data };
  });
}

/** The bytes of a file; two entries of one name are written as they are. */
function fileOf(entries: readonly Entry[], metadata: string): Uint8Array {
  let at = 0;
  const members = entries.map(({ name, dtype, shape, data }) => {
    const from = at;
    at += data.length;
    return `${
      JSON.stringify(name)
    }:{"dtype":"${dtype}","shape":[${shape.join()}],"data_offsets":[${from},${at}]}`;
  });
  const text = new TextEncoder().encode(
    `{${[...(metadata ? [metadata] : []), ...members].join()}}`,
  );
  const bytes = new Uint8Array(8 + text.length + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  at = 8 + text.length;
  for (const { data } of entries) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}

/**
 * Damages a checkpoint in one to three places.
 *
 * @param files The model, and its config.
 * @param others Entries of checkpoints of all formats.
 * @param next Random numbers.
 * @returns Both files again.
 */
export function damagedCheckpoint(
  [model, config]: readonly Uint8Array[],
  others: readonly Entry[],
  next: Next,
): Uint8Array[] {
  const entries = entriesOf(model);
  const settings = { root: JSON.parse(new TextDecoder().decode(config)) };
  for (let times = 1 + below(next, 3); times > 0; times--) {
    if (below(next, 2) === 0) damageSettings(settings, next);
    else damageEntries(entries, others, next);
  }
  return [
    fileOf(entries, below(next, 8) === 0 ? '"__metadata__":{"a":"b"}' : ""),
    new TextEncoder().encode(JSON.stringify(settings.root)),
  ];
}

function below(next: Next, count: number): number {
  return randomInteger(next, 0, Math.max(1, count) - 1);
}

function oneOf<T>(all: readonly T[], next: Next): T {
  return all[below(next, all.length)];
}

function damageEntries(
  entries: Entry[],
  others: readonly Entry[],
  next: Next,
): void {
  if (entries.length === 0) return;
  const at = below(next, entries.length), entry = entries[at];
  const other = oneOf(others, next);
  switch (below(next, 6)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries[at] = { ...entry, name: withEnding(entry.name, other.name) };
      break;
    case 2:
      entries[at] = refilled(entry, oneOf(DTYPES, next), entry.shape);
      break;
    case 3:
      entries[at] = refilled(entry, entry.dtype, damagedShape(entry, next));
      break;
    case 4:
      entries.push({ ...other, name: withEnding(entry.name, other.name) });
      break;
    case 5: {
      const data = entry.data.slice();
      data[below(next, data.length)] = below(next, 256);
      entries[at] = { ...entry, data };
    }
  }
}

/** The module of one name with the part of another. */
function withEnding(name: string, other: string): string {
  const stem = name.replace(/[._][^.]*$/, "");
  return stem + (other.match(/[._][^.]*$/)?.[0] ?? other);
}

function damagedShape({ shape }: Entry, next: Next): number[] {
  const damaged = [...shape], at = below(next, shape.length);
  switch (below(next, 5)) {
    case 0:
      damaged[at] = oneOf([0, 1, 2, 3, 7, 8, 31, 33], next);
      break;
    case 1:
      damaged[at] = (damaged[at] ?? 1) + 1;
      break;
    case 2:
      damaged.splice(at, 1);
      break;
    case 3:
      damaged.splice(at, 0, 1);
      break;
    case 4:
      damaged.reverse();
  }
  return damaged;
}

/** The same bytes over and over, as many as dtype and shape take. */
function refilled(
  entry: Entry,
  dtype: string,
  shape: readonly number[],
): Entry {
  const elements = shape.reduce((product, size) => product * size, 1);
  const length = elements * dtypeBytes(dtype);
  if (length > MOST_BYTES) return entry;
  const { data } = entry;
  const filled = Uint8Array.from(
    { length },
    (_, i) => data.length === 0 ? 0 : data[i % data.length],
  );
  return { ...entry, dtype, shape, data: filled };
}

/** Changes, removes or moves a member somewhere in the settings. */
function damageSettings(holder: { root: unknown }, next: Next): void {
  let object: Record<string, unknown> = holder, key = "root";
  for (;;) {
    const inner = object[key];
    const keys = typeof inner === "object" && inner ? Object.keys(inner) : [];
    if (keys.length === 0 || key !== "root" && below(next, 3) === 0) break;
    object = inner as Record<string, unknown>;
    key = oneOf(keys, next);
  }
  if (key !== "root" && below(next, 3) === 0) delete object[key];
  else object[key] = structuredClone(oneOf(ODD, next));
}
