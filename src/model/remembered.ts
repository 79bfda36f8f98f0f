/**
 * What was made of a shape and options last: tensors alike often follow each other,
 * and of small ones making it would take longer than all else.
 *
 * @module
 */

import { isSameShape } from "../numeric/shape.ts";

/** Makes something of a shape and options. */
export type Make<R, T> = (shape: readonly number[], options: R) => T;

/**
 * The same, made anew only where shape or options are others than the last time.
 *
 * @param make Depends on nothing else, and what it makes is not changed by anyone.
 */
export function remembered<R extends object, T>(
  make: Make<R, T>,
): Make<R, T> {
  let last: { shape: readonly number[]; options: R; made: T } | undefined;
  return (shape, options) => {
    if (
      last && isSameShape(shape, last.shape) &&
      areSame(options, last.options)
    ) {
      return last.made;
    }
    // Callers may change theirs.
    const own = { shape: [...shape], options: { ...options } };
    last = { ...own, made: make(own.shape, own.options) };
    return last.made;
  };
}

/** Whether two options are the same numbers, words and truths; arrays, whose content may change, are never the same. */
function areSame<R extends object>(a: R, b: R): boolean {
  const keys = Object.keys(a) as (keyof R)[];
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (a[key] !== b[key] || typeof a[key] === "object") return false;
  }
  return true;
}
