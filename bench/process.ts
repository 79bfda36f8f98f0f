/**
 * Processes that are timed.
 *
 * @module
 */

/** What one process took. */
export interface Run {
  readonly milliseconds: number;
  /** Peak of resident memory in MiB; 0 where it cannot be asked for. */
  readonly mebibytes: number;
}

/** The high-water mark of a process's resident memory in MiB, while it lives. */
async function peakOf(pid: number): Promise<number> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0; // another system, or the process has ended
  }
}

/**
 * Runs Deno, or another program.
 *
 * @param args Its arguments.
 * @param program Its path.
 * @returns What it took; throws where it fails.
 */
export async function run(
  args: readonly string[],
  program: string = Deno.execPath(),
): Promise<Run> {
  const start = performance.now();
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  })
    .spawn();
  let mebibytes = 0;
  const watch = setInterval(
    async () => mebibytes = Math.max(mebibytes, await peakOf(child.pid)),
    20,
  );
  const { success, stderr } = await child.output();
  const milliseconds = performance.now() - start;
  clearInterval(watch);
  if (!success) {
    throw new Error(
      `${program} ${args.join(" ")} failed: ${
        new TextDecoder().decode(stderr)
      }`,
    );
  }
  return { milliseconds, mebibytes };
}
