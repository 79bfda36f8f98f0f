/**
 * Files that are read.
 *
 * @module
 */
import { openTensorFile } from "../files/open.ts";
import type { TensorFile } from "../files/tensors.ts";
import type { Call, Flag } from "./command.ts";
import { choice } from "./flags.ts";

/** What a `.npy` or `.npz` may not say of its elements. */
const DTYPES = [
  ...["bf16", "f8_e4m3", "f8_e5m2", "f8_e8m0"] as const,
  ...["int4", "uint4", "float4_e2m1fn", "i8", "u8"] as const,
];

/** The flag that says it. */
export const DTYPE_FLAG: Flag = {
  name: "dtype",
  takes: "DTYPE",
  help:
    "what the bytes of a .npy or .npz are: bf16, f8_e4m3, f8_e5m2, f8_e8m0, int4, uint4 or float4_e2m1fn where it does not say; i8 or u8 as values",
};

/**
 * Opens a file, does something with it and closes it.
 *
 * @param call The call; may know `--dtype`.
 * @param path The file; `-` is standard input.
 * @param work What to do.
 * @param ifOpen Whether `--dtype` is for one of several files.
 * @returns What `work` returns.
 */
export async function withFile<T>(
  call: Call,
  path: string,
  work: (file: TensorFile) => Promise<T>,
  ifOpen = false,
): Promise<T> {
  const file = await openTensorFile(path, {
    dtype: choice(call, "dtype", DTYPES),
    ifOpen,
  });
  try {
    return await work(file);
  } finally {
    // It was only read: a failure to close changes nothing.
    await file.source.close().catch(() => {});
  }
}
