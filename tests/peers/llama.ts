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
  llama_model_quantize: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "u32",
  },
} as const;

/** Native llama.cpp, opened. */
export interface NativeLlama {
  /** Version of the npm package that carries the library. */
  readonly version: string;
  /** The tokens of a text, by the vocabulary of a model. */
  tokenize(path: string, text: string): Int32Array;
  /** Loads a model and returns its logits, one row of the vocabulary's size for each token. */
  logits(path: string, tokens: Int32Array): Float32Array[];
  /**
   * Quantizes a file as `llama-quantize` does, on one thread.
   *
   * @param fileType A `llama_ftype`: what `general.file_type` holds.
   * @param pure Whether all matrices get one type (`--pure`), or the mixture of the file type.
   */
  quantize(from: string, to: string, fileType: number, pure?: boolean): void;
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

  function decode(model: Deno.PointerObject, tokens: Int32Array) {
    const context = native.llama_init_from_model(model, contextParams(native));
    if (context === null) throw new Error("llama.cpp makes no context");
    try {
      const wanted = new Uint8Array(tokens.length).fill(1);
      const status = native.llama_decode(context, batch(tokens, wanted));
      if (status !== 0) throw new Error(`llama_decode returns ${status}`);
      const vocabulary = native.llama_vocab_n_tokens(
        native.llama_model_get_vocab(model),
      );
      const view = new Deno.UnsafePointerView(
        native.llama_get_logits(context)!,
      );
      return Array.from(tokens, (_, i) => {
        const row = new Float32Array(vocabulary);
        view.copyInto(row, 4 * i * vocabulary);
        return row;
      });
    } finally {
      native.llama_free(context);
    }
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
    logits: (path, tokens) => withModel(path, (model) => decode(model, tokens)),
    quantize(from, to, fileType, pure = true) {
      const status = native.llama_model_quantize(
        text(from),
        text(to),
        quantizeParams(native, fileType, pure),
      );
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
  pure: boolean,
): Uint8Array<ArrayBuffer> {
  const params = new Uint8Array(8 * quantizeWords);
  native.llama_model_quantize_default_params(params);
  const words = new Uint32Array(params.buffer);
  // nthread, ftype, two ggml types (the count stands for none), then booleans:
  // allow_requantize, quantize_output_tensor, only_copy, pure
  if (words[2] !== words[3] || params[17] !== 1 || params[19] !== 0) {
    throw new Error(
      "llama_model_quantize_params has another layout than expected",
    );
  }
  words[0] = 1;
  words[1] = fileType;
  params[19] = pure ? 1 : 0;
  return params;
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
