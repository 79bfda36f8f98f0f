/**
 * Native ggml's dot product of Q4_0 rows with a Q8_0 vector.
 *
 * @module
 */
import { openNative } from "../../tests/peers/native.ts";

const Q4_0 = 2, Q8_0 = 8;

/** Builds of the library from the newest processor on; the first that loads and runs here is taken. */
const BUILDS = ["zen4", "icelake", "skylakex", "haswell", "sse42"];

/** ggml with rows and a query. */
export interface NativeDot {
  readonly name: string;
  /** Multiplies all rows with the query; returns the sum, since the rows are handed over as one. */
  run(): number;
  close(): void;
}

const dot = {
  parameters: [
    "i32",
    "buffer",
    "usize",
    "buffer",
    "usize",
    "buffer",
    "usize",
    "i32",
  ],
  result: "void",
} as const;

/**
 * Opens native ggml with rows of Q4_0. One call does many rows, with the query
 * as often: a call for each would time the way into native code.
 */
export function openDot(
  rows: Float32Array<ArrayBuffer>,
  query: Float32Array<ArrayBuffer>,
  count: number,
): Promise<NativeDot | undefined> {
  return openNative(({ path, version }) => {
    const dimension = query.length, batch = rows.length / dimension;
    const base = Deno.dlopen(`${path}/libggml-base.so`, {
      ggml_quantize_chunk: {
        parameters: ["i32", "buffer", "buffer", "i64", "i64", "i64", "buffer"],
        result: "usize",
      },
    });
    const quantize = (
      type: number,
      values: Float32Array<ArrayBuffer>,
      bytes: number,
    ) => {
      const out = new Uint8Array(bytes);
      const n = BigInt(values.length / dimension);
      base.symbols.ggml_quantize_chunk(
        type,
        values,
        out,
        0n,
        n,
        BigInt(dimension),
        null,
      );
      return out;
    };
    const weights = quantize(Q4_0, rows, rows.length / 32 * 18);
    const repeated = new Float32Array(rows.length);
    for (let i = 0; i < batch; i++) repeated.set(query, i * dimension);
    const activations = quantize(Q8_0, repeated, rows.length / 32 * 34);
    const all = new Uint8Array(weights.length * count / batch);
    for (let at = 0; at < all.length; at += weights.length) {
      all.set(weights, at);
    }
    const { library, build } = openBuild(path);
    const result = new Float32Array(1);
    return {
      name: `ggml ${version} ${build}, Q4_0 · Q8_0`,
      run() {
        let sum = 0;
        for (let at = 0; at < all.length; at += weights.length) {
          const some = all.subarray(at, at + weights.length);
          library.symbols.ggml_vec_dot_q4_0_q8_0(
            rows.length,
            result,
            0n,
            some,
            0n,
            activations,
            0n,
            1,
          );
          sum += result[0];
        }
        return sum;
      },
      close() {
        library.close();
        base.close();
      },
    };
  });
}

function openBuild(path: string) {
  const flags = new Set(
    Deno.readTextFileSync("/proc/cpuinfo").match(/^flags.*$/m)?.[0].split(" "),
  );
  const needs: Record<string, string> = {
    zen4: "avx512_bf16",
    icelake: "avx512_vnni",
    skylakex: "avx512f",
    haswell: "avx2",
    sse42: "sse4_2",
  };
  const build = BUILDS.find((name) => flags.has(needs[name]))!;
  const library = Deno.dlopen(`${path}/libggml-cpu-${build}.so`, {
    ggml_vec_dot_q4_0_q8_0: dot,
  });
  return { library, build };
}
