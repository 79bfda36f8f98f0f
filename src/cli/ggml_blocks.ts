/**
 * Values of blocks of ggml's types that are no formats of this program.
 *
 * @module
 */
import type { GgmlLayout } from "../ggml/table.ts";
import type { ByteReader } from "../stream/bytes.ts";
import type { ByteMemory } from "../stream/memory.ts";
import type { Row } from "../stream/values.ts";

/** Blocks in a file, one after the other. */
export class GgmlBlocks implements Row {
  readonly #source: ByteReader;
  readonly #start: number;
  readonly #layout: GgmlLayout;

  /**
   * @param source What the blocks lie in.
   * @param start Offset of the first.
   * @param layout How they lie.
   */
  constructor(source: ByteReader, start: number, layout: GgmlLayout) {
    this.#source = source;
    this.#start = start;
    this.#layout = layout;
  }

  /** Reads the blocks around a stretch; how they are decoded is loaded with the first, since few files have them. */
  async read(
    first: number,
    out: Float32Array,
    memory: ByteMemory,
  ): Promise<() => void> {
    const { name, blockSize, blockBytes } = this.#layout;
    const { ggmlTypes } = await import("../ggml/mod.ts");
    const { dequantize } = ggmlTypes.get(name)!;
    const block = Math.floor(first / blockSize), skipped = first % blockSize;
    const blocks = Math.ceil((skipped + out.length) / blockSize);
    memory.reset(blocks * blockBytes, 1);
    const bytes = memory.take(blocks * blockBytes);
    await this.#source.read(this.#start + block * blockBytes, bytes);
    return () => {
      if (skipped === 0 && out.length % blockSize === 0) {
        return dequantize(bytes, out);
      }
      const values = new Float32Array(blocks * blockSize);
      dequantize(bytes, values);
      out.set(values.subarray(skipped, skipped + out.length));
    };
  }
}
