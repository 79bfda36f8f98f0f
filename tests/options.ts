/**
 * Option sets and shapes that tests put every format of the registry through: all
 * of these that a format takes. A new format is covered the moment it is registered.
 *
 * @module
 */
import { formats } from "../src/formats/registry.ts";
import type { Format } from "../src/types.ts";
import { random } from "./adversarial.ts";

/** A format with options that it takes for a shape. */
export interface OptionCase {
  /** The format. */
  readonly format: Format;
  /** The shape. */
  readonly shape: readonly number[];
  /** The options, as a caller gives them. */
  readonly options: object;
  /** All of it, for messages. */
  readonly label: string;
}

const SHAPES = [[3, 512], [2, 3, 256], [768], [5, 33], [1, 7]];

function candidates(columns: number): object[] {
  const next = random(columns);
  const importance = Float32Array.from({ length: columns }, () => next());
  const methods = ["absmax", "minmax", "affine"];
  const sizes = [1, 16, 31, 32, 64, 128, "row", "tensor"];
  return [
    {},
    { importance },
    ...methods.map((scaleMethod) => ({ scaleMethod })),
    ...sizes.map((groupSize) => ({ groupSize })),
    ...methods.flatMap((scaleMethod) =>
      sizes.map((groupSize) => ({ scaleMethod, groupSize }))
    ),
  ];
}

function takes(format: Format, options: object, shape: readonly number[]) {
  try {
    format.resolve(options, shape);
    return true;
  } catch {
    return false;
  }
}

/** Every format with every shape and option set that it takes. */
export function* optionCases(): Generator<OptionCase> {
  for (const format of formats.values() as Iterable<Format>) {
    for (const shape of SHAPES) {
      for (const options of candidates(shape[shape.length - 1])) {
        if (!takes(format, options, shape)) continue;
        const keys = JSON.stringify(
          options,
          (_, value) => value instanceof Float32Array ? "weights" : value,
        );
        yield {
          format,
          shape,
          options,
          label: `${format.name} [${shape}] ${keys}`,
        };
      }
    }
  }
}
