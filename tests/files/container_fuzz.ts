/**
 * Damages files of containers and opens them: whatever is in a file, it is read within
 * its bounds or refused in one line.
 *
 * @module
 */
import { assert } from "@std/assert";
import { readFile } from "node:fs/promises";
import { dequantize } from "../../mod.ts";
import type { ByteSource } from "../../src/files/bytes.ts";
import { openFaiss } from "../../src/files/faiss.ts";
import { memorySource } from "../../src/files/file_source.ts";
import { openKeras } from "../../src/files/keras.ts";
import { openLucene } from "../../src/files/lucene.ts";
import { openOnnx } from "../../src/files/onnx_read.ts";
import { openOpenvino } from "../../src/files/openvino.ts";
import type { SortedFile } from "../../src/files/parts.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { openSafetensors } from "../../src/files/safetensors_read.ts";
import { openTflite } from "../../src/files/tflite.ts";
import { tensorsOf } from "../../src/cli/tensors.ts";
import { damagedCheckpoint, entriesOf } from "./checkpoint_damage.ts";
import { sizeOf } from "../../src/numeric/shape.ts";
import { random, randomInteger } from "../adversarial.ts";
import { readQuantized } from "./read_quantized.ts";

const vectors = new URL("../vectors/", import.meta.url).pathname;

/** A container that is fuzzed. */
interface Target {
  readonly name: string;
  /** Files that are damaged, in sets that belong together. */
  readonly seeds: readonly (readonly string[])[];
  /** How much more the source may have than the files: numbers that are decoded. */
  readonly growth: number;
  open(files: readonly ByteSource[]): Promise<SortedFile>;
  /** Damages files by their meaning, where single bytes would seldom reach it. */
  damage?(
    files: readonly Uint8Array[],
    all: readonly (readonly Uint8Array[])[],
    next: () => number,
  ): Uint8Array[];
}

const TARGETS: Target[] = [
  {
    name: "onnx",
    seeds: [
      ["onnx/INT4_int32_data.onnx"],
      ["onnx/gather_asym_b32.onnx"],
      ["onnx/QOperator_K61_N7_b16_asym_float32.onnx"],
    ],
    growth: 9,
    open: ([model]) => openOnnx(model),
  },
  {
    name: "faiss",
    seeds: [
      ["faiss_qt4/QT_4bit_d7_l2/index.faiss"],
      ["faiss_qt4/QT_4bit_uniform_d33_l2/index.faiss"],
    ],
    growth: 1,
    open: ([index]) => openFaiss(index, "x"),
  },
  {
    name: "openvino",
    seeds: ["CB4_g32", "INT4_ASYM_g32", "MXFP4_g32", "NVFP4_g16"].map((name) =>
      ["xml", "bin"].map((ending) => `openvino/${name}/model.${ending}`)
    ),
    growth: 1,
    open: ([graph, constants]) =>
      openOpenvino(graph, "m.xml", () => Promise.resolve(constants)),
  },
  {
    name: "tflite",
    seeds: [
      ["tflite/BLOCKWISE_32_sym_weight_only.tflite"],
      ["tflite/CHANNELWISE_asym_dynamic.tflite"],
    ],
    growth: 1,
    open: ([model]) => openTflite(model),
  },
  {
    name: "keras",
    seeds: [["keras/odd.weights.h5"], ["keras/dense_g32_bfloat16.keras"]],
    growth: 1,
    open: ([model]) => openKeras(model),
  },
  {
    name: "lucene",
    seeds: ["two_fields", "dot_product_bytes_raw"].map((name) =>
      ["veq", "vemq"].map((ending) => `lucene99/${name}/vectors.${ending}`)
    ),
    // Fields may share their records.
    growth: 300,
    open: ([vectors, meta]) =>
      openLucene(vectors, "v.veq", () => Promise.resolve(meta)),
  },
];

/** A model of each format that is recognized, and the settings beside it. */
const CHECKPOINTS = [
  "awq/awq-gemm-g32",
  "compressed_tensors/pack-g32-asym-bf16",
  "compressed_tensors/pack-g32-sym-bf16-actorder-group-v0.12",
  "fp4/fp4-b64-f32",
  "hqq/hqq-axis1-g64-noopt-f16",
  "int4_modelopt/int4_awq-export-bf16",
  "mlx/lm_affine",
  "mxfp4_ct/mxfp4-bf16",
  "mxfp4_hf/quantized",
  "mxfp4_modelopt/mxfp4-bf16",
  "mxfp4_torchao/mxfp4-even-bf16",
  "nf4/nf4-b64-bf16-nested",
  "nvfp4_ct/nvfp4-bf16",
  "nvfp4_modelopt/f16",
  "nvfp4_torchao/nvfp4-2level-bf16",
].map((name) => [`${name}/model.safetensors`, `${name}/config.json`]);

const CHECKPOINT: Target = {
  name: "checkpoint",
  seeds: [
    ...CHECKPOINTS,
    ...["autogptq-v1-asym-g32", "gptqmodel-v2-sym-g64-desc_act"].map((name) =>
      ["model.safetensors", "quantize_config.json"].map((file) =>
        `gptq/${name}/${file}`
      )
    ),
  ],
  growth: 1,
  async open([model, settings]) {
    const bytes = new Uint8Array(settings.size);
    await settings.read(0, bytes);
    const config = JSON.parse(new TextDecoder().decode(bytes));
    const told = config?.quantization ?? config?.quantization_config;
    const file = {
      ...await openSafetensors(model),
      config: () => Promise.resolve(told ?? config ?? undefined),
    };
    await tensorsOf(file, []).catch((cause) => {
      throw new Error("inspect refuses what opens", { cause });
    });
    const { quantized } = await sortTensors(file);
    return { ...file, quantized };
  },
  damage(files, all, next) {
    // The parts of one other format are enough to mix in.
    const [other] = all[randomInteger(next, 0, all.length - 1)];
    return damagedCheckpoint(files, entriesOf(other), next);
  },
};
TARGETS.push(CHECKPOINT);

/** Names of all containers. */
export const CONTAINERS: readonly string[] = TARGETS.map(({ name }) => name);

/** Words that break counts, lengths, places and types. */
const NASTY: readonly bigint[] = [0n, 1n, 2n, 7n, 8n, 31n, 127n, 128n, 255n]
  .concat([15n, 16n, 24n, 31n, 32n, 48n, 53n, 62n, 63n].map((n) => 1n << n))
  .flatMap((word) => [word, -word, word - 1n]);

/** Damages bytes in one to four places. */
function damaged(bytes: Uint8Array, next: () => number): Uint8Array {
  let copy: Uint8Array = bytes.slice();
  const below = (n: number) => randomInteger(next, 0, Math.max(1, n) - 1);
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(copy.length), length = 1 + below(12);
    const from = below(copy.length);
    switch (below(7)) {
      case 0:
        copy[at] = below(256);
        break;
      case 1:
        copy[at] ^= 1 << below(8);
        break;
      case 2: {
        const word = NASTY[below(NASTY.length)], size = [1, 2, 4, 8][below(4)];
        for (let i = 0; i < size && at + i < copy.length; i++) {
          copy[at + i] = Number(
            BigInt.asUintN(64, word) >> BigInt(8 * i) & 255n,
          );
        }
        break;
      }
      case 3:
        copy.set(
          copy.slice(from, Math.min(from + length, from + copy.length - at)),
          at,
        );
        break;
      case 4:
        copy = spliced(copy, at, length, copy.subarray(0, 0));
        break;
      case 5:
        copy = spliced(copy, at, 0, copy.slice(from, from + length));
        break;
      case 6:
        if (below(4) === 0) copy = copy.slice(0, at);
    }
  }
  return copy;
}

function spliced(
  bytes: Uint8Array,
  at: number,
  out: number,
  into: Uint8Array,
): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + out));
  const result = new Uint8Array(at + into.length + rest.length);
  result.set(bytes.subarray(0, at));
  result.set(into, at);
  result.set(rest, at + into.length);
  return result;
}

/** A source that fails the test when somebody makes room for more than it has. */
function meteredSource(bytes: Uint8Array, name: string): ByteSource {
  const source = memorySource(bytes, name);
  return {
    ...source,
    read(offset, into) {
      assert(into.length <= bytes.length + 64, "room for more than the file");
      return source.read(offset, into);
    },
  };
}

/** What became of damaged files. */
export interface Outcomes {
  read: number;
  refused: number;
}

/**
 * Damages the files of a container so many times and opens them.
 *
 * @param name The container.
 * @param count How many times.
 * @param seed Where damages start from.
 * @returns How many were read, and how many refused.
 * @throws {Error} If one is neither; the message has seed and bytes.
 */
export async function fuzz(
  name: string,
  count: number,
  seed: number,
): Promise<Outcomes> {
  const target = TARGETS.find((target) => target.name === name)!;
  const seeds = await Promise.all(
    target.seeds.map((files) =>
      Promise.all(
        files.map(async (file) =>
          new Uint8Array(await readFile(vectors + file))
        ),
      )
    ),
  );
  const next = random(seed), outcomes = { read: 0, refused: 0 };
  for (let i = 0; i < count; i++) {
    const whole = seeds[randomInteger(next, 0, seeds.length - 1)];
    const files = target.damage?.(whole, seeds, next) ??
      withDamage(whole, next);
    try {
      if (await isReadInTime(target, files)) outcomes.read++;
      else outcomes.refused++;
    } catch (error) {
      const bytes = files.map((file) => file.toHex()).join(" ");
      throw new Error(`${name}, seed ${seed}, file ${i}: ${bytes}`, {
        cause: error,
      });
    }
  }
  return outcomes;
}

/** One of the files damaged. */
function withDamage(
  whole: readonly Uint8Array[],
  next: () => number,
): Uint8Array[] {
  const which = randomInteger(next, 0, whole.length - 1);
  return whole.map((file, i) => i === which ? damaged(file, next) : file);
}

/** How long a reader may take. */
const LONGEST_MS = 1000;
/** A machine may stand still for a while: a reader that hangs does so every time. */
const TRIES = 5;

async function isReadInTime(
  target: Target,
  files: readonly Uint8Array[],
): Promise<boolean> {
  for (let tries = 1;; tries++) {
    const start = performance.now();
    const read = await isRead(target, files);
    if (performance.now() - start < LONGEST_MS) return read;
    assert(tries < TRIES, "it hangs");
  }
}

/** The most values that are dequantized. */
const VALUES = 65_536;

async function isRead(
  { open, growth }: Target,
  files: readonly Uint8Array[],
): Promise<boolean> {
  const sources = files.map((bytes, i) => meteredSource(bytes, `file${i}`));
  const file = await orRefused(() => open(sources));
  if (!file) return false;
  const size = files.reduce((sum, { length }) => sum + length, 0);
  assert(file.source.size <= growth * size, "more bytes than there are");
  const parts = file.quantized.flatMap(({ parts }) => [...parts.values()]);
  for (const { offset, byteLength } of [...file.tensors, ...parts]) {
    assert(offset >= 0 && offset + byteLength <= file.source.size);
  }
  for (const one of file.quantized) {
    if (sizeOf(one.shape) > VALUES) continue;
    // What was opened can be read; only its numbers may be refused.
    const tensor = await readQuantized(file, one);
    await orRefused(() => dequantize(tensor));
  }
  return true;
}

/** What `work` gives; undefined where it refuses in one line. */
async function orRefused<T>(
  work: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    assert(error.message.length < 800, error.message);
    // deno-lint-ignore no-control-regex -- controls are what must not be there
    assert(!/[\x00-\x1f\x7f-\x9f]/.test(error.message), error.message);
    return undefined;
  }
}
