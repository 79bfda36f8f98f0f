/**
 * Reading the config file of a checkpoint: JSON that says whatever it likes.
 *
 * @module
 */

/** A member of a parsed JSON object; undefined where the value is no object or has no such member of its own. */
export function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** Whether a parsed JSON value is an object, no array. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value for a message: short and on one line. */
export function shownValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The settings of quantization: those in a config file, or the value itself where it is them. */
export function settingsOf(config: unknown): unknown {
  return memberOf(config, "quantization_config") ?? config;
}
