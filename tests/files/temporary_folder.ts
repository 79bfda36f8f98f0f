import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

/** Runs `test` with a folder of its own beside this file, which is removed afterwards. */
export async function withFolder(
  test: (path: (name: string) => string) => Promise<void>,
) {
  const folder = await mkdtemp(join(import.meta.dirname!, ".scratch-"));
  try {
    await test((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true });
  }
}
