/**
 * The searches for better bytes that formats of `./js` can be asked for (`search`),
 * in plain JS. Imported for its effect.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise/js";
 * import { q4_0 } from "@nibblewise/nibblewise/js/formats";
 * import "@nibblewise/nibblewise/js/searches";
 *
 * const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
 * const q = quantize(values, { format: q4_0, search: "optimal" });
 * console.log(dequantize(q, { format: q4_0 }).length); // 64
 * ```
 *
 * @module
 */
import "../schemes/install_searches.ts";
