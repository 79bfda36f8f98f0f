/**
 * The ways there and back that tensors whose groups have a byte each have beside the
 * generic one.
 *
 * @module
 */
import type { KernelModule } from "../kernels/modules.ts";
import type { Coder } from "../words/format.ts";
import { whole } from "../words/window.ts";
import { byteGroupsOf } from "./byte_groups.ts";
import { decodeByTables } from "./byte_tables.ts";
import { bytesOf } from "./define.ts";
import { encodeByKernel } from "./group_kernel.ts";
import type { TensorOf } from "./stages.ts";
import { decodeWindow, encodeTensor } from "./tensor.ts";

/**
 * Quantizes by the kernel of the scheme, and dequantizes by tables. Tensors that have
 * more beside their codes, and numbers that kernels leave alone, go the generic way.
 *
 * @param module The kernels for both.
 */
export function byGroups(
  module: KernelModule,
): <P extends object, R extends object>(
  tensorOf: TensorOf<R>,
) => Coder<P, R> {
  return (tensorOf) => ({
    quantize(values, shape, options, parts, context): void {
      const tensor = tensorOf(shape, options), groups = byteGroupsOf(tensor);
      const bytes = bytesOf(parts);
      const isDone = groups &&
        encodeByKernel(module, tensor, groups, values, bytes, context);
      if (!isDone) encodeTensor(tensor, values, bytes, context);
    },
    dequantize(parts, shape, options, out): void {
      const tensor = tensorOf(shape, options), groups = byteGroupsOf(tensor);
      const bytes = bytesOf(parts), area = whole(tensor.layout.matrix);
      const isDone = groups &&
        decodeByTables(module, tensor, groups, bytes, out);
      if (!isDone) decodeWindow(tensor, { bytes, area }, area, out);
    },
  });
}
