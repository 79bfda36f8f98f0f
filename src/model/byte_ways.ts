/**
 * The ways there and back that tensors whose groups have a byte each have beside the
 * generic one.
 *
 * @module
 */
import type { KernelModule } from "../kernels/modules.ts";
import type { Coder } from "../words/format.ts";
import { byteGroupsOf } from "./byte_groups.ts";
import { decodeByTables } from "./byte_tables.ts";
import { bytesOf } from "./define.ts";
import { encodeByKernel } from "./group_kernel.ts";
import type { TensorOf } from "./stages.ts";

/**
 * Quantizes by the kernel of the scheme, and dequantizes by tables. Tensors that have
 * more beside their codes, and numbers that kernels leave alone, go the generic way.
 *
 * @param module The kernels for both.
 */
export function byGroups(
  module: KernelModule,
): <P extends object, R extends object>(
  generic: Coder<P, R>,
  tensorOf: TensorOf<R>,
) => Partial<Coder<P, R>> {
  return (generic, tensorOf) => ({
    quantize(values, shape, options, parts, context): void {
      const tensor = tensorOf(shape, options), groups = byteGroupsOf(tensor);
      const own = groups &&
        encodeByKernel(
          module,
          tensor,
          groups,
          values,
          bytesOf(parts),
          context,
        );
      if (own) return;
      generic.quantize(values, shape, options, parts, context);
    },
    dequantize(parts, shape, options, out): void {
      const tensor = tensorOf(shape, options), groups = byteGroupsOf(tensor);
      const bytes = bytesOf(parts);
      if (groups && decodeByTables(module, tensor, groups, bytes, out)) return;
      generic.dequantize(parts, shape, options, out);
    },
  });
}
