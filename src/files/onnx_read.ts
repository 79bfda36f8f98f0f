/**
 * Reads ONNX models: their initializers and constants, and those that are 4-bit weights by the
 * operators that read them.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { unreadable } from "./errors.ts";
import { ONNX_BYTES, ONNX_FIELDS } from "./limits.ts";
import { OnnxData } from "./onnx_data.ts";
import { readModel } from "./onnx_model.ts";
import { findWeights, readsWeights } from "./onnx_operators.ts";
import type { SortedFile } from "./parts.ts";
import { WireReader } from "./protobuf.ts";
import type { TensorEntry } from "./tensors.ts";

/**
 * Opens a model and checks it.
 *
 * @param source The file.
 * @param path Where it is, for tensors in files beside it.
 * @returns Its tensors; closing its source closes those files too.
 * @throws {SyntaxError} If it is no ONNX, or contradicts itself.
 * @throws {RangeError} If it goes beyond a limit.
 */
export async function openOnnx(
  source: ByteSource,
  path?: string,
): Promise<SortedFile> {
  const reader = new WireReader(source, ONNX_FIELDS);
  const data = new OnnxData(source, reader, path);
  try {
    if (source.size > ONNX_BYTES) {
      throw new RangeError(
        `its ${source.size} bytes are above the limit of protobuf, ${ONNX_BYTES}; ` +
          "save it with external data",
      );
    }
    const model = await readModel(reader, source.size, readsWeights);
    const { source: all, tensors } = await data.place(
      model.tensors.values(),
    );
    const isInBody = ({ name }: TensorEntry) => model.tensors.get(name)!.inBody;
    const { quantized, bound } = findWeights(
      model.nodes,
      tensors.filter((entry) => !isInBody(entry)),
    );
    const why =
      "it is in the body of an operator, where operators are not read";
    const inBodies = tensors.filter(isInBody).map(({ name }) =>
      [name, why] as const
    );
    const { paths } = data;
    return {
      container: "onnx",
      source: all,
      tensors,
      metadata: new Map(),
      quantized,
      bound: new Map([...bound, ...inBodies]),
      ...(paths.length > 0 && { paths: [path!, ...paths] }),
    };
  } catch (error) {
    await data.close();
    throw unreadable(source.name, "ONNX", error);
  }
}
