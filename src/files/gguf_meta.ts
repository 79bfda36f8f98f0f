/**
 * Metadata values from text, as a command line gives them: `general.name=Tiny`, `key:u32=5`, `key:[i32]=1,2,3`.
 *
 * @module
 */
import { quote } from "./errors.ts";
import {
  type GgufElementType,
  type GgufScalar,
  GgufValue,
  ggufValueTypes,
} from "./gguf_value.ts";

/** Keys whose type readers insist on, so that nobody has to write it. Matched whole, or behind the architecture. */
const knownTypes: ReadonlyMap<string, GgufElementType> = new Map([
  ...typed("u32", [
    "general.alignment",
    "general.file_type",
    "general.quantization_version",
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.sliding_window",
    "rope.dimension_count",
    "rope.scaling.original_context_length",
    "expert_count",
    "expert_used_count",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.separator_token_id",
    "tokenizer.ggml.padding_token_id",
  ]),
  ...typed("f32", [
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "rope.freq_base",
    "rope.scaling.factor",
  ]),
  ...typed("bool", [
    "rope.scaling.finetuned",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.add_space_prefix",
  ]),
]);

function typed(
  type: GgufElementType,
  keys: readonly string[],
): [string, GgufElementType][] {
  return keys.map((key) => [key, type]);
}

/**
 * Parses `key=value`, `key:type=value` or `key:[type]=value,value`.
 *
 * Types are u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool and string. Without one, the keys that llama.cpp
 * reads as numbers or booleans (`general.file_type`, `<architecture>.block_count` …) have their type, and all
 * others are strings. An array of strings that hold commas is written as JSON: `key:[string]=["a,b","c"]`.
 *
 * @param text One argument of the command line.
 * @returns The key and its value.
 * @throws {RangeError} If the text has no key, an unknown type, or a value that does not fit; says
 * what would do instead.
 */
export function parseMeta(text: string): [key: string, value: GgufValue] {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new RangeError(
      `Metadata ${
        quote(text)
      } has no key; write it as key=value or key:type=value`,
    );
  }
  const [, key, array, type] = /^([^]*?)(?::(\[?)([^:]*?)\]?)?$/.exec(
    text.slice(0, equals),
  )!;
  const value = text.slice(equals + 1);
  if (key === "") {
    throw new RangeError(
      `Metadata ${quote(text)} has no key before its type`,
    );
  }
  if (type === undefined) return [key, scalar(key, knownType(key), value)];
  const declared = text.slice(key.length + 1, equals);
  if (!isElementType(type) || declared !== (array ? `[${type}]` : type)) {
    const types = ggufValueTypes.filter(isElementType).join(", ");
    throw new RangeError(
      `Metadata ${key} has type ${declared}; the types are ${types}, and [type] for an array`,
    );
  }
  if (!array) return [key, scalar(key, type, value)];
  return [
    key,
    GgufValue.array(
      type,
      elements(key, type, value).map((element) => parse(key, type, element)),
    ),
  ];
}

function knownType(key: string): GgufElementType {
  const behindArchitecture = key.slice(key.indexOf(".") + 1);
  return knownTypes.get(key) ?? knownTypes.get(behindArchitecture) ?? "string";
}

function isElementType(type: string): type is GgufElementType {
  return type !== "array" &&
    (ggufValueTypes as readonly string[]).includes(type);
}

function scalar(key: string, type: GgufElementType, text: string): GgufValue {
  return GgufValue.of(type, parse(key, type, text));
}

function elements(key: string, type: GgufElementType, text: string): string[] {
  if (text === "") return [];
  if (type !== "string" || !text.startsWith("[")) return text.split(",");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (
    !Array.isArray(parsed) ||
    !parsed.every((element) => typeof element === "string")
  ) {
    throw new RangeError(
      `Metadata ${key} is ${text}, which is no JSON array of strings`,
    );
  }
  return parsed;
}

function parse(key: string, type: GgufElementType, text: string): GgufScalar {
  if (type === "string") return text;
  if (type === "bool") {
    if (text === "true" || text === "false") return text === "true";
    throw new RangeError(
      `Metadata ${key} is ${quote(text)}; a bool is true or false`,
    );
  }
  if (type === "f32" || type === "f64") {
    const value = Number(text);
    if (
      type === "f32" && Math.abs(value) < Infinity &&
      !Number.isFinite(Math.fround(value))
    ) {
      throw new RangeError(
        `Metadata ${key} is ${text}, which is beyond f32; ${key}:f64=${text} holds it`,
      );
    }
    if (text.trim() !== "" && Number.isFinite(value)) return value;
    throw new RangeError(
      `Metadata ${key} is ${
        quote(text)
      }; ${type} takes a finite number such as 1e-5`,
    );
  }
  if (!/^[+-]?\d+$/.test(text)) {
    throw new RangeError(
      `Metadata ${key} is ${
        quote(text)
      }; ${type} takes a whole number, ${key}:string=… keeps a text`,
    );
  }
  const value = BigInt(text.replace(/^\+/, ""));
  try {
    return GgufValue.of(type, value).value as GgufScalar;
  } catch (error) {
    throw new RangeError(`Metadata ${key}: ${(error as Error).message}`);
  }
}
