/**
 * The way there for tensors whose groups have a byte each, by a kernel that goes from
 * values to packed codes and bytes in one.
 *
 * @module
 */
import { run } from "../kernels/engine.ts";
import type { KernelModule } from "../kernels/modules.ts";
import type { EncodeContext } from "../words/scheme.ts";
import { areaOf, whole } from "../words/window.ts";
import { type ByteGroups, writeBytes } from "./byte_groups.ts";
import type { TensorBytes } from "./pack_tile.ts";
import type { Tensor } from "./stages.ts";
import { prepassOf } from "./tensor.ts";

/** What the kernel works in: see src/kernels/wasm/group_encode.ts. */
const space = /* @__PURE__ */ new Uint8Array(11776);

/**
 * Quantizes a tensor; false where that is to be done the generic way: there is no
 * kernel, or a number is none that it can do.
 *
 * @param module The kernels for it.
 * @param tensor The tensor.
 * @param groups Where everything lies.
 * @param values Its values, row by row.
 * @param parts The bytes of its parts.
 */
export function encodeByKernel(
  module: KernelModule,
  tensor: Tensor,
  groups: ByteGroups,
  values: Float32Array,
  parts: TensorBytes["bytes"],
  context: EncodeContext = {},
): boolean {
  const { scheme: { groupKernel, encode }, layout: { matrix } } = tensor;
  const { codes, bytes, group, shared } = groups;
  // What is cut to the largest number of a type is cut before it is measured.
  const isPlain = groupKernel?.encode === encode &&
    context.overflow !== "clamp";
  if (!isPlain || areaOf(whole(matrix)) === 0) return false;
  const { ofTensor } = groupKernel!;
  let number = 1, isDone = true;
  if (ofTensor) {
    const known = context.known ?? prepassOf(tensor, values, context)?.known;
    if (!known) return false;
    number = Math.fround(ofTensor.find(known.absmax));
  }
  const kernel = { name: groupKernel!.name, module };
  const numbers = groupKernel!.numbers(number);
  writeBytes(groups, matrix, parts[bytes], (first, count, own) => {
    const end = first + count;
    const packed = parts[codes].subarray(first / 2, end / 2);
    run({
      kernel,
      count,
      step: group,
      operands: [
        { array: values.subarray(first, end), access: "read", bits: 32 },
        { array: packed, access: "write", bits: 4 },
        { array: own, access: "write", bytes: 1 },
        { array: space, access: "write" },
      ],
      numbers,
      again: () => void (isDone = false),
    });
  });
  if (!isDone || !ofTensor) return isDone;
  const [part, { codec, at }] = shared.get(ofTensor.role)!;
  codec.store(Float32Array.of(number), parts[part], at);
  return true;
}
