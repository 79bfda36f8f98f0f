/**
 * Native ggml's own reader of GGUF through FFI, as the judge of what is written here.
 *
 * @module
 */
import { type NativeFolder, openNative } from "./native.ts";

const symbols = {
  ggml_type_name: { parameters: ["i32"], result: "pointer" },
  ggml_type_size: { parameters: ["i32"], result: "usize" },
  ggml_blck_size: { parameters: ["i32"], result: "i64" },
  gguf_init_from_file: {
    // struct gguf_init_params { bool no_alloc; struct ggml_context ** ctx; }
    parameters: ["buffer", { struct: ["bool", "pointer"] }],
    result: "pointer",
  },
  gguf_free: { parameters: ["pointer"], result: "void" },
  gguf_get_version: { parameters: ["pointer"], result: "u32" },
  gguf_get_alignment: { parameters: ["pointer"], result: "usize" },
  gguf_get_data_offset: { parameters: ["pointer"], result: "usize" },
  gguf_get_n_kv: { parameters: ["pointer"], result: "i64" },
  gguf_get_key: { parameters: ["pointer", "i64"], result: "pointer" },
  gguf_get_kv_type: { parameters: ["pointer", "i64"], result: "i32" },
  gguf_get_n_tensors: { parameters: ["pointer"], result: "i64" },
  gguf_get_tensor_name: { parameters: ["pointer", "i64"], result: "pointer" },
  gguf_get_tensor_type: { parameters: ["pointer", "i64"], result: "i32" },
  gguf_get_tensor_offset: { parameters: ["pointer", "i64"], result: "usize" },
  gguf_get_tensor_size: { parameters: ["pointer", "i64"], result: "usize" },
} as const;

/** What native ggml found in a file. */
export interface NativeGguf {
  readonly version: number;
  readonly alignment: number;
  /** Keys with the numbers of their types, in file order. */
  readonly values: readonly (readonly [key: string, type: number])[];
  readonly tensors: readonly {
    readonly name: string;
    readonly type: number;
    /** Absolute, as in a TensorEntry. */
    readonly offset: number;
    readonly byteLength: number;
  }[];
}

/** Native ggml's knowledge of GGUF. */
export interface NativeGgufReader {
  /** Reads the header of a file; undefined when ggml refuses it (it says why on stderr). */
  read(path: string): NativeGguf | undefined;
  /** Name, block size and block bytes of a tensor type. */
  type(id: number): readonly [name: string, size: number, bytes: number];
  /** Closes the library. */
  close(): void;
}

/**
 * Opens native ggml as a reader of GGUF.
 *
 * @returns The reader, or undefined with a note on stderr where the library is not to be had.
 */
export function openGgufReader(): Promise<NativeGgufReader | undefined> {
  return openNative(open);
}

function open({ path }: NativeFolder): NativeGgufReader {
  const library = Deno.dlopen(`${path}/libggml-base.so`, symbols);
  const native = library.symbols;
  const text = (pointer: Deno.PointerValue) =>
    new Deno.UnsafePointerView(pointer!).getCString();
  const range = (count: bigint) =>
    Array.from({ length: Number(count) }, (_, i) => BigInt(i));
  return {
    read(path) {
      const file = native.gguf_init_from_file(
        new TextEncoder().encode(`${path}\0`),
        // No tensors are wanted: only the header is read.
        new Uint8Array(16).fill(1, 0, 1),
      );
      if (file === null) return undefined;
      const dataOffset = Number(native.gguf_get_data_offset(file));
      const found: NativeGguf = {
        version: native.gguf_get_version(file),
        alignment: Number(native.gguf_get_alignment(file)),
        values: range(native.gguf_get_n_kv(file)).map((i) => [
          text(native.gguf_get_key(file, i)),
          native.gguf_get_kv_type(file, i),
        ]),
        tensors: range(native.gguf_get_n_tensors(file)).map((i) => ({
          name: text(native.gguf_get_tensor_name(file, i)),
          type: native.gguf_get_tensor_type(file, i),
          offset: dataOffset + Number(native.gguf_get_tensor_offset(file, i)),
          byteLength: Number(native.gguf_get_tensor_size(file, i)),
        })),
      };
      native.gguf_free(file);
      return found;
    },
    type: (id) => [
      text(native.ggml_type_name(id)),
      Number(native.ggml_blck_size(id)),
      Number(native.ggml_type_size(id)),
    ],
    close: () => library.close(),
  };
}
