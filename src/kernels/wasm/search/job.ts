// What rows are encoded with: a record that src/search/wasm_engine.ts writes.

export const LENGTH: usize = 0; //     u32 codes of a row, a multiple of 32
export const GROUP: usize = 4; //      u32 codes that share a scale
export const MODE: usize = 8; //       u32 0 absmax, 1 fast, 2 optimal
export const UNBIASED: usize = 12; //  u32 1: ‖x‖² / P, 0: P / Q
export const ROUNDS: usize = 16; //    u32 rounds of the rotation, 0 without one
export const BLOCKS: usize = 20; //    address of u32 block sizes, behind the last a 0
export const TABLES: usize = 24; //    address; for each round u32 order[length], f32 factors[length]
export const SCRATCH: usize = 28; //   address of scratch space
export const STARTS: usize = 32; //    u32 how many starting points
export const LEVELS: usize = 40; //    f64[8]
export const THRESHOLDS: usize = 104; // f64[7]
export const START: usize = 160; //    f64[starts], nine at most
export const LARGEST: usize = 232; //  f64 the largest magnitude of the group at hand
export const LEVEL_BYTES: usize = 240; // u8[16], the levels again, zeros behind them
export const SMALLEST: usize = 256; // f64 the smallest magnitude of the group at hand
export const RISES: usize = 264; //    f64[7] by how much each level but the first is above the one before it
export const SQUARES: usize = 320; //  u32[7] the same of their squares, below 2^15
export const LEAST_SQUARE: usize = 348; // u32 the square of the first level
export const BELOW: usize = 352; //    u32[8] the largest magnitudes that do not reach the thresholds at a scale
export const BUCKET: usize = 384; //   addresses u32[8] of the buckets that the thresholds are in

// Scratch space, in the order of this list; src/search/wasm_engine.ts knows how much it is.
export const MOST_CELLS: usize = 1024;
export const CELL_BYTES: usize = 64;
export const MOST_BUCKETS: usize = 1024;

@inline function part(job: usize, skip: usize): usize { return usize(load<u32>(job + SCRATCH)) + skip; }
@inline function wide(job: usize): usize { return usize(load<u32>(job + LENGTH)) << 2; }

// f64 sums[length + 1], padded
@inline export function sums(job: usize): usize { return part(job, 0); }
// the row, and a second one to turn it into
@inline export function row(job: usize): usize { return part(job, 2 * wide(job) + 16); }
@inline export function other(job: usize): usize { return part(job, 3 * wide(job) + 16); }
@inline export function magnitudes(job: usize): usize { return part(job, 4 * wide(job) + 16); }
@inline export function placed(job: usize): usize { return part(job, 5 * wide(job) + 16); }
@inline export function groupScales(job: usize): usize { return part(job, 6 * wide(job) + 48); }
// where each bucket ends in `placed`, which is where the one before it begins
@inline export function buckets(job: usize): usize { return part(job, 7 * wide(job) + 48); }
@inline export function points(job: usize): usize { return buckets(job) + (MOST_BUCKETS + 4) * 4; }
@inline export function cells(job: usize): usize { return points(job) + 16 * 32; }
