// The best zero point of every group of a tile and its scale: zeroPlan() of
// src/schemes/searched.ts, to the bit. A search for each zero point, that of the
// reference first: what it scores spares the others most of their work.

import { bestScale, bestScore, Job, setJob, storeCodes } from "./scale_corner";
import { beginGroup, isCrowded, prepare, searchGroup, setFloor, startTile } from "./scale_search";

// A record for each zero point follows the one before: they have no list of scales.
const RECORD_BYTES: usize = Job.SCALES;

function turnToZero(records: usize, zero: i32): void {
  setJob(records + usize(zero) * RECORD_BYTES);
  prepare();
}

// Of the best so far.
let scale: f64 = 0, score: f64 = 0, zeroPoint: i32 = 0;

function tryZero(records: usize, zero: i32): void {
  turnToZero(records, zero);
  setFloor(score);
  searchGroup();
  if (!(bestScore > score) && !(bestScore === score && score > 0 && zero < zeroPoint)) return;
  scale = bestScale;
  score = bestScore;
  zeroPoint = zero;
}

// Scales, zero points and codes of every group: as search_scales, and beside the
// scales the zero points, which say where to look: `reach` further on either side,
// from `least` on.
export function search_zeros(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, records: usize, zeros: usize,
  weighed: i32, least: i32, reach: i32,
): i32 {
  let result = 0;
  startTile();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), known = load<f32>(zeros + at);
      // Where values were too large for the reference its zero point is NaN, and all are tried.
      const isKnown = known == known, from = isKnown ? i32(known) : 8, around = isKnown ? reach : 15;
      const low = max(least, from - around), high = min(15, from + around), middle = max(low, min(from, high));
      beginGroup(src, importance, n, weighed);
      scale = score = 0;
      for (let by = 0; by <= high - low; by++) {
        if (middle + by <= high) tryZero(records, middle + by);
        if (by > 0 && middle - by >= low) tryZero(records, middle - by);
      }
      setFloor(0);
      if (isCrowded()) return 2;
      if (scale != 0) {
        store<f32>(scales + at, f32(scale));
        store<f32>(zeros + at, f32(zeroPoint));
        turnToZero(records, zeroPoint);
        storeCodes(scale, codes);
      } else result = 1;
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
    zeros += <usize>stride;
  }
  return result;
}
