/**
 * Tables in plain text.
 *
 * @module
 */
import { widthOf } from "./width.ts";

/** How a column is set: numbers to the right. */
export type Alignment = "left" | "right";

/**
 * Lines of cells set in columns, two spaces apart.
 *
 * @param rows The cells; every row as many.
 * @param alignments How each column is set; left where it says nothing.
 * @returns One line for each row, without spaces at the end.
 */
export function columnsOf(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    });
  }
  return rows.map((row) =>
    row.map((cell, i) => {
      const space = " ".repeat(widths[i] - widthOf(cell));
      return alignments[i] === "right" ? space + cell : cell + space;
    }).join("  ").trimEnd()
  );
}

/**
 * A table with a line below its head.
 *
 * @param head Titles of the columns.
 * @param rows The cells.
 * @param alignments How each column is set.
 * @returns The text, with a newline at its end.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string {
  const [title, ...lines] = columnsOf([head, ...rows], alignments);
  // Not by Math.max of them all: a call takes some hundred thousand arguments at most.
  const width = lines.reduce(
    (most, line) => Math.max(most, widthOf(line)),
    widthOf(title),
  );
  return [title, "─".repeat(width), ...lines, ""].join("\n");
}
