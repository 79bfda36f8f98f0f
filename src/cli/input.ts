/**
 * Files that are read.
 *
 * @module
 */
import { openTensorFile } from "../files/open.ts";
import type { TensorFile } from "../files/tensors.ts";
import type { Call, Flag } from "./command.ts";
import { choice } from "./flags.ts";

/** What a `.npy` file does not say. */
export const DTYPE_FLAG: Flag = {
  name: "dtype",
  takes: "DTYPE",
  help: "bf16: take the opaque pairs of bytes of a .npy file for bfloat16",
};

/**
 * Opens a file, does something with it and closes it.
 *
 * @param call The call; may know `--dtype`.
 * @param path The file; `-` is standard input.
 * @param work What to do.
 * @returns What `work` returns.
 */
export async function withFile<T>(
  call: Call,
  path: string,
  work: (file: TensorFile) => Promise<T>,
): Promise<T> {
  const file = await openTensorFile(path, {
    dtype: choice(call, "dtype", ["bf16"]),
  });
  try {
    return await work(file);
  } finally {
    // It was only read: a failure to close changes nothing.
    await file.source.close().catch(() => {});
  }
}
