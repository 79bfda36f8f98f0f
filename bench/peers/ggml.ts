/**
 * ggml's formats and types, against native ggml.
 *
 * @module
 */
import * as nibblewise from "../../mod.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { writableTypes } from "../../src/ggml/writable.ts";
import { type NativeGgml, openGgml } from "../../tests/peers/ggml.ts";
import { weights, weightsIn } from "../cases.ts";
import { type Contender, contender, type Contest } from "../contest.ts";
import {
  COLUMNS,
  memcpy,
  type Options,
  ownDequantizers,
  ownQuantizers,
} from "./own.ts";

/** The functions of a type of ggml, from and to both kinds of memory; `run` is given the floats. */
function typeContenders(
  values: number,
  run: (floats: Float32Array) => void,
): Contender[] {
  return (["heap", "allocated"] as const).map((memory) => {
    nibblewise.useBackend("wasm");
    const floats = weightsIn(nibblewise, memory, values);
    return contender(
      "nibblewise wasm",
      memory === "heap" ? "reused" : "allocated, reused",
      () => {
        nibblewise.useBackend("wasm");
        run(floats);
      },
    );
  });
}

/** ggml's types beside four bits, against native ggml. */
function* typeContests(
  ggml: NativeGgml,
  values: number,
  names: readonly string[],
): Generator<Contest> {
  for (const name of names) {
    const { quantize, dequantize, blockSize, blockBytes } = ggmlTypes.get(
      name.toUpperCase(),
    )!;
    const floats = weights(new Float32Array(values));
    const blocks = new Uint8Array(values / blockSize * blockBytes);
    const out = new Float32Array(values);
    const native = (run: () => void) =>
      contender(`ggml ${ggml.version}`, "reused", run);
    yield {
      title: `${name}: quantize`,
      values,
      contenders: [
        native(() => void ggml.quantize(name, floats, COLUMNS, blocks)),
        ...typeContenders(values, (from) => quantize!(from, blocks, COLUMNS)),
        memcpy(values),
      ],
    };
    yield {
      title: `${name}: dequantize`,
      values,
      contenders: [
        native(() => ggml.dequantize(name, blocks, out)),
        ...typeContenders(values, (to) => dequantize(blocks, to)),
        memcpy(values),
      ],
    };
  }
}

/** The formats that ggml has too, against native ggml. */
function* formatContests(
  ggml: NativeGgml,
  values: number,
  formats: readonly string[],
): Generator<Contest> {
  for (const format of formats) {
    const options = {
      format,
      shape: [values / COLUMNS, COLUMNS],
    } as unknown as Options;
    const floats = weights(new Float32Array(values));
    const blocks = new Uint8Array(values);
    ggml.quantize(format, floats, COLUMNS, blocks);
    const native = (run: () => void) =>
      contender(`ggml ${ggml.version}`, "reused", run);
    yield {
      title: `${format}: quantize`,
      values,
      contenders: [
        native(() => void ggml.quantize(format, floats, COLUMNS, blocks)),
        ...ownQuantizers(options, values),
        memcpy(values),
      ],
    };
    const out = new Float32Array(values);
    yield {
      title: `${format}: dequantize`,
      values,
      contenders: [
        native(() => ggml.dequantize(format, blocks, out)),
        ...ownDequantizers(options, values),
        memcpy(values),
      ],
    };
  }
}

/** Native quantizers that search take minutes for what the others do in milliseconds. */
const SEARCH_FORMATS: readonly string[] = [
  "q4_k",
  "iq4_nl",
  "iq4_xs",
  "q5_k",
  "q6_k",
];

/** How much smaller the data of those formats is. */
export const SEARCH_DIVISOR = 16;

/** The contests of every type that ggml and this module write. */
export async function* ggmlContests(
  values: number,
  wanted: string,
): AsyncGenerator<Contest> {
  const names = [...writableTypes.values()].map(({ name }) => name)
    .filter((name) => name.includes(wanted));
  const core: ReadonlyMap<string, unknown> = nibblewise.formats;
  const ggml = names.length > 0 ? await openGgml() : undefined;
  if (!ggml) return;
  try {
    for (const contests of [formatContests, typeContests]) {
      const some = names.filter((name) =>
        core.has(name) === (contests === formatContests)
      );
      const searching = some.filter((name) => SEARCH_FORMATS.includes(name));
      const others = some.filter((name) => !SEARCH_FORMATS.includes(name));
      yield* contests(ggml, values, others);
      yield* contests(ggml, values / SEARCH_DIVISOR, searching);
    }
  } finally {
    ggml.close();
  }
}
