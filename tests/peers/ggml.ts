/**
 * Native ggml through FFI, as the judge of the formats that it defines and as
 * the peer to measure against.
 *
 * @module
 */
import { type NativeFolder, openNative } from "./native.ts";

/** The formats that ggml and this module share, with ggml's type ids. */
export const ggmlTypes = {
  q4_0: 2,
  q4_1: 3,
  q4_k: 12,
  iq4_nl: 20,
  iq4_xs: 23,
  mxfp4: 39,
  nvfp4: 40,
} as const;

/** Names of the formats that ggml and this module share. */
export type GgmlName = keyof typeof ggmlTypes;

const chunk = {
  parameters: ["i32", "buffer", "buffer", "i64", "i64", "i64", "buffer"],
  result: "usize",
} as const;
const row = {
  parameters: ["buffer", "buffer", "i64"],
  result: "void",
} as const;

const symbols = {
  ggml_quantize_chunk: chunk,
  dequantize_row_q4_0: row,
  dequantize_row_q4_1: row,
  dequantize_row_q4_K: row,
  dequantize_row_iq4_nl: row,
  dequantize_row_iq4_xs: row,
  dequantize_row_mxfp4: row,
  dequantize_row_nvfp4: row,
} as const;

/** Native ggml, opened. */
export interface NativeGgml {
  /** Version of the npm package that carries the library. */
  readonly version: string;
  /** Quantizes whole rows; returns how many bytes of `blocks` were written. */
  quantize(
    name: GgmlName,
    values: Float32Array<ArrayBuffer>,
    columns: number,
    blocks: Uint8Array<ArrayBuffer>,
    importance?: Float32Array<ArrayBuffer>,
  ): number;
  /** Dequantizes as many values as `out` holds. */
  dequantize(
    name: GgmlName,
    blocks: Uint8Array<ArrayBuffer>,
    out: Float32Array<ArrayBuffer>,
  ): void;
  /** Closes the library. */
  close(): void;
}

function open({ path, version }: NativeFolder): NativeGgml {
  const library = Deno.dlopen(`${path}/libggml-base.so`, symbols);
  const native = library.symbols;
  const rows = {
    q4_0: native.dequantize_row_q4_0,
    q4_1: native.dequantize_row_q4_1,
    q4_k: native.dequantize_row_q4_K,
    iq4_nl: native.dequantize_row_iq4_nl,
    iq4_xs: native.dequantize_row_iq4_xs,
    mxfp4: native.dequantize_row_mxfp4,
    nvfp4: native.dequantize_row_nvfp4,
  };
  return {
    version,
    quantize: (name, values, columns, blocks, importance) =>
      Number(native.ggml_quantize_chunk(
        ggmlTypes[name],
        values,
        blocks,
        0n,
        BigInt(values.length / columns),
        BigInt(columns),
        importance ?? null,
      )),
    dequantize: (name, blocks, out) =>
      rows[name](blocks, out, BigInt(out.length)),
    close: () => library.close(),
  };
}

/**
 * Opens native ggml.
 *
 * @returns The library, or undefined with a note on stderr where it is not to be had.
 */
export function openGgml(): Promise<NativeGgml | undefined> {
  return openNative(open);
}
