/**
 * IQ4_NL and IQ4_XS in plain JS: the search has no faster form there than the reference.
 *
 * @module
 */
import type { Kernel } from "../engine.ts";
import { leaveToReference } from "./again.ts";

/** `iq4_nl` without importance. */
export const quantizeIq4Nl: Kernel = {
  name: "iq4_nl_quantize",
  js: leaveToReference,
};
/** `iq4_nl` with importance. */
export const weighIq4Nl: Kernel = {
  name: "iq4_nl_weigh",
  js: leaveToReference,
};
/** `iq4_nl` to values. */
export const dequantizeIq4Nl: Kernel = {
  name: "iq4_nl_dequantize",
  js: leaveToReference,
};
/** `iq4_xs` without importance. */
export const quantizeIq4Xs: Kernel = {
  name: "iq4_xs_quantize",
  js: leaveToReference,
};
/** `iq4_xs` with importance. */
export const weighIq4Xs: Kernel = {
  name: "iq4_xs_weigh",
  js: leaveToReference,
};
/** `iq4_xs` to values. */
export const dequantizeIq4Xs: Kernel = {
  name: "iq4_xs_dequantize",
  js: leaveToReference,
};
