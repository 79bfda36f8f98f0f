/**
 * The native libraries of ggml and llama.cpp, for FFI.
 *
 * They come with the npm package `@node-llama-cpp/linux-x64`: x86-64, compiled
 * without fused multiply-add. Where one cannot be opened there is no peer, and
 * what needs it says so.
 *
 * @module
 */

/** Where the package keeps its libraries: what its only export returns. */
interface Binaries {
  getBinsDir(): { readonly binsDir: string; readonly packageVersion: string };
}

/** A folder of native libraries. */
export interface NativeFolder {
  /** Where they are. */
  readonly path: string;
  /** Version of the npm package that carries them. */
  readonly version: string;
}

/**
 * Looks up the native libraries and opens some.
 *
 * @param open Opens what is needed; may throw.
 * @returns What `open` returned, or undefined with a note on stderr where that is not to be had.
 */
export async function openNative<T>(
  open: (folder: NativeFolder) => T,
): Promise<T | undefined> {
  try {
    const { getBinsDir } = await import(
      "@node-llama-cpp/linux-x64"
    ) as Binaries;
    const { binsDir, packageVersion } = getBinsDir();
    return open({ path: `${binsDir}/linux-x64`, version: packageVersion });
  } catch (error) {
    const reason = error instanceof Error
      ? error.message.split("\n", 1)[0]
      : String(error);
    console.error(
      `native ggml is not available, comparisons with it are skipped: ${reason}`,
    );
    return undefined;
  }
}
