/**
 * What `inspect` tells of an importance file.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import { type Importance, importanceEntries } from "../files/imatrix.ts";
import { columnsOf, table } from "./table.ts";
import { countOf } from "./text.ts";

/** The file for programs. */
export function importanceJson(importance: Importance): object {
  const { container, datasets, chunks, chunkSize } = importance;
  return {
    container: `imatrix ${container}`,
    datasets,
    chunks,
    chunkSize,
    entries: importanceEntries(importance).map(({ name, weights, range }) => ({
      name,
      weights,
      least: range[0],
      mean: range[1],
      most: range[2],
    })),
  };
}

/** The file for people. */
export function importanceText(
  importance: Importance,
  columns?: number,
): string[] {
  const { name, container, datasets, chunks, chunkSize, entries } = importance;
  const facts = [
    ["file", name],
    ["importance", `of llama-imatrix, ${container}; for --imatrix`],
    ["entries", String(entries.size)],
    [
      "datasets",
      datasets.map((text) => printable(text)).join(", ") || "not told",
    ],
    [
      "measured on",
      chunks === 0 ? "not told" : countOf(chunks, "chunk") +
        (chunkSize ? ` of ${chunkSize} tokens` : ""),
    ],
  ];
  const right = "right" as const;
  const list = table(
    ["tensor", "weights", "least", "mean", "most"],
    importanceEntries(importance).map(({ name, weights, range }) => [
      printable(name),
      String(weights),
      ...range.map((weight) => weight.toPrecision(3)),
    ]),
    ["left", right, right, right, right],
    columns,
  );
  return [...columnsOf(facts, [], columns), "", ...list];
}
