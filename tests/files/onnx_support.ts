/**
 * Protobuf by hand, for tests of ONNX: models that no library would write.
 *
 * @module
 */
import { concat, utf8 } from "./support.ts";

/** A varint of 64 bits. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** A field that is a number. */
export function number(field: number, value: number | bigint): Uint8Array {
  return concat(varint(field * 8), varint(value));
}

/** A field that is bytes: a text, or fields. */
export function message(
  field: number,
  ...pieces: (Uint8Array | string)[]
): Uint8Array {
  const bytes = concat(
    ...pieces.map((one) => typeof one === "string" ? utf8(one) : one),
  );
  return concat(varint(field * 8 + 2), varint(bytes.length), bytes);
}

/** An initializer. */
export function tensor(
  name: string,
  type: number,
  shape: readonly number[],
  ...data: Uint8Array[]
): Uint8Array {
  return message(
    5,
    ...shape.map((n) => number(1, n)),
    number(2, type),
    message(8, name),
    ...data,
  );
}

/** Its `raw_data`. */
export function raw(...bytes: number[]): Uint8Array {
  return message(9, Uint8Array.from(bytes));
}

/** Where its data lies instead. */
export function external(told: Record<string, string>): Uint8Array[] {
  return [
    ...Object.entries(told).map(([key, value]) =>
      message(13, message(1, key), message(2, value))
    ),
    number(14, 1),
  ];
}

/** A node. */
export function node(
  operator: string,
  inputs: readonly string[],
  attributes: Record<string, number> = {},
  domain = "",
): Uint8Array {
  return message(
    1,
    ...inputs.map((name) => message(1, name)),
    message(2, "out"),
    message(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      message(5, message(1, name), number(3, value))
    ),
    message(7, domain),
  );
}

/** A constant: an operator with one output, and these attributes. */
export function constant(
  output: string,
  ...attributes: Uint8Array[]
): Uint8Array {
  return message(1, message(2, output), message(4, "Constant"), ...attributes);
}

/** A model of these fields of a graph. */
export function model(...graph: Uint8Array[]): Uint8Array {
  return concat(number(1, 10), message(7, ...graph));
}

/** A branch: an operator without a name, and a graph of these fields in it. */
export function branch(name: string, ...graph: Uint8Array[]): Uint8Array {
  const body = message(5, message(1, "then_branch"), message(6, ...graph));
  return message(1, message(3, name), message(4, "If"), body);
}
