/**
 * Small checkpoints of other libraries in `tests/vectors`: their tensors as parts,
 * their names as candidates of a format.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { rootUrl } from "../modules.ts";
import { bf16ToF32 } from "../../src/numeric/bf16.ts";
import { f16ToF32 } from "../../src/numeric/f16.ts";
import { ARRAYS, type Dtype } from "../../src/words/dtypes.ts";
import type { Candidate, Format, Part, Parts } from "../../src/words/format.ts";

/** The path of a folder of vectors. */
export function vectorFolder(name: string): URL {
  return new URL(`tests/vectors/${name}/`, rootUrl);
}

/** The tensors of a safetensors file whose bytes are to be trusted, by name. */
export async function tensorsOf(url: URL): Promise<Parts> {
  const bytes = new Uint8Array(await readFile(url));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const { __metadata__: _, ...entries } = JSON.parse(text);
  return Object.fromEntries(
    Object.entries<
      { dtype: Dtype; shape: number[]; data_offsets: [number, number] }
    >(entries).map(([name, { dtype, shape, data_offsets: [from, to] }]) => [
      name,
      {
        dtype,
        shape,
        data: new ARRAYS[dtype](
          bytes.slice(8 + length + from, 8 + length + to).buffer,
        ),
      },
    ]),
  );
}

/** JSON beside a checkpoint. */
export async function jsonOf(url: URL): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await readFile(url)));
}

/** The values of a tensor of floats. */
export function floatsOf({ dtype, data }: Part): Float32Array {
  const decode: Partial<Record<Dtype, (x: number) => number>> = {
    F32: (x) => x,
    F16: f16ToF32,
    BF16: bf16ToF32,
  };
  return Float32Array.from(data as Uint16Array, decode[dtype]!);
}

/** The parts of the tensor `stem`, under the names that a format gives them. */
export function partsOf(format: Format, tensors: Parts, stem: string): Parts {
  return Object.fromEntries(
    Object.entries(format.convention!.entries).flatMap(([part, template]) => {
      const entry = tensors[template.replace("{stem}", stem)];
      return entry ? [[part, entry]] : [];
    }),
  );
}

/** A tensor as a candidate. */
export function candidateOf(
  parts: Candidate["parts"],
  config?: unknown,
  stem?: string,
): Candidate {
  return { parts, config, stem, text: () => undefined };
}
