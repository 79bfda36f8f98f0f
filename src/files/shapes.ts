/**
 * Arithmetic on the shapes that files declare.
 *
 * @module
 */
import { TENSOR_RANK } from "./limits.ts";

/**
 * How many elements a shape has; checked so that no later product of its dimensions overflows.
 *
 * @param shape Dimensions as declared.
 * @returns The product.
 * @throws {RangeError} If a dimension is no integer from 0 to 2^53 - 1, if there
 * are too many of them, or if the product passes 2^53 - 1 (zeros taken as ones).
 */
export function countElements(shape: readonly number[]): number {
  if (shape.length > TENSOR_RANK) {
    throw new RangeError(
      `${shape.length} dimensions are above the limit of ${TENSOR_RANK}`,
    );
  }
  let product = 1;
  let empty = false;
  for (let axis = 0; axis < shape.length; axis++) {
    const dimension = shape[axis];
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new RangeError(
        `dimension ${axis} is ${dimension}, no integer from 0 to 2^53 - 1`,
      );
    }
    if (dimension === 0) empty = true;
    else product *= dimension;
    // A product of two safe integers is never rounded back below the limit.
    if (product > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`the dimensions multiply to more than 2^53 - 1`);
    }
  }
  return empty ? 0 : product;
}
