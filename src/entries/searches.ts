/**
 * The searches for better bytes that formats of `./core` can be asked for
 * (`search`), with their WebAssembly kernels. Imported for its effect.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise/core";
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 * import "@nibblewise/nibblewise/searches";
 *
 * const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
 * const q = quantize(values, { format: q4_0, search: "optimal" });
 * console.log(dequantize(q, { format: q4_0 }).length); // 64
 * ```
 *
 * @module
 */
import "../kernels/install_scales.ts";
import "../layouts/install_tiles.ts";
import "../model/install_searches.ts";
