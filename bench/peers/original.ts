/**
 * `int4` with one scale per tensor, against the original module under numpy and a
 * naive loop.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import * as nibblewise from "../../mod.ts";
import { weights } from "../cases.ts";
import { type Contender, contender, type Contest } from "../contest.ts";
import { naiveDequantize, naiveQuantize } from "./naive.ts";
import { type Original, type OriginalMethod, startOriginal } from "./numpy.ts";
import {
  memcpy,
  ownDequantizers,
  ownOnFreshMemory,
  ownQuantizers,
} from "./own.ts";

/** Fails when the original does not agree: a comparison of different work is worth nothing. */
async function assertSameBytes(
  original: Original,
  method: OriginalMethod,
  values: number,
): Promise<void> {
  const floats = weights(new Float32Array(values));
  const quantized = nibblewise.quantize(floats, {
    format: "int4",
    scaleMethod: method,
  });
  const { codes } = quantized.parts;
  const own = {
    packed: crc32(codes.data),
    values: crc32(bytesOf(nibblewise.dequantize(quantized))),
  };
  const theirs = await original.checksum(method);
  if (own.packed !== theirs.packed || own.values !== theirs.values) {
    throw new Error(
      `int4 ${method} and the original module disagree: ${
        JSON.stringify({ own, theirs })
      }`,
    );
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function* contestsWith(
  original: Original | undefined,
  values: number,
): Generator<Contest> {
  for (const method of ["absmax", "minmax"] as const) {
    const options = { format: "int4", scaleMethod: method } as const;
    const floats = weights(new Float32Array(values));
    const packed = new Uint8Array(values / 2);
    const scale = naiveQuantize(floats, packed);
    for (const operation of ["quantize", "dequantize"] as const) {
      const own = operation === "quantize"
        ? ownQuantizers(options, values)
        : ownDequantizers(options, values);
      const naive = operation === "quantize"
        ? contender(
          "naive JS loop",
          "reused",
          () => void naiveQuantize(floats, packed),
        )
        : contender(
          "naive JS loop",
          "reused",
          () => naiveDequantize(packed, scale, floats),
        );
      const numpy: Contender[] = original
        ? [{
          name: "original (numpy)",
          memory: "fresh",
          time: () => original.time(operation, method),
        }]
        : [];
      const contenders = [
        ...numpy,
        ...(method === "absmax" ? [naive] : []),
        ...own,
        ownOnFreshMemory(operation, options, values),
        memcpy(values),
      ];
      const title = operation === "quantize"
        ? "quantize + pack"
        : "unpack + dequantize";
      yield { title: `int4 ${method}: ${title}`, values, contenders };
    }
  }
}

/** The contests of `int4`, the original's bytes compared first. */
export async function* originalContests(
  values: number,
  wanted: string,
): AsyncGenerator<Contest> {
  if (!"int4".includes(wanted)) return;
  const original = await startOriginal(weights(new Float32Array(values)));
  try {
    if (original) {
      for (const method of ["absmax", "minmax"] as const) {
        await assertSameBytes(original, method, values);
      }
    }
    yield* contestsWith(original, values);
  } finally {
    await original?.close();
  }
}
