/**
 * Python and its packages, for tests that let other libraries judge.
 *
 * @module
 */

/** The Python that has the libraries, named by NIBBLEWISE_PYTHON where it is not the one of the system. */
const python = Deno.env.get("NIBBLEWISE_PYTHON") ?? "python3";

/**
 * Whether Python can import packages; says on the console what is missed where it cannot.
 *
 * @param packages Their names.
 * @param missed What is not tested without them.
 * @param install The name by which the first is installed.
 */
export async function hasPython(
  packages: readonly string[],
  missed: string,
  install = packages[0],
): Promise<boolean> {
  const args = ["-c", `import ${packages.join(", ")}`];
  const found = await runPython(args).then(
    ({ success }) => success,
    () => false,
  );
  if (!found) {
    console.log(
      `${
        packages[0]
      } is not there: ${missed} (pip install ${install}, NIBBLEWISE_PYTHON)`,
    );
  }
  return found;
}

/** What a run of Python came to, its outputs as text. */
export interface PythonRun {
  /** Whether it ended well. */
  readonly success: boolean;
  /** What it printed. */
  readonly out: string;
  /** What it complained about. */
  readonly err: string;
}

/** Runs Python. Rejects where there is none. */
export async function runPython(
  args: string[],
  env: Record<string, string> = {},
): Promise<PythonRun> {
  const command = new Deno.Command(python, { args, env });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
