/**
 * Which library has quantized a checkpoint.
 *
 * @module
 */
import { QUANTIZED_KEY } from "../files/quantized.ts";
import type { TensorFile } from "../files/tensors.ts";
import { memberOf } from "../model/config.ts";
import type { Tensor } from "./tensors.ts";

/**
 * What has quantized the tensors of a file: what the file or the config beside it
 * names, and else whose conventions it follows.
 *
 * @param file The file.
 * @param tensors Its tensors.
 * @returns Names, with versions where these are known; none where nothing is quantized.
 */
export async function librariesOf(
  file: TensorFile,
  tensors: readonly Tensor[],
): Promise<string[]> {
  const some = tensors.filter(({ quantized, foreign }) => quantized ?? foreign);
  if (some.length === 0 || file.container !== "safetensors") return [];
  const own = file.metadata.get(QUANTIZED_KEY);
  if (own !== undefined) return ["nibblewise"];
  const settings = await file.config?.();
  const named = writerIn(settings);
  if (named !== undefined) return [named];
  const version = textOf(memberOf(settings, "version"));
  const libraries = some.flatMap(({ quantized }) =>
    quantized?.format.convention?.library ??
      textOf(memberOf(settings, "quant_method")) ?? []
  );
  return Array.from(new Set(libraries), (name) => withVersion(name, version));
}

/** Who says in the settings to have written them: ModelOpt, GPTQModel. */
function writerIn(settings: unknown): string | undefined {
  const producer = memberOf(settings, "producer");
  const [name, version] = ["name", "version"].map((key) =>
    textOf(memberOf(producer, key))
  );
  if (name !== undefined) return withVersion(name, version);
  const quantizer = memberOf(memberOf(settings, "meta"), "quantizer");
  return textOf(Array.isArray(quantizer) ? quantizer[0] : quantizer)
    ?.replace(":", " ");
}

/** Some have the name of a layout for a version. */
function withVersion(name: string, version: string | undefined): string {
  return version && /^\d/.test(version) ? `${name} ${version}` : name;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
