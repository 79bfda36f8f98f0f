/**
 * JSON that people keep, with some members changed.
 *
 * @module
 */
import { type Json, parseJson } from "./json.ts";

/**
 * Changes members of an object in a text of JSON. Its numbers stay as they are
 * written: programs tell `10000.0` from `10000`, which JavaScript does not.
 *
 * @param text The text of an object.
 * @param changes New values by key; undefined takes a member away.
 * @returns The text with all else as it was, indented by two.
 * @throws {SyntaxError} If it is no JSON, or no object.
 */
export function changeMembers(
  text: string,
  changes: ReadonlyMap<string, unknown>,
): string {
  // A number of the tree is the place of its text.
  const numbers: string[] = [];
  const root = parseJson(text, (literal) => numbers.push(literal) - 1);
  if (!(root instanceof Map)) throw new SyntaxError("it is no object");
  const members = new Map(
    Array.from(root, ([key, value]) => [key, write(value, numbers, "  ")]),
  );
  for (const [key, value] of changes) {
    if (value === undefined) members.delete(key);
    else members.set(key, indented(JSON.stringify(value, null, 2)));
  }
  return `${
    block("{", "}", Array.from(members, ([key, v]) => [key, v]), "")
  }\n`;
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n  ");
}

function write(value: Json, numbers: readonly string[], space: string): string {
  if (typeof value === "number") return numbers[value];
  const inner = `${space}  `;
  if (Array.isArray(value)) {
    const items = value.map((item): [undefined, string] => [
      undefined,
      write(item, numbers, inner),
    ]);
    return block("[", "]", items, space);
  }
  if (value instanceof Map) {
    const items = Array.from(value, ([key, item]): [string, string] => [
      key,
      write(item, numbers, inner),
    ]);
    return block("{", "}", items, space);
  }
  return JSON.stringify(value);
}

function block(
  open: string,
  close: string,
  items: readonly (readonly [key: string | undefined, text: string])[],
  space: string,
): string {
  if (items.length === 0) return open + close;
  const lines = items.map(([key, text]) =>
    `${space}  ${key === undefined ? "" : `${JSON.stringify(key)}: `}${text}`
  );
  return `${open}\n${lines.join(",\n")}\n${space}${close}`;
}
