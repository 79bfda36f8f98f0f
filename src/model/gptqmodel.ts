/**
 * What GPTQModel reads in the config of a checkpoint, of GPTQ or of AWQ.
 *
 * @module
 */

/**
 * What it reads of modules that are not quantized: of the head by a member of its own, of others by patterns.
 *
 * @param floats Their names.
 */
export function gptqModelFloats(
  floats: readonly string[],
): Readonly<Record<string, unknown>> {
  const isHead = (module: string) => /(^|\.)lm_head$/.test(module);
  const patterns = floats.filter((module) => !isHead(module)).map((module) =>
    [`-:^${module.replace(/[^\w]/g, "\\$&")}$`, {}] as const
  );
  return {
    lm_head: !floats.some(isHead),
    ...(patterns.length > 0 && { dynamic: Object.fromEntries(patterns) }),
  };
}
