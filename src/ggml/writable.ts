/**
 * The types that can be written, as formats: those of four bits, which the core has, and
 * the ones that recipes of four bits put beside them.
 *
 * @module
 */

import type { BlockFormat } from "../model/block_format.ts";
import { iq4_nl } from "../formats/iq4_nl.ts";
import { iq4_xs } from "../formats/iq4_xs.ts";
import { mxfp4 } from "../formats/mxfp4.ts";
import { nvfp4 } from "../formats/nvfp4.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { q4_1 } from "../formats/q4_1.ts";
import { q4_k } from "../formats/q4_k.ts";
import { q5_0 } from "./q5_0.ts";
import { q5_1 } from "./q5_1.ts";
import { q5_k } from "./q5_k.ts";
import { q6_k } from "./q6_k.ts";
import { q8_0 } from "./q8_0.ts";

const ALL: readonly BlockFormat[] = [
  q4_0,
  q4_1,
  q4_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  nvfp4,
  q5_0,
  q5_1,
  q5_k,
  q6_k,
  q8_0,
];

/** Every block type that can be written, by ggml's name: Q4_0, Q6_K … */
export const writableTypes: ReadonlyMap<string, BlockFormat> = new Map(
  ALL.map((format) => [format.name.toUpperCase(), format]),
);
