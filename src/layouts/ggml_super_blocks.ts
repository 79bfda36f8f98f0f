/**
 * What ggml's super-blocks with offsets have before their codes: two binary16 numbers,
 * then a 6-bit scale and a 6-bit offset for each of eight groups.
 *
 * ```text
 * byte   0 1 │ 2 3  │ 4 … 15
 *        d   │ dmin │ s, m
 *        f16 │ f16  │ 6-bit
 * byte 4+g   (g < 4): s[g]   | (s[g+4] >> 4) << 6
 * byte 8+g   (g < 4): m[g]   | (m[g+4] >> 4) << 6
 * byte 12+g  (g < 4): s[g+4] & 15 | (m[g+4] & 15) << 4
 * ```
 *
 * @module
 */
import type { Codec, FieldItem } from "../words/layout.ts";
import { F16_ALONE } from "./codecs.ts";
import { fieldAt } from "./items.ts";

const GROUPS = 8;

/** Eight 6-bit scales, then eight 6-bit offsets. */
const STEPS: Codec = {
  bytes: 12,
  areas: { rows: 1, columns: 1 },
  length: 2 * GROUPS,
  load(bytes, at, to): void {
    for (let g = 0; g < 4; g++) {
      const scale = bytes[at + g], offset = bytes[at + 4 + g];
      const high = bytes[at + 8 + g];
      to[g] = scale & 63;
      to[GROUPS + g] = offset & 63;
      to[g + 4] = (high & 15) | ((scale >> 6) << 4);
      to[GROUPS + g + 4] = (high >> 4) | ((offset >> 6) << 4);
    }
  },
  store(from, bytes, at): void {
    for (let g = 0; g < 4; g++) {
      const scale = from[g + 4], offset = from[GROUPS + g + 4];
      bytes[at + g] = from[g] | ((scale >> 4) << 6);
      bytes[at + 4 + g] = from[GROUPS + g] | ((offset >> 4) << 6);
      bytes[at + 8 + g] = (scale & 15) | ((offset & 15) << 4);
    }
  },
};

/** The fields `scale`, `offset` and `steps`, in the first 16 bytes. */
export const SUPER_BLOCK_FIELDS: readonly FieldItem[] = [
  fieldAt("scale", 0, F16_ALONE),
  fieldAt("offset", 2, F16_ALONE),
  fieldAt("steps", 4, STEPS),
];
