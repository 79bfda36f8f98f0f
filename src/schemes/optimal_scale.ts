/**
 * The scale at which a group of values and its codes point most nearly the same way.
 *
 * For a grid with levels ±L₀ < ±L₁ … and a scale s, a value's code is the level
 * nearest to x / s. With P = Σ x·level and Q = Σ level², the best scale for given
 * codes is P / Q, it leaves the squared error Σ x² − P² / Q, and P² / Q is
 * largest where the cosine between values and codes is: so that is the score.
 *
 * Values come as magnitudes: whole numbers below 2^24, in descending order, with
 * their running sums. P and Q are then whole numbers below 2^53, the same in any
 * order of addition; the score is one multiplication and one division of them
 * in float64. So every implementation finds the same codes, to the bit. Of equal
 * scores the larger scale wins; on a grid that is its own mirror image a negative
 * scale gives the mirrored codes and nothing else, so scales are positive.
 *
 * @module
 */

/** A grid of levels that is its own mirror image. */
export interface MirrorGrid {
  /** The positive levels, ascending whole numbers. */
  readonly levels: readonly number[];
  /** What lies halfway between two neighbours: `levels.length − 1` thresholds. */
  readonly thresholds: readonly number[];
}

/** Makes a grid from its positive levels. */
export function mirrorGrid(levels: readonly number[]): MirrorGrid {
  const thresholds = levels.slice(1).map((level, j) => (level + levels[j]) / 2);
  return { levels, thresholds };
}

/** The magnitudes of a group, ready to be searched. */
export interface SortedMagnitudes {
  /** Whole numbers from 0 to 2^24, the largest first. */
  readonly values: ArrayLike<number>;
  /** Entry k is the sum of the first k of them. */
  readonly sums: ArrayLike<number>;
  /** How many there are. */
  readonly count: number;
}

/** What the codes at a scale come to. */
export interface ScalePoint {
  /** The scale at which values were rounded. */
  readonly scale: number;
  /** Σ x·level. */
  readonly p: number;
  /** Σ level². */
  readonly q: number;
}

/** P² / Q: larger is better. */
export function score({ p, q }: ScalePoint): number {
  return p * p / q;
}

/** How many of the magnitudes reach a bound. */
function countFrom(
  { values, count }: SortedMagnitudes,
  bound: number,
): number {
  let from = 0, to = count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (values[middle] >= bound) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Rounds every magnitude at a scale: one that reaches threshold · scale goes up. */
export function evaluate(
  magnitudes: SortedMagnitudes,
  { levels, thresholds }: MirrorGrid,
  scale: number,
): ScalePoint {
  let p = levels[0] * magnitudes.sums[magnitudes.count];
  let q = levels[0] * levels[0] * magnitudes.count;
  for (let j = 0; j < thresholds.length; j++) {
    const reached = countFrom(magnitudes, thresholds[j] * scale);
    if (reached === 0) break;
    const low = levels[j], high = levels[j + 1];
    p += (high - low) * magnitudes.sums[reached];
    q += (high * high - low * low) * reached;
  }
  return { scale, p, q };
}

/** The better of two; of equals the one with the larger scale, whose codes are smaller. */
export function better(a: ScalePoint, b: ScalePoint): ScalePoint {
  const difference = score(b) - score(a);
  return difference > 0 || (difference === 0 && b.q < a.q) ? b : a;
}

/**
 * Fractions of the scale that puts the largest value on the largest level, at
 * which a search starts: densest where groups of 32 and rows of hundreds end up.
 */
export const STARTS: readonly number[] = [
  1,
  0.93,
  0.87,
  0.81,
  0.75,
  0.69,
  0.63,
  0.57,
  0.5,
];

/** The best of the {@linkcode STARTS}: quick, and a little short of the best there is. */
export function fastScale(
  magnitudes: SortedMagnitudes,
  grid: MirrorGrid,
): ScalePoint {
  return startPoints(magnitudes, grid).reduce(better);
}

function startPoints(
  magnitudes: SortedMagnitudes,
  grid: MirrorGrid,
): ScalePoint[] {
  const top = magnitudes.values[0] / grid.levels[grid.levels.length - 1];
  return STARTS.map((start) => evaluate(magnitudes, grid, top * start));
}

/** Cells that wait to be split: far more than any data is known to need; the limit bounds the kernel's memory. */
export const MOST_CELLS = 1024;

/**
 * The best codes of all, proved by the hull search.
 *
 * Rounding at s maximises P − (s/2)·Q, so roundings are the corners of the upper
 * hull of all (Q, P); P² / Q is convex, so its largest value lies at a corner.
 * Between two corners that are known the hull stays inside the triangle of chord
 * and tangents, whose third corner bounds it; a cell whose bound beats the best
 * is split where its chord's slope says, or found to be an edge.
 *
 * @param magnitudes The group; at least one magnitude is not zero.
 * @param grid The levels.
 * @returns The scale, P and Q of the best codes.
 */
export function optimalScale(
  magnitudes: SortedMagnitudes,
  grid: MirrorGrid,
): ScalePoint {
  const points = startPoints(magnitudes, grid);
  points.unshift(evaluate(magnitudes, grid, allLowest(magnitudes, grid)));
  points.push(evaluate(magnitudes, grid, allHighest(magnitudes, grid)));
  let best = points.reduce(better);
  climbHull(points, (scale) => evaluate(magnitudes, grid, scale), {
    least: () => score(best),
    take: (point) => best = better(best, point),
  });
  return best;
}

/** What a search of the hull goes by and gives its corners to. */
export interface HullVisitor {
  /** What a cell's bound has to be above for its corners to matter. */
  least(): number;
  /** Takes a corner; {@linkcode HullVisitor.least} may be more from then on. */
  take(corner: ScalePoint): void;
}

/**
 * Visits every corner of the hull of all (Q, P) that may score above
 * {@linkcode HullVisitor.least}; see {@linkcode optimalScale} for why.
 *
 * @param points Corners that were visited before, the larger scales first; no others lie beyond the two ends.
 * @param corner Rounds at a scale.
 * @param visitor Sees the corners.
 */
export function climbHull(
  points: readonly ScalePoint[],
  corner: (scale: number) => ScalePoint,
  visitor: HullVisitor,
): void {
  const cells: [b: ScalePoint, a: ScalePoint][] = [];
  for (let i = 1; i < points.length; i++) {
    cells.push([points[i - 1], points[i]]);
  }
  for (let cell = cells.pop(); cell; cell = cells.pop()) {
    const [b, a] = cell;
    if (!(bound(b, a) > visitor.least())) continue;
    const c = corner(2 * (a.p - b.p) / (a.q - b.q));
    visitor.take(c);
    if (c.q > b.q && c.q < a.q && cells.length + 2 <= MOST_CELLS) {
      cells.push([b, c], [c, a]);
    }
  }
}

/** A scale at which no magnitude reaches the first threshold. */
function allLowest(
  { values }: SortedMagnitudes,
  { thresholds }: MirrorGrid,
): number {
  return (values[0] + 1) / thresholds[0];
}

/** A scale at which every magnitude but 0 is on the last level. */
function allHighest(
  { values, count }: SortedMagnitudes,
  { thresholds }: MirrorGrid,
): number {
  const smallest = Math.max(values[count - 1], 1);
  return smallest / 2 / thresholds[thresholds.length - 1];
}

/** No corner between b and a, the one with the smaller scale, scores more than this. */
function bound(b: ScalePoint, a: ScalePoint): number {
  const hb = b.scale / 2, ha = a.scale / 2;
  if (!(a.q > b.q && hb > ha)) return 0;
  const rise = (a.p - b.p - ha * a.q + hb * b.q) / (hb - ha);
  const p = b.p + hb * (rise - b.q);
  return p * p / rise;
}

/** Two scales at which codes change differ by more than this, and rounding by less. */
const JUST_BELOW = 1 - 2 ** -44;

/**
 * The same by trying every scale at which a code changes: slow, and plain enough
 * to judge the search by.
 *
 * @param magnitudes The group.
 * @param grid The levels.
 * @returns The scale, P and Q of the best codes.
 */
export function sweepScale(
  magnitudes: SortedMagnitudes,
  grid: MirrorGrid,
): ScalePoint {
  const scales: number[] = [allLowest(magnitudes, grid)];
  for (let i = 0; i < magnitudes.count; i++) {
    for (const threshold of grid.thresholds) {
      const scale = magnitudes.values[i] / threshold;
      if (scale > 0) scales.push(scale * JUST_BELOW);
    }
  }
  scales.sort((x, y) => y - x);
  return scales.map((s) => evaluate(magnitudes, grid, s)).reduce(better);
}
