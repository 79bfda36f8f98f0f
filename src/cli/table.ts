/**
 * Tables in plain text.
 *
 * @module
 */
import { visible } from "../files/errors.ts";
import { cutMiddle, widthOf } from "./width.ts";

/** How a column is set: numbers to the right. */
export type Alignment = "left" | "right";

/** Columns of a text that is cut, at least: the end of a name tells it from others. */
const LEAST_WIDTH = 32;

const GAP = "  ";

/**
 * Lines of cells set in columns, two spaces apart.
 *
 * @param rows The cells; every row as many.
 * @param alignments How each column is set; left where it says nothing.
 * @param room Columns of the terminal that the lines have to fit; any where it
 * is none. Text on the left gives way in its middle, numbers do not; where that
 * is not enough, the first cell stands above the others, as many as fit.
 * @returns The lines, without spaces at the end.
 */
export function columnsOf(
  rows: readonly (readonly string[])[],
  alignments?: readonly Alignment[],
  room?: number,
): string[] {
  return [...setRows(rows, alignments, room)].flat();
}

/**
 * A table with a line below its head.
 *
 * @param head Titles of the columns.
 * @param rows The cells; gone through twice, so that they need not all be in memory.
 * @param alignments How each column is set.
 * @param room Columns that it has to fit, as in {@linkcode columnsOf}.
 * @returns Its lines.
 */
export function table(
  head: readonly string[],
  rows: Iterable<readonly string[]>,
  alignments?: readonly Alignment[],
  room?: number,
): string[] {
  const all = {
    *[Symbol.iterator]() {
      yield head;
      yield* rows;
    },
  };
  const lines: string[] = [];
  let width = 0, below = 0;
  for (const row of setRows(all, alignments, room)) {
    for (const line of row) {
      width = Math.max(width, widthOf(line));
      lines.push(line);
    }
    // The line below the head is as wide as the widest.
    if (below === 0) below = lines.push("");
  }
  lines[below - 1] = "─".repeat(width);
  return lines;
}

/** Rows that are made when they are asked for. */
export function rowsFor<T>(
  items: Iterable<T>,
  toRow: (item: T) => readonly string[],
): Iterable<readonly string[]> {
  return {
    *[Symbol.iterator]() {
      for (const item of items) yield toRow(item);
    },
  };
}

/** A column: how wide, and on which side its cells stand. */
interface Column {
  readonly width: number;
  readonly alignment: Alignment;
}

/** The lines of each row. */
function* setRows(
  rows: Iterable<readonly string[]>,
  alignments: readonly Alignment[] = [],
  room: number = Infinity,
): Generator<string[], void> {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      // What is spelled out is wider than what it stands for.
      widths[i] = Math.max(widths[i] ?? 0, widthOf(visible(cell)));
    });
  }
  const columns = widths.map((width, i): Column => ({
    width,
    alignment: alignments[i] ?? "left",
  }));
  const fitted = shrunk(columns, room);
  if (totalOf(fitted) <= room) {
    for (const row of rows) yield [line(row.map(visible), fitted)];
    return;
  }
  const below = shrunk(columns.slice(1), room - GAP.length);
  const shown = below.filter((_, i) =>
    totalOf(below.slice(0, i + 1)) <= room - GAP.length
  );
  for (const row of rows) {
    const [first, ...rest] = row.map(visible);
    yield [
      cutMiddle(first, room),
      ...(shown.length > 0 ? [GAP + line(rest, shown)] : []),
    ];
  }
}

function totalOf(columns: readonly Column[]): number {
  return columns.reduce(
    (sum, { width }) => sum + width + GAP.length,
    -GAP.length,
  );
}

/** Takes from the widest texts until all columns fit, or none can be cut any more. */
function shrunk(columns: readonly Column[], room: number): Column[] {
  const widths = columns.map(({ width }) => width);
  const texts = [...widths.keys()].filter((i) =>
    columns[i].alignment === "left"
  );
  for (let over = totalOf(columns) - room; over > 0;) {
    texts.sort((a, b) => widths[b] - widths[a]);
    const [widest, next] = texts;
    if (widest === undefined || widths[widest] <= LEAST_WIDTH) break;
    // Down to the next one, or one further when they are equally wide.
    const floor = Math.max(LEAST_WIDTH, widths[next] ?? LEAST_WIDTH);
    const cut = Math.min(over, Math.max(1, widths[widest] - floor));
    widths[widest] -= cut;
    over -= cut;
  }
  return columns.map((column, i) => ({ ...column, width: widths[i] }));
}

function line(cells: readonly string[], columns: readonly Column[]): string {
  return columns.map(({ width, alignment }, i) => {
    const shown = cutMiddle(cells[i], width);
    const space = " ".repeat(width - widthOf(shown));
    return alignment === "right" ? space + shown : shown + space;
  }).join(GAP).trimEnd();
}
