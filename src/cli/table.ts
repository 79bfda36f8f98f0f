/**
 * Tables in plain text.
 *
 * @module
 */
import { visible } from "../files/errors.ts";
import { cutEnd, cutMiddle, widthOf } from "./width.ts";

/** How a column is set: numbers to the right. */
export type Alignment = "left" | "right";

/** Columns of a cell that is cut, at least. */
const LEAST_WIDTH = 8;

/** Spaces between two columns. */
const GAP = 2;

/**
 * Lines of cells set in columns, two spaces apart.
 *
 * @param rows The cells; every row as many.
 * @param alignments How each column is set; left where it says nothing.
 * @param room Columns of the terminal that the lines have to fit; any where it
 * is none. Text on the left gives way, in its middle; numbers do not.
 * @returns One line for each row, without spaces at the end.
 */
export function columnsOf(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
  room: number = Infinity,
): string[] {
  // What is spelled out is wider than what it stands for.
  const cells = rows.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    });
  }
  shrink(widths, (i) => alignments[i] !== "right", room);
  return cells.map((row) =>
    cutEnd(
      row.map((cell, i) => {
        const shown = cutMiddle(cell, widths[i]);
        const space = " ".repeat(widths[i] - widthOf(shown));
        return alignments[i] === "right" ? space + shown : shown + space;
      }).join(" ".repeat(GAP)).trimEnd(),
      room,
    )
  );
}

/** Takes from the widest columns that may be cut until all fit, or none can be cut any more. */
function shrink(
  widths: number[],
  mayShrink: (column: number) => boolean,
  room: number,
): void {
  const columns = [...widths.keys()].filter(mayShrink);
  let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - room;
  while (over > 0) {
    columns.sort((a, b) => widths[b] - widths[a]);
    const [widest, next] = columns;
    if (widest === undefined || widths[widest] <= LEAST_WIDTH) return;
    // Down to the next column, or one further when they are equally wide.
    const floor = Math.max(LEAST_WIDTH, widths[next] ?? LEAST_WIDTH);
    const cut = Math.min(over, Math.max(1, widths[widest] - floor));
    widths[widest] -= cut;
    over -= cut;
  }
}

/**
 * A table with a line below its head.
 *
 * @param head Titles of the columns.
 * @param rows The cells.
 * @param alignments How each column is set.
 * @param room Columns that it has to fit, as in {@linkcode columnsOf}.
 * @returns Its lines.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
  room?: number,
): string[] {
  const [title, ...lines] = columnsOf([head, ...rows], alignments, room);
  const width = lines.reduce(
    (most, line) => Math.max(most, widthOf(line)),
    widthOf(title),
  );
  return [title, "─".repeat(width), ...lines];
}
