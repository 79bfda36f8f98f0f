/**
 * Tables and the few statistics that the benchmarks share.
 *
 * @module
 */

/** The middle of some numbers; NaN for none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far numbers lie from their median, in the middle: a spread that single outliers do not move. */
export function spread(numbers: readonly number[]): number {
  const center = median(numbers);
  return median(numbers.map((number) => Math.abs(number - center)));
}

/** Rows under a header, columns aligned; the first `left` columns to the left. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  left: number,
): string {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i].length))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) =>
      i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    ).join("  ").trimEnd();
  return [
    line(header),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...rows.map(line),
  ].join("\n");
}

/** Floats per nanosecond are 10⁹ floats a second. */
export function gigaElements(values: number, nanoseconds: number): string {
  return (values / nanoseconds).toPrecision(3);
}

/** 10⁹ bytes of float32 a second. */
export function gigaBytes(values: number, nanoseconds: number): string {
  return (values * 4 / nanoseconds).toPrecision(3);
}

/** The machine and the runtime, for the head of a report. */
export function environment(): string {
  const { os, arch } = Deno.build;
  return `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${os} ${arch}, ${navigator.hardwareConcurrency} cores`;
}
