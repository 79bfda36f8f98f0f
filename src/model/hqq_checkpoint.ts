/**
 * HQQ's checkpoints: the names of entries, what single numbers among them say, and
 * the settings in `config.json`.
 *
 * ```text
 * {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64, "axis": 1, …}},
 *  "skip_modules": ["lm_head"]}
 * ```
 *
 * @module
 */
import { memberOf, shownValue } from "./config.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { Candidate, Convention } from "../words/format.ts";

/** Throws the reason why a candidate is none that can be read. */
type Fail = (fault: string) => never;

/** How values are grouped. */
interface Groups {
  readonly groupSize: number | "row";
  readonly axis: number;
}

/** What of the options the config tells. */
interface Settings extends Groups {
  readonly viewAsFloat: boolean;
}

/** Axes that any tensor library has at most. */
const MOST_AXES = 64;

/**
 * The value of an entry that holds one number.
 *
 * @param candidate The entries.
 * @param name Which.
 * @param fail Throws the reason why it is none.
 */
export function scalarOf(
  { parts, bytes }: Candidate,
  name: string,
  fail: Fail,
): number {
  const { dtype, shape } = parts[name], data = bytes?.(name);
  if (dtype !== "I32" || shape.length > 0 || data?.length !== 4) {
    return fail(`its ${name} is ${dtype} [${shape}], not a number in I32`);
  }
  return data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24;
}

/**
 * The logical shape, as an entry has it.
 *
 * @param candidate The entries.
 * @param fail Throws the reason why it is none.
 */
export function shapeOf(
  { parts, bytes }: Candidate,
  fail: Fail,
): number[] {
  const { dtype, shape } = parts.shape, data = bytes?.("shape");
  const axes = shape.length === 1 ? shape[0] : 0;
  if (
    dtype !== "I64" || axes < 1 || axes > MOST_AXES ||
    data?.length !== 8 * axes
  ) return fail(`its shape is ${dtype} [${shape}], not a list in I64`);
  const words = new BigInt64Array(data.slice().buffer);
  if (words.some((n) => n < 0 || n > Number.MAX_SAFE_INTEGER)) {
    fail(`its shape is [${words}]`);
  }
  const found = Array.from(words, Number);
  return Number.isSafeInteger(sizeOf(found))
    ? found
    : fail(`its shape is [${found}]`);
}

/**
 * Holds the settings in the config to what the entries say.
 *
 * @param candidate The entries.
 * @param found Values that share a scale, the same as an option, and the axis.
 * @param fail Throws what contradicts.
 */
export function checkSettings(
  { config }: Candidate,
  { size, groupSize, axis }: Groups & { readonly size: number },
  fail: Fail,
): void {
  const all = memberOf(config, "quantization_config") ?? config;
  const settings = memberOf(
    memberOf(all, "quant_config"),
    "weight_quant_params",
  );
  const expected = {
    nbits: 4,
    group_size: size,
    axis,
  };
  for (const [name, value] of Object.entries(expected)) {
    const said = memberOf(settings, name);
    const row = name === "group_size" && said === null && groupSize === "row";
    if (said === undefined || said === value || row) continue;
    fail(
      `the config says ${name} ${shownValue(said)}, its parts ${
        shownValue(value)
      }`,
    );
  }
}

const META = [
  ...["shape", "nbits", "group_size", "axis", "packing", "compute_dtype"],
  ...["unpack_view_dtype", "view_as_float", "round_zero", "optimize"],
  ...["channel_wise", "offload_meta", "quant_scale", "quant_zero"],
  ...["stores_quant_config", "encoded_state_dict"],
];

/** What transformers calls the modules of all layers that are like this one. */
function tagOf(module: string): string {
  return module.split(".").filter((name) =>
    name !== "model" && name !== "layers" && !/^\d+$/.test(name)
  ).join(".");
}

/**
 * The convention of HQQ.
 *
 * @param recognize Tells shape and options of a candidate.
 */
export function hqqConvention(recognize: Convention["recognize"]): Convention {
  return {
    entries: Object.fromEntries(
      ["W_q", "scale", "zero", ...META].map((name) => [name, `{stem}.${name}`]),
    ),
    library: "HQQ",
    needed: ["W_q", "scale", "zero", "shape", "nbits", "group_size", "axis"],
    recognize,
    layers: "linear",
    config(options, floats = []): Readonly<Record<string, unknown>> {
      const { groupSize, axis, viewAsFloat } = options as Settings;
      return {
        quantization_config: {
          quant_method: "hqq",
          quant_config: {
            weight_quant_params: {
              nbits: 4,
              channel_wise: true,
              group_size: groupSize === "row" ? null : groupSize,
              optimize: false,
              round_zero: false,
              axis,
              view_as_float: viewAsFloat,
            },
            scale_quant_params: null,
            zero_quant_params: null,
            offload_meta: false,
          },
          skip_modules: [...new Set(floats.map(tagOf))],
        },
      };
    },
  };
}
