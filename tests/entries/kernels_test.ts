/** Which kernels of tiles formats call, and bring along from `./formats`. */
import { assert, assertEquals } from "@std/assert";
import "../../mod.ts";
import { dequantizeWith, quantizeWith } from "../../src/core.ts";
import { formats } from "../../src/formats.ts";
import { roomInstance, type WasmKernel } from "../../src/kernels/arena.ts";
import { backend } from "../../src/kernels/engine.ts";
import { bytesOfHex } from "../../src/kernels/hex.ts";
import * as own from "../../src/kernels/own_modules.ts";
import type { Format } from "../../src/words/format.ts";
import type { Option } from "../../src/words/schema.ts";
import { rootUrl } from "../modules.ts";

/** Modules that work on tiles side by side, by their name in own_modules.ts. */
const OF_TILES = ["TILES", "TURNED", "RANKS", "STEPS", "E2M1_TILES"] as const;

/** The module that exports a kernel. */
const moduleOf = new Map(
  OF_TILES.flatMap((name) =>
    WebAssembly.Module.exports(new WebAssembly.Module(bytesOfHex(own[name][1])))
      .map((kernel) => [kernel.name, name] as const)
  ).filter(([kernel]) => kernel.startsWith("tile_")),
);

/** The modules of tiles that `./formats` brings along with each format. */
async function brought(): Promise<Map<string, string[]>> {
  const entry = await Deno.readTextFile(
    new URL("src/entries/formats.ts", rootUrl),
  );
  const lists = entry.matchAll(
    /with(?:Block|Tile)?Kernels\(\s*plain\.(\w+),\s*\[([^\]]*)\]/g,
  );
  return new Map(Array.from(lists, ([, format, list]) => [
    format,
    OF_TILES.filter((name) => new RegExp(`\\bown\\.${name}\\b`).test(list)),
  ]));
}

/** Runs work, and tells which modules of tiles had a kernel called. */
function modulesCalled(work: () => void): Set<string> {
  const { kernels } = roomInstance(new Float32Array(1));
  const called = new Set<string>(), originals = { ...kernels };
  const all = kernels as Record<string, WasmKernel>;
  for (const [name, module] of moduleOf) {
    all[name] = (...operands) => {
      called.add(module);
      return originals[name](...operands);
    };
  }
  try {
    work();
  } finally {
    Object.assign(all, originals);
  }
  return called;
}

/** Whole units of every layout, groups of every size and super-blocks. */
const SHAPE = [32, 256];

const values = Float32Array.from({ length: 32 * 256 }, (_, i) => Math.sin(i));

/** The options of a format in turn, each with what it can be; those of searches have their kernels from elsewhere. */
function* variantsOf({ options }: Format): Generator<object, void> {
  yield {};
  for (const [name, option] of Object.entries<Option>(options)) {
    if (name === "search") continue;
    if (option.kind === "choice") {
      for (const choice of option.choices) yield { [name]: choice };
    } else if (option.kind === "boolean") {
      yield { [name]: !option.default };
    } else if (option.kind === "number") {
      for (const number of option.choices ?? [option.min, 64]) {
        yield { [name]: number };
      }
    }
  }
}

/** Quantizes and dequantizes, where the options can be had with the others' defaults. */
function useOf(format: Format, options: object): void {
  try {
    const q = quantizeWith(format, values, { shape: SHAPE, ...options });
    dequantizeWith(format, q);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

Deno.test({
  name:
    "formats bring along the kernels of tiles that they call, and no others",
  ignore: backend() === "js",
  async fn() {
    const lists = await brought();
    for (const format of formats.values()) {
      const called = modulesCalled(() => {
        for (const options of variantsOf(format)) useOf(format, options);
      });
      const found = OF_TILES.filter((module) => called.has(module));
      assertEquals(lists.get(format.name), found, format.name);
    }
    assert(moduleOf.size > 15);
  },
});

Deno.test("constants of modules that work side by side lie apart", () => {
  let end = 0;
  const places = [own.TURNED, own.RANKS, own.STEPS, own.E2M1_TILES, own.TILES];
  for (const [, hex] of places) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = new WebAssembly.Instance(
      new WebAssembly.Module(bytesOfHex(hex)),
      { env: { memory, abort: () => {} } },
    );
    const { constants_end, scratch_start } = exports as unknown as Record<
      string,
      () => number
    >;
    const start = new Uint8Array(memory.buffer).findIndex((byte) => byte !== 0);
    assert(start >= end, `constants at ${start}, others end at ${end}`);
    end = constants_end();
    assert(start > 0 && end > start && scratch_start() > end);
  }
});
