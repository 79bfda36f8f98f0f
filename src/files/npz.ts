/**
 * numpy's `.npz`: a zip archive of `.npy` files, stored or deflated.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { printable, quote } from "./errors.ts";
import { joinSources } from "./joined_source.ts";
import { ZIP_INFLATED_BYTES } from "./limits.ts";
import { openNpy } from "./npy.ts";
import type { NpyOptions } from "./npy_dtype.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";
import { readZip, type ZipEntry, zipMember } from "./zip.ts";

const ENDING = ".npy";

/**
 * Opens an `.npz`: every array is a tensor, named as in the archive. Arrays of
 * texts, times and objects are listed, but nothing reads them.
 *
 * @param source The archive.
 * @param options What the headers do not say; it holds for the arrays that it fits.
 * @returns The tensors. Their bytes are those of the arrays, inflated when they are read.
 * @throws {SyntaxError} If it is no archive of arrays, damaged, or lies about itself.
 */
export async function openNpz(
  source: ByteSource,
  options: NpyOptions = {},
): Promise<TensorFile> {
  const entries = await arraysOf(source);
  const members = entries.map((entry) => zipMember(source, entry));
  const whole = joinSources(source.name, members);
  const tensors: TensorEntry[] = [];
  for (const [i, member] of members.entries()) {
    const name = entries[i].name.slice(0, -ENDING.length);
    const array = await openNpy(member, name, {
      dtype: options.dtype,
      ifOpen: true,
      anything: true,
    });
    const [tensor] = array.tensors;
    tensors.push({ ...tensor, offset: tensor.offset + whole.starts[i] });
  }
  const { dtype, ifOpen } = options;
  if (
    dtype !== undefined && !ifOpen &&
    !tensors.some((one) => one.dtype === dtype)
  ) {
    throw new RangeError(
      `Cannot read ${source.name} as ${
        printable(dtype)
      }: none of its arrays is so`,
    );
  }
  return {
    container: "npz",
    tensors,
    metadata: new Map(),
    source: {
      name: source.name,
      size: whole.source.size,
      read: (offset, into) => whole.source.read(offset, into),
      async close() {
        await whole.source.close();
        await source.close();
      },
    },
  };
}

/** The arrays of an archive, which has nothing else. */
async function arraysOf(source: ByteSource): Promise<ZipEntry[]> {
  const where = `Cannot read ${source.name} as .npz`;
  const entries = await readZip(source).catch((error) => {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(`${where}: ${error.message}`, { cause: error });
  });
  const stranger = entries.find(({ name }) => !name.endsWith(ENDING));
  if (stranger) {
    throw new SyntaxError(
      `${where}: it is a zip archive, but ${
        quote(stranger.name)
      } in it is no ${ENDING}; what PyTorch saved so, save as .safetensors`,
    );
  }
  const inflated = entries.reduce(
    (sum, { deflated, size }) => deflated ? sum + size : sum,
    0,
  );
  if (inflated <= ZIP_INFLATED_BYTES) return entries;
  throw new SyntaxError(
    `${where}: its arrays take ${inflated} bytes once inflated, and the limit is ${ZIP_INFLATED_BYTES}; save them with numpy.savez`,
  );
}
