/**
 * Shapes: checked, multiplied, seen as rows.
 *
 * @module
 */

/** How many values a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Length of the last axis; 1 for a scalar. */
export function rowLength(shape: readonly number[]): number {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

/** The same shape with another last axis; a scalar becomes one axis. */
export function withLastAxis(
  shape: readonly number[],
  length: number,
): number[] {
  return [...shape.slice(0, -1), length];
}

/** Whether two shapes are the same. */
export function isSameShape(
  a: readonly unknown[],
  b: readonly number[],
): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) {
    if (a[axis] !== b[axis]) return false;
  }
  return true;
}

/** Throws a RangeError unless every dimension is a whole number and the product is a safe integer. */
export function checkShape(shape: readonly number[], name = "shape"): void {
  shape.forEach((dimension, axis) => {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new RangeError(
        `Cannot take ${name} [${shape}]: dimension ${axis} is ${dimension}, not a whole number of 0 or more`,
      );
    }
  });
  if (!Number.isSafeInteger(sizeOf(shape))) {
    throw new RangeError(
      `Cannot take ${name} [${shape}]: it has more than 2^53 values`,
    );
  }
}

/** A shape as rows and columns: the last axis, and the product of the others. */
export function matrixOf(
  shape: readonly number[],
): { rows: number; columns: number } {
  const columns = rowLength(shape);
  return { rows: columns === 0 ? 0 : sizeOf(shape) / columns, columns };
}
