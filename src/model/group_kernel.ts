/**
 * The way there for tensors whose groups have a byte each, by a kernel that goes from
 * values to packed codes and bytes in one.
 *
 * @module
 */
import { engineFor, type Kernel, run } from "../kernels/engine.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { areFinite } from "../schemes/tiles.ts";
import type { EncodeContext } from "../words/scheme.ts";
import { areaOf, whole } from "../words/window.ts";
import { type ByteGroups, writeBytes } from "./byte_groups.ts";
import type { TensorBytes } from "./pack_tile.ts";
import type { Tensor } from "./stages.ts";
import { encodeWindow, prepassOf } from "./tensor.ts";

/** Values that go to the kernel at a time: what it leaves alone is in few of them, and only those go the generic way. */
const MOST_VALUES = 131072;

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
  const kernel = { name: groupKernel!.name, module };
  if (!engineFor(kernel)) return false;
  const { ofTensor } = groupKernel!;
  const known = { ...prepassOf(tensor, values, context), ...context };
  let number = 1, isDone = true;
  if (ofTensor) {
    if (!known.known) return false;
    number = Math.fround(ofTensor.find(known.known.absmax));
    if (Number.isNaN(number)) return false;
  }
  const numbers = groupKernel!.numbers(number);
  const { columns } = matrix, all = whole(matrix);
  const rows = Math.max(1, Math.floor(MOST_VALUES / columns));
  writeBytes(groups, matrix, parts[bytes], (first, count, own) => {
    for (let at = 0; at < count && isDone; at += rows * columns) {
      const n = Math.min(rows * columns, count - at), start = first + at;
      const some = values.subarray(start, start + n);
      const isEncoded = runKernel(kernel, group, numbers, [
        some,
        parts[codes].subarray(start / 2, (start + n) / 2),
        own.subarray(at / group, (at + n) / group),
      ]);
      if (isEncoded) continue;
      // Bytes in an order of their own are put there all at once.
      isDone = !groups.unit && areFinite(some);
      if (!isDone) return;
      const window = { ...all, row: start / columns, rows: n / columns };
      const target = { bytes: parts, area: all };
      encodeWindow(tensor, some, window, target, known);
    }
  });
  if (!isDone || !ofTensor) return isDone;
  const [part, { codec, at }] = shared.get(ofTensor.role)!;
  codec.store(Float32Array.of(number), parts[part], at);
  return true;
}

/** Runs the kernel on values, where their codes go, and their bytes; false where it leaves them alone. */
function runKernel(
  kernel: Kernel,
  group: number,
  numbers: readonly number[],
  [values, packed, bytes]: readonly [Float32Array, Uint8Array, Uint8Array],
): boolean {
  let isDone = true;
  run({
    kernel,
    count: values.length,
    step: group,
    operands: [
      { array: values, access: "read", bits: 32 },
      { array: packed, access: "write", bits: 4 },
      { array: bytes, access: "write", bytes: 1 },
      { array: space, access: "write" },
    ],
    numbers,
    again: () => void (isDone = false),
  });
  return isDone;
}
