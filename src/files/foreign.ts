/**
 * Tensors that another program has quantized in a way that is not known here.
 *
 * Their parts look like plain tensors: integers or eight-bit floats that hold
 * codes, floats that hold scales. Taken for weights they would be quantized once
 * more, and the model would be ruined without a word. They are told by names:
 * the tensors of a module are those up to the last point, and one of them is
 * called as scales are.
 *
 * @module
 */
import { quote } from "./errors.ts";
import { moduleOf } from "./modules.ts";
import type { TensorEntry } from "./tensors.ts";

/** What scales, zero points and tables are called, at the end of a name. */
const MARK =
  /(^|[._])(q?scales?(_inv|_2)?|biases|absmax|q?zeros?|zero_points?|quant_map|codebooks?|scb|suh|svh)$/i;

/** Of those, what nothing else is called. */
const CERTAIN = /([._])(weight_scale(_inv|_2)?|absmax|quant_map)$|\.SCB$/;

/** What ModelOpt's models have beside a weight, in a module of its own. */
const COMPRESSED = /\.weight_quantizer\.(_(double_)?scale)$/;

/** Elements that codes are packed in; wider integers are positions and indices. */
const PACKED =
  /^(U8|I8|U16|I16|U32|I32|F4|F6_E2M3|F6_E3M2|F8_E4M3|F8_E5M2|F8_E4M3FNUZ|F8_E5M2FNUZ)$/;

/** Parts that a message names. */
const SHOWN_PARTS = 3;

/** Whether a tensor may hold codes: a weight may have lost its axes when it was packed. */
export function mayBeCodes({ name, dtype, shape }: TensorEntry): boolean {
  return PACKED.test(dtype) &&
    (shape.length >= 2 || shape.length === 1 && name.endsWith(".weight"));
}

/**
 * Finds what another program has quantized.
 *
 * @param entries Entries of a file that are nothing else yet.
 * @param config The settings of quantization beside the file, where no tensor is known by them.
 * @returns Why the values of an entry are not known, by the entry.
 */
export function foreignTensors(
  entries: readonly TensorEntry[],
  config?: unknown,
): Map<TensorEntry, string> {
  const found = new Map<TensorEntry, string>();
  for (const [module, members] of modulesOf(entries)) {
    const marks = members.filter(({ name }) => MARK.test(name));
    const codes = members.filter((e) => mayBeCodes(e) && !marks.includes(e));
    const isForeign = marks.some(({ name }) => CERTAIN.test(name)) ||
      marks.length > 0 && codes.length > 0;
    if (!isForeign) continue;
    const reason = reasonFor(module, members);
    for (const entry of members) found.set(entry, reason);
  }
  const method = methodOf(config);
  if (method === undefined || found.size > 0) return found;
  for (const entry of entries.filter(mayBeCodes)) {
    found.set(
      entry,
      `another program has quantized it, by the config with ${
        quote(method)
      }, in a format that is not known here`,
    );
  }
  return found;
}

function reasonFor(module: string, members: readonly TensorEntry[]): string {
  if (members.some(({ name }) => COMPRESSED.test(name))) {
    return `ModelOpt has compressed ${
      quote(module)
    } in memory (INT4QTensor, NVFP4QTensor), which is not read: write it with export_hf_checkpoint instead of compress`;
  }
  const shown = members.slice(0, SHOWN_PARTS)
    .map(({ name, dtype }) => `${quote(name)} ${dtype}`).join(", ");
  return `another program has quantized ${
    quote(module)
  } in a format that is not known here (${shown}${
    members.length > SHOWN_PARTS ? ", …" : ""
  })`;
}

/** The entries by module; where the parts of a tensor hang below its own name, the tensor is with them. */
function modulesOf(
  entries: readonly TensorEntry[],
): Map<string, TensorEntry[]> {
  const modules = new Map<string, TensorEntry[]>();
  for (const entry of entries) {
    const module = moduleOf(entry.name.replace(COMPRESSED, ".$1"));
    const members = modules.get(module);
    if (members) members.push(entry);
    else modules.set(module, [entry]);
  }
  for (const entry of entries) modules.get(entry.name)?.push(entry);
  return modules;
}

function methodOf(config: unknown): string | undefined {
  const method = (config as { quant_method?: unknown } | undefined)
    ?.quant_method;
  return typeof method === "string" ? method : undefined;
}
