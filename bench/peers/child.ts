/**
 * Child processes that answer a line of JSON for a line of JSON, so that their
 * rounds take turns with everybody else's.
 *
 * @module
 */

/** A process that answers a line for a line. */
export interface Child {
  /** Sends a request and waits for what comes back. */
  ask(request: object): Promise<unknown>;
  /** Lets the process end. */
  close(): Promise<void>;
}

/** The Python that peers run in: the one of the system, or that of `NIBBLEWISE_PYTHON`. */
export const python: string = Deno.env.get("NIBBLEWISE_PYTHON") ?? "python3";

/** One thread for everybody, and nothing left in the folder of the script. */
const PYTHON_ENVIRONMENT: Readonly<Record<string, string>> = {
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  PYTHONDONTWRITEBYTECODE: "1",
};

/** Makes malloc of glibc hand out again what was freed: a process that gets its results into pages it has touched. */
export const REUSED_MEMORY: Readonly<Record<string, string>> = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: String(2 ** 40),
};

/** Starts a script of Python. */
export function startPython(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Child {
  return startChild(python, [script], {
    env: { ...PYTHON_ENVIRONMENT, ...env },
  });
}

/** Starts a program; what it tells on stderr is not shown. */
export function startChild(
  program: string,
  args: readonly string[],
  where: Pick<Deno.CommandOptions, "cwd" | "env"> = {},
): Child {
  const child = new Deno.Command(program, {
    ...where,
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  ).getReader();
  const encoder = new TextEncoder();
  return {
    async ask(request) {
      await writer.write(encoder.encode(JSON.stringify(request) + "\n"));
      const { value, done } = await lines.read();
      if (done) throw new Error(`${program} ${args.join(" ")} has ended`);
      return JSON.parse(value);
    },
    async close() {
      // Whoever has ended already reads no more.
      await writer.close().catch(() => {});
      await lines.cancel();
      await child.status;
    },
  };
}

/** Whether a program is there and ends well. */
export async function succeeds(
  program: string,
  args: readonly string[],
  cwd?: string,
): Promise<boolean> {
  try {
    const command = new Deno.Command(program, {
      args: [...args],
      cwd,
      stdout: "null",
      stderr: "null",
    });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/** Says on stderr that somebody does not take part. */
export function leftOut(what: string, why: string): void {
  console.error(`note: ${what} is left out: ${why}`);
}

/** Cuts a stream of text at line feeds. */
class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
