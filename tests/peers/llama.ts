/**
 * Native llama.cpp through FFI: the consumer for which the GGUF files are made,
 * and the peer that quantizes whole files.
 *
 * Its functions take and return structs by value whose fields change from one
 * version to the next. Both go through memory in the x86-64 calling convention:
 * a result is written where the caller says, a parameter is a block on the
 * stack. So defaults are fetched as opaque bytes, a few fields that have stayed
 * in place are set, and the bytes are passed on.
 *
 * @module
 */
import { ggmlLayouts } from "../../src/ggml/table.ts";
import { type NativeFolder, openNative } from "./native.ts";

/** A struct passed by value: only its size matters, as all of them are beyond two registers. */
const block = (words: number) => ({
  struct: new Array<"u64">(words).fill("u64"),
});

// Room for the structs of versions to come: what lies behind a struct is not looked at.
const modelWords = 16;
const contextWords = 32;
const quantizeWords = 16;
/** struct llama_batch { int32_t n; token *, embd *, pos *, n_seq_id *, seq_id **, logits * } */
const batchWords = 7;

const symbols = {
  llama_backend_init: { parameters: [], result: "void" },
  llama_log_set: { parameters: ["pointer", "pointer"], result: "void" },
  // Any function without effect serves as a log that drops what it is told.
  llama_supports_mmap: { type: "pointer" },
  llama_model_default_params: { parameters: ["buffer"], result: "pointer" },
  llama_context_default_params: { parameters: ["buffer"], result: "pointer" },
  llama_model_quantize_default_params: {
    parameters: ["buffer"],
    result: "pointer",
  },
  llama_model_load_from_file: {
    parameters: ["buffer", block(modelWords)],
    result: "pointer",
  },
  llama_model_free: { parameters: ["pointer"], result: "void" },
  llama_model_get_vocab: { parameters: ["pointer"], result: "pointer" },
  llama_vocab_n_tokens: { parameters: ["pointer"], result: "i32" },
  llama_tokenize: {
    parameters: [
      "pointer",
      "buffer",
      "i32",
      "buffer",
      "i32",
      "bool",
      "bool",
    ],
    result: "i32",
  },
  llama_init_from_model: {
    parameters: ["pointer", block(contextWords)],
    result: "pointer",
  },
  llama_free: { parameters: ["pointer"], result: "void" },
  llama_decode: { parameters: ["pointer", block(batchWords)], result: "i32" },
  llama_get_logits: { parameters: ["pointer"], result: "pointer" },
  llama_set_embeddings: { parameters: ["pointer", "bool"], result: "void" },
  llama_get_embeddings_seq: {
    parameters: ["pointer", "i32"],
    result: "pointer",
  },
  llama_model_n_embd: { parameters: ["pointer"], result: "i32" },
  llama_model_quantize: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "u32",
  },
} as const;

/** How `llama_model_quantize` departs from a recipe. */
export interface NativeQuantizeOptions {
  /** One type for all matrices (`--pure`). */
  readonly pure?: boolean;
  readonly keepSplit?: boolean;
  /** Leave `output.weight` as it is. */
  readonly keepOutput?: boolean;
  /** ggml's names of types. */
  readonly outputType?: string;
  readonly embeddingType?: string;
  readonly overrides?: readonly { pattern: string; type: string }[];
  /** Importance by name of tensor. */
  readonly importance?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** Metadata that is set: texts, and whole numbers. */
  readonly metadata?:
    readonly (readonly [key: string, value: string | number])[];
}

/** Native llama.cpp, opened. */
export interface NativeLlama {
  /** Version of the npm package that carries the library. */
  readonly version: string;
  /** The tokens of a text, by the vocabulary of a model. */
  tokenize(path: string, text: string): Int32Array;
  /** Loads a model and returns its logits, one row of the vocabulary's size for each token. */
  logits(path: string, tokens: Int32Array): Float32Array[];
  /** Loads an encoder and returns what it makes of a text: one vector, pooled as the model says. */
  embedding(path: string, tokens: Int32Array): Float32Array;
  /**
   * Quantizes a file as `llama-quantize` does, on one thread.
   *
   * @param fileType A `llama_ftype`: what `general.file_type` holds.
   * @param options How to depart from its mixture.
   * @throws {Error} If it refuses.
   */
  quantize(
    from: string,
    to: string,
    fileType: number,
    options?: NativeQuantizeOptions,
  ): void;
  /** Closes the library. */
  close(): void;
}

/**
 * Opens native llama.cpp.
 *
 * @returns The library, or undefined with a note on stderr where it is not to be had.
 */
export function openLlama(): Promise<NativeLlama | undefined> {
  return openNative(open);
}

function open({ path, version }: NativeFolder): NativeLlama {
  const ggml = Deno.dlopen(library(path, "libggml"), {
    ggml_backend_load_all_from_path: { parameters: ["buffer"], result: "void" },
  });
  const llama = Deno.dlopen(library(path, "libllama"), symbols);
  const native = llama.symbols;
  native.llama_log_set(native.llama_supports_mmap, null);
  // The processor's own code is a plugin beside the library.
  ggml.symbols.ggml_backend_load_all_from_path(text(path));
  native.llama_backend_init();

  function withModel<T>(path: string, use: (model: Deno.PointerObject) => T) {
    const params = new Uint8Array(8 * modelWords);
    native.llama_model_default_params(params);
    const model = native.llama_model_load_from_file(text(path), params);
    if (model === null) throw new Error(`llama.cpp does not load ${path}`);
    try {
      return use(model);
    } finally {
      native.llama_model_free(model);
    }
  }

  /** Runs the model on some tokens, and reads what it made of them. */
  function decode<T>(
    model: Deno.PointerObject,
    tokens: Int32Array,
    asks: "logits" | "embedding",
    read: (context: Deno.PointerObject) => T,
  ): T {
    const context = native.llama_init_from_model(model, contextParams(native));
    if (context === null) throw new Error("llama.cpp makes no context");
    try {
      native.llama_set_embeddings(context, asks === "embedding");
      const wanted = new Uint8Array(tokens.length).fill(1);
      const status = native.llama_decode(context, batch(tokens, wanted));
      if (status !== 0) throw new Error(`llama_decode returns ${status}`);
      return read(context);
    } finally {
      native.llama_free(context);
    }
  }

  function logitsOf(model: Deno.PointerObject, tokens: Int32Array) {
    const vocabulary = native.llama_vocab_n_tokens(
      native.llama_model_get_vocab(model),
    );
    return decode(model, tokens, "logits", (context) => {
      const view = new Deno.UnsafePointerView(
        native.llama_get_logits(context)!,
      );
      return Array.from(tokens, (_, i) => {
        const row = new Float32Array(vocabulary);
        view.copyInto(row, 4 * i * vocabulary);
        return row;
      });
    });
  }

  function embeddingOf(model: Deno.PointerObject, tokens: Int32Array) {
    return decode(model, tokens, "embedding", (context) => {
      const vector = new Float32Array(native.llama_model_n_embd(model));
      const pointer = native.llama_get_embeddings_seq(context, 0);
      if (pointer === null) throw new Error("llama.cpp pools nothing");
      new Deno.UnsafePointerView(pointer).copyInto(vector);
      return vector;
    });
  }

  return {
    version,
    tokenize: (path, sentence) =>
      withModel(path, (model) => {
        const tokens = new Int32Array(sentence.length + 8);
        const bytes = text(sentence);
        const count = native.llama_tokenize(
          native.llama_model_get_vocab(model),
          bytes,
          bytes.length - 1,
          tokens,
          tokens.length,
          true,
          false,
        );
        if (count < 0) throw new Error(`llama_tokenize returns ${count}`);
        return tokens.slice(0, count);
      }),
    logits: (path, tokens) =>
      withModel(path, (model) => logitsOf(model, tokens)),
    embedding: (path, tokens) =>
      withModel(path, (model) => embeddingOf(model, tokens)),
    quantize(from, to, fileType, options = {}) {
      const kept: BufferSource[] = [];
      const status = native.llama_model_quantize(
        text(from),
        text(to),
        quantizeParams(native, fileType, options, kept),
      );
      // What the parameters point to has to live until here.
      kept.length = 0;
      if (status !== 0) {
        throw new Error(`llama_model_quantize returns ${status}`);
      }
    },
    close() {
      llama.close();
      ggml.close();
    },
  };
}

type Native = Deno.StaticForeignLibraryInterface<typeof symbols>;

function contextParams(native: Native): Uint8Array<ArrayBuffer> {
  const params = new Uint8Array(8 * contextWords);
  native.llama_context_default_params(params);
  const words = new Uint32Array(params.buffer);
  // n_threads and n_threads_batch are the first two words that are GGML_DEFAULT_N_THREADS.
  const threads = words.findIndex((word, i) =>
    word === 4 && words[i + 1] === 4
  );
  if (words[0] !== 512 || threads < 0) {
    throw new Error("llama_context_params has another layout than expected");
  }
  words[threads] = words[threads + 1] = 1;
  return params;
}

function quantizeParams(
  native: Native,
  fileType: number,
  options: NativeQuantizeOptions,
  kept: BufferSource[],
): Uint8Array<ArrayBuffer> {
  const params = new Uint8Array(8 * quantizeWords);
  native.llama_model_quantize_default_params(params);
  const words = new Uint32Array(params.buffer);
  // nthread, ftype, two ggml types (the count stands for none), then booleans:
  // allow_requantize, quantize_output_tensor, only_copy, pure, keep_split, dry_run,
  // and pointers: imatrix, kv_overrides, tt_overrides, prune_layers
  if (words[2] !== words[3] || params[17] !== 1 || params[19] !== 0) {
    throw new Error(
      "llama_model_quantize_params has another layout than expected",
    );
  }
  words[0] = 1;
  words[1] = fileType;
  if (options.outputType) words[2] = typeId(options.outputType);
  if (options.embeddingType) words[3] = typeId(options.embeddingType);
  params[16] = 1;
  params[17] = options.keepOutput ? 0 : 1;
  params[19] = options.pure ? 1 : 0;
  params[20] = options.keepSplit ? 1 : 0;
  const pointers = new BigUint64Array(params.buffer);
  const address = (
    array: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  ) => {
    kept.push(array);
    return Deno.UnsafePointer.value(Deno.UnsafePointer.of(array));
  };
  if (options.importance) {
    // struct { const char * name; const float * data; size_t size; }, the last one empty
    const list = new BigUint64Array(3 * options.importance.size + 3);
    let at = 0;
    for (const [name, values] of options.importance) {
      list.set(
        [address(text(name)), address(values), BigInt(values.length)],
        at,
      );
      at += 3;
    }
    pointers[3] = address(new Uint8Array(list.buffer));
  }
  if (options.metadata) {
    pointers[4] = address(metadataOverrides(options.metadata));
  }
  if (options.overrides) {
    // struct { const char * pattern; enum ggml_type type; }, the last one empty
    const list = new BigUint64Array(2 * options.overrides.length + 2);
    for (const [i, { pattern, type }] of options.overrides.entries()) {
      list.set([address(text(pattern)), BigInt(typeId(type))], 2 * i);
    }
    pointers[5] = address(new Uint8Array(list.buffer));
  }
  return params;
}

function typeId(name: string): number {
  return ggmlLayouts.get(name)!.id;
}

/** struct { enum tag; char key[128]; union { int64_t; double; bool; char[128] }; }, the last one with an empty key. */
function metadataOverrides(
  metadata: readonly (readonly [key: string, value: string | number])[],
): Uint8Array<ArrayBuffer> {
  const [valueAt, size] = [136, 264];
  const bytes = new Uint8Array(size * (metadata.length + 1));
  const view = new DataView(bytes.buffer);
  for (const [i, [key, value]] of metadata.entries()) {
    const at = i * size;
    bytes.set(text(key), at + 4);
    if (typeof value === "number") {
      view.setBigInt64(at + valueAt, BigInt(value), true);
    } else {
      view.setInt32(at, 3, true);
      bytes.set(text(value).subarray(0, 127), at + valueAt);
    }
  }
  return bytes;
}

function batch(
  tokens: Int32Array,
  wanted: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const words = new BigUint64Array(batchWords);
  const address = (array: Int32Array | Uint8Array) =>
    Deno.UnsafePointer.value(
      Deno.UnsafePointer.of(array as Uint8Array<ArrayBuffer>),
    );
  words[0] = BigInt(tokens.length);
  words[1] = address(tokens);
  words[6] = address(wanted);
  return new Uint8Array(words.buffer);
}

/** The file of a library, whose name may carry a version. */
function library(folder: string, name: string): string {
  for (const entry of Deno.readDirSync(folder)) {
    if (entry.name === `${name}.so` || entry.name.startsWith(`${name}.v`)) {
      return `${folder}/${entry.name}`;
    }
  }
  throw new Error(`no ${name} in ${folder}`);
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}
