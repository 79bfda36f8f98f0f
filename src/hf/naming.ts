/**
 * What a model is called: `general.name` and `general.size_label`, by gguf-py's rules.
 *
 * @module
 */

/**
 * The name of a model as a title.
 *
 * @param id `_name_or_path` of its config, where that is no path of a computer.
 * @param folder The name of its folder.
 */
export function nameOfModel(id: string | undefined, folder: string): string {
  const isId = id !== undefined && id !== "" && id.split("/").length <= 2;
  const name = isId ? id.slice(id.indexOf("/") + 1) : folder;
  if (name.includes(" ")) return name.trim();
  return name.replaceAll("-", " ").trim().split(/\s+/).map(titled).join(" ");
}

/** A word with a capital, unless it has some, or is a version or number. */
function titled(word: string): string {
  const isLower = word === word.toLowerCase() && word !== word.toUpperCase();
  if (!isLower || /^(v\d+(\.\d+)*|\d.*)$/.test(word)) return word;
  return word.replace(
    /\p{L}+/gu,
    (letters) => letters[0].toUpperCase() + letters.slice(1),
  );
}

const UNITS: readonly (readonly [above: number, unit: string])[] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
];

/** How many parameters a model has, in two digits at least: `23M`, `6.7B`. */
export function sizeLabel(parameters: number): string {
  const [scale, unit] = UNITS.find(([above]) => parameters > above) ??
    [1e3, "K"];
  const scaled = parameters / scale;
  const digits = String(Math.round(scaled)).replace(/^0+/, "").length;
  return scaled.toFixed(Math.max(2 - digits, 0)) + unit;
}
