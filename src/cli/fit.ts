/**
 * Tensors that a target cannot hold: cast to another dtype, or left out.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import { GGUF_RANK } from "../files/limits.ts";
import { onnxTypeOf } from "../files/onnx_data.ts";
import { ggmlLayouts, strangerId } from "../ggml/table.ts";
import { dtypes } from "../numeric/dtypes.ts";
import { sizeOf } from "../numeric/shape.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { areIntegers } from "./elements.ts";
import { matches } from "./glob.ts";
import type { OutputContainer, OutputTensor } from "./output.ts";
import { checkPattern } from "./select.ts";
import { hasValues, type Tensor, whyNoValues } from "./tensors.ts";

/** What tensors can be cast to. */
export type CastDtype = EncodedDtype | "I8" | "I16" | "I32" | "I64";

const FLOATS: readonly CastDtype[] = ["F32", "F16", "BF16"];
const INTEGERS: readonly CastDtype[] = ["I8", "I16", "I32", "I64"];
const CASTS: readonly CastDtype[] = [...FLOATS, ...INTEGERS];

/** The flags. */
export const FIT_FLAGS: readonly Flag[] = [
  {
    name: "cast",
    takes: "GLOB=DTYPE",
    many: true,
    help: `write tensors as another dtype: ${
      CASTS.join(", ").toLowerCase()
    }; integers exactly or not at all`,
  },
  {
    name: "drop",
    takes: "GLOB",
    many: true,
    help: "leave tensors out of the output",
  },
];

interface CastRule {
  readonly glob: string;
  readonly dtype: CastDtype;
}

/** What a call casts and leaves out. */
export class Fitting {
  readonly #call: Call;
  readonly #casts: readonly CastRule[];

  /**
   * Reads the flags.
   *
   * @param call The call.
   * @throws {UsageError} If one of them makes no sense.
   */
  constructor(call: Call) {
    this.#call = call;
    this.#casts = call.all("cast").map(castRule);
  }

  /**
   * The tensors without those that are left out.
   *
   * @param tensors All tensors of a file.
   * @returns The rest.
   * @throws {UsageError} If a pattern matches no name.
   */
  kept(tensors: readonly Tensor[]): readonly Tensor[] {
    const names = tensors.map(({ name }) => name);
    const drops = this.#call.all("drop");
    for (const glob of drops) checkPattern(this.#call, "drop", glob, names);
    for (const { glob } of this.#casts) {
      checkPattern(this.#call, "cast", glob, names);
    }
    return drops.length === 0
      ? tensors
      : tensors.filter(({ name }) =>
        !drops.some((glob) => this.#matches(glob, name))
      );
  }

  /**
   * What a tensor is cast to: what the last pattern that matches its name says.
   *
   * @param tensor The tensor.
   * @returns The dtype; undefined where none matches.
   * @throws {RangeError} If it cannot be cast so.
   */
  castOf(tensor: Tensor): CastDtype | undefined {
    const dtype = this.#casts.findLast(({ glob }) =>
      this.#matches(glob, tensor.name)
    )?.dtype;
    const why = dtype && whyNotCast(tensor, dtype);
    if (why === undefined) return dtype;
    throw new RangeError(
      `Cannot cast tensor ${quote(tensor.name)} to ${dtype}: ${why}`,
    );
  }

  #matches(glob: string, name: string): boolean {
    return matches(glob, name, this.#call.has("ignore-case"));
  }
}

function castRule(text: string): CastRule {
  const equals = text.lastIndexOf("=");
  const dtype = CASTS.find((name) =>
    name === text.slice(equals + 1).toUpperCase()
  );
  if (equals > 0 && dtype) return { glob: text.slice(0, equals), dtype };
  throw new UsageError(
    `Flag --cast cannot be ${
      printable(text)
    }: it is GLOB=DTYPE, such as *.ids=I32, with one of ${CASTS.join(", ")}`,
  );
}

function whyNotCast(tensor: Tensor, dtype: CastDtype): string | undefined {
  const drop = `--drop ${tensor.name} leaves it out`;
  if (hasValues(tensor)) {
    return FLOATS.includes(dtype)
      ? undefined
      : `it holds floats; --cast ${tensor.name}=F32 or another dtype of floats takes them`;
  }
  if (tensor.foreign !== undefined || !areIntegers(tensor.dtype)) {
    return `${whyNoValues(tensor)}; ${drop}`;
  }
  return tensor.entries[0].fortranOrder
    ? `its integers lie column by column; ${drop}`
    : undefined;
}

/**
 * What a tensor that is copied has to be cast to because its bytes do not lie as
 * outputs have them: big-endian, or column by column.
 *
 * @param tensor The tensor.
 * @returns Its own dtype; undefined where its bytes can be copied.
 * @throws {RangeError} If it cannot be written so.
 */
export function rewriteOf(tensor: Tensor): string | undefined {
  const { name, dtype, entries: [{ bigEndian, fortranOrder }] } = tensor;
  if (!bigEndian && !fortranOrder) return undefined;
  if (FLOATS.some((float) => float === dtype)) return dtype;
  if (!fortranOrder && (areIntegers(dtype) || dtype === "F64")) return dtype;
  const cast = hasValues(tensor) ? `--cast ${name}=F32 or ` : "";
  throw new RangeError(
    `Cannot copy tensor ${quote(name)}: its ${printable(dtype)} values ${
      fortranOrder ? "lie column by column" : "are big-endian"
    }; pass ${cast}--drop ${name}`,
  );
}

/** What a container is called, and which dtypes it has. */
const HELD: Readonly<
  Partial<
    Record<OutputContainer, readonly [name: string, (dtype: string) => boolean]>
  >
> = {
  gguf: [
    "GGUF",
    (dtype) => ggmlLayouts.has(dtype) || strangerId(dtype) !== undefined,
  ],
  onnx: ["ONNX", (dtype) => onnxTypeOf(dtype) !== undefined],
  safetensors: ["safetensors", (dtype) => dtypes.has(dtype)],
  folder: ["safetensors", (dtype) => dtypes.has(dtype)],
};

/**
 * Checks that a container can hold tensors.
 *
 * @param container The container.
 * @param tensors What is written.
 * @throws {RangeError} At the first that it cannot hold; says what to do about it.
 */
export function checkHeld(
  container: OutputContainer,
  tensors: readonly OutputTensor[],
): void {
  const held = HELD[container];
  if (!held) return;
  const [what, holds] = held;
  for (const { name, shape, dtype } of tensors) {
    const why = dtype !== undefined && !holds(dtype)
      ? `it has no type for ${printable(dtype)}; ${
        castHint(name, dtype, holds)
      }`
      : container === "gguf"
      ? whyNoShape(name, shape)
      : undefined;
    if (why === undefined) continue;
    throw new RangeError(
      `Cannot write tensor ${quote(name)} to ${what}: ${why}`,
    );
  }
}

function whyNoShape(
  name: string,
  shape: readonly number[],
): string | undefined {
  const why = shape.length > GGUF_RANK
    ? `it has ${shape.length} axes, which are at most ${GGUF_RANK}`
    : sizeOf(shape) === 0
    ? "it has no values, and older readers divide by their number"
    : undefined;
  return why && `${why}; pass --drop ${printable(name)} to leave it out`;
}

/** The narrowest integers that hold all of a dtype, where there are any. */
const SIGNED: ReadonlyMap<string, CastDtype> = new Map([
  ["BOOL", "I8"],
  ["U8", "I16"],
  ["U16", "I32"],
  ["U32", "I64"],
  ["U64", "I64"],
]);

function castHint(
  name: string,
  dtype: string,
  holds: (dtype: string) => boolean,
): string {
  const shown = printable(name);
  const drop = `--drop ${shown} to leave it out`;
  const isNumber = dtypes.has(dtype) && !dtype.startsWith("C");
  // Pairs of bytes of a .npy mostly are bfloat16.
  const known = dtype === "V2" ? "--dtype bf16 where they are that, or " : "";
  if (!isNumber && !ggmlLayouts.has(dtype)) return `pass ${known}${drop}`;
  const to = SIGNED.get(dtype) ?? (areIntegers(dtype) ? "I32" : "F16");
  return `pass --cast ${shown}=${holds(to) ? to : "F32"} or ${drop}`;
}
