/**
 * The limits on what a file may claim, each with the attack that it stops.
 *
 * @module
 */

/**
 * Bytes of a safetensors header; the reference library's limit.
 *
 * Stops a length field that makes the reader swallow a file of any size as text.
 */
export const SAFETENSORS_HEADER_BYTES = 100_000_000;

/**
 * Characters of a `.npy` header; numpy's own limit.
 *
 * Stops a four-byte length field that makes the reader parse gigabytes.
 */
export const NPY_HEADER_BYTES = 10_000;

/**
 * Nesting of JSON in a header; a proper one is four deep.
 *
 * Stops ten thousand opening brackets from overflowing the stack.
 */
export const JSON_DEPTH = 16;

/**
 * Dimensions of a tensor; numpy's own limit.
 *
 * Stops a shape of a million ones, over which every loop about shapes would run.
 */
export const TENSOR_RANK = 64;

/**
 * Tensors in a file; the largest published checkpoints have some ten thousand in a shard.
 *
 * Stops a header that spends its bytes on millions of empty tensors, each of
 * which costs a hundred times its bytes in memory.
 */
export const TENSOR_COUNT = 1_000_000;
