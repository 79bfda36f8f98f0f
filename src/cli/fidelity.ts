/**
 * What each format and each search keeps of a tensor: `formats --fidelity`.
 *
 * @module
 */
import { quote } from "../files/errors.ts";
import type { TensorFile } from "../files/tensors.ts";
import { formats } from "../formats.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { Format } from "../words/format.ts";
import type { Option } from "../words/schema.ts";
import { type Call, type Flag, show } from "./command.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { table } from "./table.ts";
import { hasValues, type Tensor, tensorsOf, whyNoValues } from "./tensors.ts";
import type { Io } from "./terminal.ts";
import { bitsText, jsonNumber, shapeText } from "./text.ts";
import { readSample, type Sample, trial, type TrialResult } from "./trial.ts";
import { type Variant, variantsOf } from "./variants.ts";

/** The flags of the table. */
export const FIDELITY_FLAGS: readonly Flag[] = [
  {
    name: "fidelity",
    takes: "FILE",
    help:
      "what each format and search keeps of the largest tensor of a file, or of the one that --tensors names",
    reads: (path) => path,
  },
  ...SELECTION_FLAGS,
  DTYPE_FLAG,
];

/** A line of the table. */
interface Row extends TrialResult {
  readonly variant: Variant;
  readonly search?: string;
}

/**
 * Prints what each format and search keeps of a tensor.
 *
 * @param call The call of `formats`.
 * @param io Where to print.
 * @param path The file.
 * @throws {RangeError} If the file has no values that could be quantized.
 */
export async function tellFidelity(
  call: Call,
  io: Io,
  path: string,
): Promise<void> {
  await withFile(call, path, async (file) => {
    const tensor = await chosenTensor(call, file);
    const sample = await readSample(file, tensor);
    const bad = firstNonFinite(sample.values);
    if (bad >= 0) {
      throw new RangeError(
        `Cannot compare formats by tensor ${
          quote(tensor.name)
        }: value ${bad} is ${
          sample.values[bad]
        }; choose another one by --tensors`,
      );
    }
    const rows = [...formats.values()].flatMap((format) =>
      rowsOf(format, sample)
    );
    const held = new Set(rows.map(({ variant }) => variant.format));
    const unfit = [...formats.values()].filter((format) => !held.has(format))
      .map(({ name }) => name);
    show(
      call,
      io.out,
      () => ({
        tensor: tensor.name,
        shape: tensor.shape,
        sample: sample.shape,
        results: rows.map(rowJson(sample)),
        unfit,
      }),
      (columns) => fidelityText(tensor, sample, { rows, unfit, columns }),
    );
  });
}

async function chosenTensor(call: Call, file: TensorFile): Promise<Tensor> {
  const all = await tensorsOf(file);
  const names = selected(call, all.map(({ name }) => name));
  const chosen = all.filter(({ name }) => names.has(name));
  const usable = chosen.filter((tensor) =>
    hasValues(tensor) && sizeOf(tensor.shape) > 0
  );
  if (usable.length > 0) {
    return usable.reduce((a, b) => sizeOf(b.shape) > sizeOf(a.shape) ? b : a);
  }
  const [first] = chosen;
  throw new RangeError(
    first && !hasValues(first)
      ? `Cannot compare formats by tensor ${quote(first.name)}: ${
        whyNoValues(first)
      }`
      : "Cannot compare formats: the file has no values",
  );
}

/** All that a format can do with a sample: options that change nothing are left out. */
function rowsOf(format: Format, sample: Sample): Row[] {
  const rows: Row[] = [];
  for (const variant of variantsOf(format, {}, sample.shape)) {
    // One option at a time: of all combinations there are too many to read.
    if (variant.flags.length > 1) continue;
    for (const search of searchesOf(format)) {
      const options = { ...variant.options, ...(search && { search }) };
      const result = trial({ format, options }, sample);
      if (!result) continue;
      const row = { variant, search, ...result };
      if (!rows.some((other) => isAlike(row, other, sample))) rows.push(row);
    }
  }
  return rows;
}

/** Whether two lines would say the same: sizes differ by a word of metadata, too. */
function isAlike(a: Row, b: Row, sample: Sample): boolean {
  return a.search === b.search && bitsOf(a, sample) === bitsOf(b, sample) &&
    fineDecibels(a) === fineDecibels(b);
}

function bitsOf({ bytes }: TrialResult, { values }: Sample): string {
  return bitsText(bytes * 8 / values.length);
}

/** Hundredths, as searches differ by few of them. */
function fineDecibels({ sqnr }: TrialResult): string {
  return sqnr === Infinity ? "exact" : sqnr.toFixed(2);
}

/** The searches that a format names; none where it has only its own way. */
function searchesOf({ options }: Format): readonly (string | undefined)[] {
  const { search } = options as Readonly<Record<string, Option | undefined>>;
  return search?.kind === "choice" ? search.choices as string[] : [undefined];
}

function rowJson({ values: { length } }: Sample) {
  return ({ variant, search, sqnr, bytes, seconds }: Row) => ({
    format: variant.format.name,
    options: variant.options,
    search: search ?? "reference",
    bitsPerValue: bytes * 8 / length,
    sqnr: jsonNumber(sqnr),
    nanosecondsPerValue: seconds * 1e9 / length,
  });
}

function fidelityText(
  tensor: Tensor,
  sample: Sample,
  { rows, unfit, columns }: {
    rows: readonly Row[];
    unfit: readonly string[];
    columns?: number;
  },
): string[] {
  const { values: { length }, shape } = sample;
  const part = length < sizeOf(tensor.shape)
    ? `, the first ${shapeText(shape)} of it`
    : "";
  return [
    `tensor ${quote(tensor.name)} ${shapeText(tensor.shape)}${part}`,
    ...table(
      ["format", "flags", "search", "bits", "SQNR dB", "ns a value"],
      rows.map((row) => [
        row.variant.format.name,
        row.variant.flags.join(" "),
        row.search ?? "",
        bitsOf(row, sample),
        fineDecibels(row),
        (row.seconds * 1e9 / length).toFixed(0),
      ]),
      ["left", "left", "left", "right", "right", "right"],
      columns,
    ),
    ...(unfit.length > 0
      ? [`not for ${shapeText(shape)}: ${unfit.join(", ")}`]
      : []),
    "Less squared error is no promise about what a model makes of the weights.",
  ];
}
