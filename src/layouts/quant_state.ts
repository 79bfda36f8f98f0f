/**
 * `quant_state`: the JSON in which bitsandbytes keeps what its arrays do not say.
 *
 * ```text
 * {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4096, 4096],
 *  "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.0123}
 * ```
 *
 * in one line, with the keys that start with `nested` only where scales are
 * quantized too. The texts written here are the library's own but for the
 * spaces that follow a nested one: the length of a part has to be known before
 * its offset is.
 *
 * @module
 */
import { checkShape } from "../numeric/shape.ts";
import type { TextItem } from "../words/layout.ts";
import type { ComputeDtype } from "../words/scheme.ts";

/** What a quant_state says. */
export interface QuantState {
  /** Which table codes are looked up in. */
  readonly quantType: string;
  /** How many values share a scale. */
  readonly blockSize: number;
  /** What values are rounded to. */
  readonly computeDtype: ComputeDtype;
  /** The logical shape. */
  readonly shape: readonly number[];
  /** The mean of all scales, where these are quantized. */
  readonly offset?: number;
}

/** How many scales share one, where they are quantized. */
export const NESTED_BLOCK = 256;

/** What torch calls the dtypes. */
export const TORCH_NAMES: Readonly<Record<ComputeDtype, string>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/** Longer texts are refused unread: a shape of any use takes a few dozen characters. */
const MOST_CHARACTERS = 4096;

/** The longest decimal of a float32 that is not negative. */
const OFFSET_CHARACTERS = 24;

/** The text for a quant_state. */
export function writeQuantState(
  { quantType, blockSize, computeDtype, shape, offset }: QuantState,
): string {
  const start = `{"quant_type": "${quantType}", "blocksize": ${blockSize}, ` +
    `"dtype": "${TORCH_NAMES[computeDtype]}", "shape": [${shape.join(", ")}]`;
  if (offset === undefined) return start + "}";
  const number = String(offset);
  return `${start}, "nested_blocksize": ${NESTED_BLOCK}, ` +
    `"nested_dtype": "float32", "nested_offset": ${number}}` +
    " ".repeat(OFFSET_CHARACTERS - number.length);
}

/**
 * Reads a quant_state, trusting nothing of it.
 *
 * @param text The text.
 * @param quantType The only `quant_type` to take.
 * @param blockSizes The only block sizes.
 * @returns What it says.
 * @throws {RangeError} When it is none, or says what the library never writes.
 */
export function readQuantState(
  text: string,
  quantType: string,
  blockSizes: readonly number[],
): QuantState {
  const state = parseObject(text);
  const take = (key: string) =>
    Object.hasOwn(state, key) ? state[key] : undefined;
  const nested = NESTED_KEYS.some((key) => Object.hasOwn(state, key));
  const keys = nested ? [...KEYS, ...NESTED_KEYS] : KEYS;
  const unknown = Object.keys(state).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw wrong(
      `it has an unknown key ${JSON.stringify(unknown.slice(0, 40))}`,
    );
  }
  const missing = keys.find((key) => !Object.hasOwn(state, key));
  if (missing) throw wrong(`it has no ${missing}`);
  oneOf(state, "quant_type", [quantType]);
  oneOf(state, "blocksize", blockSizes);
  oneOf(state, "dtype", Object.values(TORCH_NAMES));
  if (nested) {
    oneOf(state, "nested_blocksize", [NESTED_BLOCK]);
    oneOf(state, "nested_dtype", ["float32"]);
  }
  return {
    quantType,
    blockSize: take("blocksize") as number,
    computeDtype: dtypeOf(take("dtype")),
    shape: readShape(take("shape")),
    ...(nested && { offset: readOffset(take("nested_offset")) }),
  };
}

const KEYS = ["quant_type", "blocksize", "dtype", "shape"];
const NESTED_KEYS = ["nested_blocksize", "nested_dtype", "nested_offset"];
/** Axes that any tensor library has at most. */
const MOST_AXES = 64;

function wrong(why: string): RangeError {
  return new RangeError(`Cannot use part "quant_state": ${why}`);
}

function parseObject(text: string): Record<string, unknown> {
  if (text.length > MOST_CHARACTERS) {
    throw wrong(
      `it has ${text.length} characters, at most ${MOST_CHARACTERS} are read`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong("it is no JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw wrong("it is no JSON object");
}

/** Throws unless the value of a key is one of a few. */
function oneOf(
  state: Record<string, unknown>,
  key: string,
  allowed: readonly unknown[],
): void {
  if (allowed.includes(state[key])) return;
  const seen = JSON.stringify(state[key]).slice(0, 40);
  throw wrong(
    `its ${key} is ${seen}, not ${
      allowed.map((item) => JSON.stringify(item)).join(" or ")
    }`,
  );
}

function dtypeOf(name: unknown): ComputeDtype {
  const [dtype] = Object.entries(TORCH_NAMES).find(([, own]) => own === name)!;
  return dtype as ComputeDtype;
}

function readShape(value: unknown): number[] {
  if (!Array.isArray(value) || value.length > MOST_AXES) {
    throw wrong("its shape is no list of whole numbers");
  }
  if (value.some((n) => typeof n !== "number")) {
    throw wrong("its shape is no list of whole numbers");
  }
  try {
    checkShape(value);
  } catch (error) {
    throw wrong((error as Error).message);
  }
  return value;
}

/** A mean of magnitudes. */
function readOffset(value: unknown): number {
  const offset = typeof value === "number" ? Math.fround(value) : NaN;
  if (offset >= 0 && offset < Infinity) return offset;
  throw wrong(
    `its nested_offset is ${
      JSON.stringify(value).slice(0, 40)
    }, not a float32 of 0 or more`,
  );
}

/**
 * The text of a tensor whose shape and options are known: what it says beyond
 * them is the field `offset`.
 *
 * @param known What the text has to say; `offset` is any number where scales are
 * quantized. The compute dtype is one that values need not be rounded to.
 */
export function quantStateText(known: QuantState): TextItem {
  const nested = known.offset !== undefined;
  // Every tile reads the same text.
  let last: { text: string; offset: number | undefined } | undefined;
  return {
    kind: "text",
    write: ({ offset }) =>
      writeQuantState(nested ? { ...known, offset: offset[0] } : known),
    read(text, fields): void {
      if (last?.text !== text) last = { text, offset: offsetIn(text, known) };
      if (nested) fields.offset[0] = last.offset!;
    },
  };
}

/** The offset in a text, which has to say what is known. */
function offsetIn(
  text: string,
  { quantType, blockSize, shape, offset }: QuantState,
): number | undefined {
  const nested = offset !== undefined;
  const state = readQuantState(text, quantType, [blockSize]);
  if (String(state.shape) !== String(shape)) {
    throw wrong(`its shape is [${state.shape}], not [${shape}]`);
  }
  if ((state.offset !== undefined) !== nested) {
    throw wrong(
      nested ? "it has no nested_offset" : "it says that scales are nested",
    );
  }
  return state.offset;
}
