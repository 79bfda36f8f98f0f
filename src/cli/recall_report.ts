/**
 * The measurements of `recall` as a page that needs nothing else.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import type { Standing } from "./recall_measure.ts";

/** What the page is about. */
export interface Report {
  /** The files and their sizes, in a line. */
  readonly title: string;
  /** The depths of recall. */
  readonly depths: readonly number[];
  /** What was measured. */
  readonly standings: readonly Standing[];
}

function escape(text: string): string {
  return printable(text).replace(
    /[&<>"]/g,
    (c) => `&#${c.charCodeAt(0)};`,
  );
}

const WIDTH = 760, HEIGHT = 360, MARGIN = 56;

/** Makes the page. */
export function reportPage({ title, depths, standings }: Report): string {
  const depth = depths.includes(10) ? 10 : depths[depths.length - 1];
  const head = [
    "options",
    ...depths.map((k) => `recall@${k}`),
    "ms a query",
    "bytes a vector",
  ].map((cell) => `<th>${cell}</th>`).join("");
  const rows = standings.map((standing) => {
    const cells = [
      ...depths.map((k) => standing.recall.get(k)!.toFixed(4)),
      standing.milliseconds.toFixed(3),
      standing.bytes.toFixed(1),
    ].map((cell) => `<td>${cell}</td>`).join("");
    return `<tr><th>${escape(standing.name)}</th>${cells}</tr>`;
  }).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Recall of packed vectors</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse } th, td { padding: .2rem .8rem; text-align: right } tr > :first-child { text-align: left }
tbody tr { border-top: 1px solid #8884 } svg { width: 100%; height: auto } text { font-size: 12px; fill: currentColor }
</style>
<h1>Recall of packed vectors</h1>
<p>${escape(title)}</p>
${plot(depth, standings)}
<table>
<thead><tr>${head}</tr></thead>
<tbody>
${rows}
</tbody>
</table>
</html>
`;
}

/** Recall over milliseconds a query, on a logarithmic axis; the larger a dot the more bytes. */
function plot(depth: number, standings: readonly Standing[]): string {
  const times = standings.map(({ milliseconds }) => Math.log10(milliseconds));
  const recalls = standings.map(({ recall }) => recall.get(depth)!);
  const x = axis(times, MARGIN, WIDTH - 3 * MARGIN);
  const y = axis(recalls, HEIGHT - MARGIN, MARGIN / 2);
  const most = Math.max(...standings.map(({ bytes }) => bytes));
  const dots = standings.map(({ name, bytes }, i) => {
    const left = x(times[i]).toFixed(1), top = y(recalls[i]).toFixed(1);
    const radius = (3 + 7 * Math.sqrt(bytes / most)).toFixed(1);
    return `<circle cx="${left}" cy="${top}" r="${radius}" fill="#3b82f6" fill-opacity=".6"><title>${
      escape(name)
    }</title></circle><text x="${left}" y="${top}" dx="12" dy="4">${
      escape(name)
    }</text>`;
  }).join("\n");
  const ticks = [Math.min(...recalls), Math.max(...recalls)].map((value) =>
    `<text x="4" y="${y(value).toFixed(1)}">${value.toFixed(3)}</text>`
  ).join("");
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="recall over time">
<path d="M${MARGIN} ${MARGIN / 2}V${HEIGHT - MARGIN}H${
    WIDTH - MARGIN
  }" fill="none" stroke="currentColor"/>
${ticks}
<text x="${WIDTH / 2}" y="${
    HEIGHT - 20
  }" text-anchor="middle">milliseconds a query, logarithmic; recall@${depth} upwards; area: bytes a vector</text>
${dots}
</svg>`;
}

/** Maps a range of values to a range of the plot. */
function axis(
  values: readonly number[],
  from: number,
  to: number,
): (value: number) => number {
  const least = Math.min(...values), span = Math.max(...values) - least || 1;
  return (value) => from + (value - least) / span * (to - from);
}
