/** WebAssembly and plain JS give the same bits: of rows of every kind, and of every score. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { backend } from "../../src/kernels/engine.ts";
import { type Engine, QUERY_SLOTS } from "../../src/search/engine.ts";
import { GRIDS } from "../../src/search/grid.ts";
import { resolveOptions } from "../../src/search/options.ts";
import { PlainEngine } from "../../src/search/plain_engine.ts";
import { packQuery } from "../../src/search/query.ts";
import { rowShape } from "../../src/search/state.ts";
import { WasmEngine } from "../../src/search/wasm_engine.ts";
import { printedSeed, randomNumbers, VARIANTS } from "./support.ts";

const seed = printedSeed("engine_test");
const { uniform, normal, word } = randomNumbers(seed);

/** Rows of many kinds: the ordinary, and those that a search could stumble over. */
function row(kind: number, dimension: number): Float32Array {
  const kinds: (() => number)[] = [
    normal,
    () => normal() ** 5,
    () => 0,
    () => uniform() < 0.98 ? 0 : normal(),
    () => 1,
    () => word() % 4 - 1.5,
    () => normal() * 1e-39,
    () => normal() * 1e14,
    () => (uniform() < 0.01 ? 1 : 1e-6 * uniform()),
    () => word() % 2 ? 0 : -0,
    () => 1 + uniform() * 1e-5,
    () => 2 ** -(word() % 40) * (word() % 2 ? 1 : -1),
  ];
  return Float32Array.from({ length: dimension }, kinds[kind % kinds.length]);
}

function fill(engine: Engine, rows: Float32Array, center?: Float32Array) {
  engine.grow(1);
  engine.encode(rows, center, 0, 0);
  const { codes, scales, norms, fractions } = engine.chunk(0);
  norms.forEach((_, i) => norms[i] = i % 5);
  return {
    codes: codes.slice(),
    scales: new Uint32Array(scales.slice().buffer),
    fractions: fractions.slice(),
  };
}

const COUNT = 24;
const skip = backend() !== "wasm";

for (const dimension of [1, 30, 128, 384, 1000]) {
  for (const variant of VARIANTS) {
    const options = { ...variant, dimension, center: undefined };
    if ("groupSize" in options && dimension < 128) continue;
    if (dimension === 1000 && "groupSize" in options) options.groupSize = 32;
    const name = `${dimension} dimensions, ${JSON.stringify(variant)}`;

    Deno.test({
      name: `${name}: the kernels give the bits of plain JS`,
      ignore: skip,
      fn() {
        const shape = rowShape(resolveOptions(options));
        const rows = new Float32Array(COUNT * dimension);
        for (let i = 0; i < COUNT; i++) {
          rows.set(row(i, dimension), i * dimension);
        }
        const center = "center" in variant ? row(0, dimension) : undefined;
        const plain = new PlainEngine(shape);
        const wasm = new WasmEngine(shape, 0);
        assertEquals(fill(wasm, rows, center), fill(plain, rows, center));
        for (const metric of ["dot", "cosine", "euclidean"] as const) {
          for (const precision of ["int16", "int8", "float32"] as const) {
            const queries = Array.from({ length: QUERY_SLOTS - 1 }, (_, i) => {
              const turned = new Float32Array(shape.length);
              turned.set(row(i === 2 ? 0 : i, dimension));
              const settings = { grid: shape.grid, metric, precision };
              return packQuery(turned, {
                ...settings,
                length: i + 1,
                offset: i,
              });
            });
            for (const engine of [plain, wasm]) {
              engine.load(queries);
              engine.scan(0, COUNT - 3);
            }
            for (let slot = 0; slot < queries.length; slot++) {
              const keys = wasm.keys(slot).slice();
              assertEquals(keys, plain.keys(slot), `slot ${slot}`);
              assertEquals(keys.length, COUNT - 3);
              const bound = keys[5];
              for (const [from, to] of [[0, COUNT - 3], [3, 5], [9, 20]]) {
                assertEquals(
                  wasm.atLeast(bound, from, to),
                  plain.atLeast(bound, from, to),
                );
                const all = wasm.atLeast(-Infinity, from, to);
                assertEquals([all[0], all.length], [from, to - from]);
              }
            }
          }
        }
      },
    });
  }
}

Deno.test("sums never leave an int32, whatever the query", () => {
  for (const grid of Object.values(GRIDS)) {
    for (const length of [32, 4096, 65536]) {
      for (const precision of ["int8", "int16", "float32"] as const) {
        for (
          const make of [() => 1, normal, () => (uniform() < 0.001 ? 1 : 0)]
        ) {
          const values = Float32Array.from({ length }, make);
          values[0] = 1;
          const query = packQuery(values, {
            grid,
            precision,
            metric: "dot",
            length: 1,
            offset: 0,
          });
          for (const part of [query.high, query.low ?? new Int16Array(0)]) {
            const sum = part.reduce((total, q) => total + Math.abs(q), 0);
            assert(sum * Math.max(...grid.plain) * grid.slope < 2 ** 31);
            assert(sum * Math.abs(grid.intercept) < 2 ** 31);
          }
          const exact = values.every((x, i) => {
            const low = query.low?.[i] ?? 0;
            const back = (query.high[i] * query.base + low) * query.step;
            return Math.abs(back - x) <= 0.51 * query.step + 1e-7 * Math.abs(x);
          });
          assert(exact, `${grid.name} ${length} ${precision}`);
        }
      }
    }
  }
});

Deno.test({
  name: "growth beyond 4 GiB is refused, and what is there stays",
  ignore: skip,
  fn() {
    const engine = new WasmEngine(
      rowShape(resolveOptions({ dimension: 64 })),
      0,
    );
    const before = fill(engine, row(0, 64));
    assertThrows(() => engine.grow(1e5), RangeError, "at most 4 GiB");
    assertEquals(engine.chunks, 1);
    engine.grow(3);
    assertEquals(engine.chunks, 3);
    assertEquals(fill(engine, new Float32Array(0)), before);
  },
});
