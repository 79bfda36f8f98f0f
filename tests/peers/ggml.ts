/**
 * Native ggml through FFI, as the judge of the types that it defines and as
 * the peer to measure against.
 *
 * @module
 */
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { type NativeFolder, openNative } from "./native.ts";

const row = {
  parameters: ["buffer", "buffer", "i64"],
  result: "void",
} as const;

const symbols = {
  ggml_quantize_chunk: {
    parameters: ["i32", "buffer", "buffer", "i64", "i64", "i64", "buffer"],
    result: "usize",
  },
  ggml_get_type_traits: { parameters: ["i32"], result: "pointer" },
  // ggml lists this one nowhere: Q8_K is a type for products.
  dequantize_row_q8_K: row,
} as const;

/** Where `to_float` lies in `struct ggml_type_traits`: behind a pointer, three words and a bool. */
const TO_FLOAT_AT = 40;

/** Native ggml, opened. */
export interface NativeGgml {
  /** Version of the npm package that carries the library. */
  readonly version: string;
  /** Quantizes whole rows to a type (`q4_0`, `Q6_K`); returns how many bytes of `blocks` were written. */
  quantize(
    name: string,
    values: Float32Array<ArrayBuffer>,
    columns: number,
    blocks: Uint8Array<ArrayBuffer>,
    importance?: Float32Array<ArrayBuffer>,
  ): number;
  /** Whether it has a function that dequantizes a type. */
  reads(name: string): boolean;
  /** Dequantizes as many values as `out` holds. */
  dequantize(
    name: string,
    blocks: Uint8Array<ArrayBuffer>,
    out: Float32Array<ArrayBuffer>,
  ): void;
  /** Closes the library. */
  close(): void;
}

function idOf(name: string): number {
  return ggmlLayouts.get(name.toUpperCase())!.id;
}

type RowFunction = (
  blocks: BufferSource,
  out: BufferSource,
  count: bigint,
) => void;

function functionAt(pointer: Deno.PointerObject): RowFunction {
  const native = new Deno.UnsafeFnPointer(
    pointer as Deno.PointerObject<typeof row>,
    row,
  );
  return (blocks, out, count) => native.call(blocks, out, count);
}

function open({ path, version }: NativeFolder): NativeGgml {
  const library = Deno.dlopen(`${path}/libggml-base.so`, symbols);
  const native = library.symbols;
  const rows = new Map<string, RowFunction | undefined>([
    ["Q8_K", native.dequantize_row_q8_K],
  ]);
  const rowFunction = (name: string): RowFunction | undefined => {
    const known = name.toUpperCase();
    if (!rows.has(known)) {
      const traits = native.ggml_get_type_traits(idOf(name))!;
      const pointer = new Deno.UnsafePointerView(traits).getPointer(
        TO_FLOAT_AT,
      );
      rows.set(known, pointer ? functionAt(pointer) : undefined);
    }
    return rows.get(known);
  };
  return {
    version,
    quantize: (name, values, columns, blocks, importance) =>
      Number(native.ggml_quantize_chunk(
        idOf(name),
        values,
        blocks,
        0n,
        BigInt(values.length / columns),
        BigInt(columns),
        importance ?? null,
      )),
    reads: (name) => rowFunction(name) !== undefined,
    dequantize: (name, blocks, out) =>
      rowFunction(name)!(blocks, out, BigInt(out.length)),
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
