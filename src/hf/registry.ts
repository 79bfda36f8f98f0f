/**
 * The families that are known: what a new one is entered in.
 *
 * @module
 */
import type { Family } from "./family.ts";
import { bert } from "./families/bert.ts";
import { gemma2 } from "./families/gemma2.ts";
import { gemma3 } from "./families/gemma3.ts";
import { llama } from "./families/llama.ts";
import { qwen2 } from "./families/qwen2.ts";
import { qwen3 } from "./families/qwen3.ts";
import { xlmRoberta } from "./families/xlm_roberta.ts";

/** All families, by name. */
export const families: readonly Family[] = [
  bert,
  gemma2,
  gemma3,
  llama,
  qwen2,
  qwen3,
  xlmRoberta,
];

/** The family of a class of transformers; undefined where none is known. */
export function familyOf(name: string): Family | undefined {
  return families.find(({ classes }) => classes.includes(name));
}

/** The classes that are known, in order. */
export function knownClasses(): readonly string[] {
  return families.flatMap(({ classes }) => classes).sort();
}
