// Tiles whose numbers are read once for many of them have those that are read for each.

import "../../src/model/install.ts";
import { assert, assertEquals } from "@std/assert";
import { formats } from "../../src/formats.ts";
import { Room } from "../../src/kernels/room.ts";
import type { Tensor } from "../../src/model/stages.ts";
import { TileReader, unpackParts } from "../../src/model/tile_reader.ts";
import { type FormatName, quantize } from "../../src/quantize.ts";
import { tileOf } from "../../src/words/tile.ts";
import { areaOf, cut, whole, type Window } from "../../src/words/window.ts";
import { random } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";

const SHAPE = [48, 96];

for (
  const [name, options] of [
    ["gptq", { groupSize: 32, symmetric: false, version: 2 }],
    ["onnx_int4", { axis: 1, blockSize: 0 }],
    ["onnx_uint4", { axis: 0, blockSize: 16 }],
    ["tflite", { axis: 1, symmetric: false }],
    ["tflite", { granularity: "tensor" }],
    ["nf4", {}],
  ] as const
) {
  for (const columns of [96, 32]) {
    Deno.test(`TileReader: ${name} ${JSON.stringify(options)} in tiles of ${columns} columns`, () => {
      compareTiles(name, options, SHAPE, columns);
    });
  }
}

Deno.test("TileReader: numbers that are read ahead come in several goes, from amid a tensor on", () => {
  const shape = [2048, 96],
    window = { row: 64, rows: 1208, column: 0, columns: 96 };
  for (
    const [name, options] of [
      ["gptq", { groupSize: 8, symmetric: false, version: 2 }],
      ["awq", { groupSize: 8 }],
    ] as const
  ) {
    compareTiles(name, options, shape, 96);
    compareTiles(name, options, shape, 96, window);
  }
});

/** Reads all of a tensor or a part of it in tiles of eight rows, and each of them alone. */
function compareTiles(
  name: FormatName,
  options: object,
  shape: readonly number[],
  columns: number,
  part?: Window,
): void {
  const { tensor, bytes } = tensorOf(name, options, shape);
  const { matrix } = tensor.layout, parts = { bytes, area: whole(matrix) };
  const area = part ?? whole(matrix);
  const room = new Room();
  room.open(new Float32Array(1));
  const reader = new TileReader(tensor, parts, area, room);
  let tiles = 0;
  for (const window of cut(area, { rows: 8, columns }, 8 * columns)) {
    const tile = reader.read(window);
    const expected = tileOf(
      matrix,
      window,
      tensor.scheme.fields,
      new Uint8Array(areaOf(window)),
      (length) => new Float32Array(length),
    );
    unpackParts(tensor, Object.keys(tensor.layout.parts), expected, parts);
    assertSameBytes(tile.codes, expected.codes);
    assertEquals(
      Object.keys(tile.fields).sort(),
      Object.keys(expected.fields).sort(),
    );
    for (const [role, field] of Object.entries(expected.fields)) {
      assertSameBytes(tile.fields[role], field, role);
    }
    assertEquals(reader.mayMakeNaNs(tile), false);
    tiles++;
  }
  assert(tiles > 1);
}

/** Random values quantized: what they are, and the bytes of their parts. */
function tensorOf(
  name: FormatName,
  options: object,
  shape: readonly number[],
): { tensor: Tensor; bytes: Record<string, Uint8Array> } {
  const next = random(2), format = formats.get(name)!;
  const length = shape[0] * shape[1];
  const values = Float32Array.from({ length }, () => next() - 0.5);
  const resolved = format.resolve(options as never, shape);
  const { parts } = quantize(
    values,
    { format: name, shape, ...options } as never,
  ) as unknown as { parts: Record<string, { data: ArrayBufferView }> };
  const bytes = Object.fromEntries(
    Object.entries(parts).map(([part, { data }]) => [
      part,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]),
  );
  const tensor = {
    scheme: format.scheme(shape, resolved),
    layout: format.layout(shape, resolved),
  } as Tensor;
  return { tensor, bytes };
}

Deno.test("TileReader: numbers read ahead that may make NaNs are told", () => {
  const { tensor, bytes } = tensorOf("gptq", { groupSize: 32 }, SHAPE);
  const area = whole(tensor.layout.matrix), room = new Room();
  const first = { ...area, rows: 8 };
  room.open(new Float32Array(1));
  for (const infinite of [false, true]) {
    if (infinite) new Uint16Array(bytes.scales.buffer)[3] = 0x7c00;
    const reader = new TileReader(tensor, { bytes, area }, area, room);
    assertEquals(reader.mayMakeNaNs(reader.read(first)), infinite);
  }
});

Deno.test("TileReader: numbers that may make NaNs are told, whoever has them", () => {
  const format = formats.get("onnx_int4")!;
  for (
    const options of [{ axis: 1, blockSize: 0 }, { axis: 1, blockSize: 32 }]
  ) {
    const resolved = format.resolve(options, SHAPE);
    const tensor = {
      scheme: format.scheme(SHAPE, resolved),
      layout: format.layout(SHAPE, resolved),
    } as Tensor;
    const area = whole(tensor.layout.matrix), room = new Room();
    const scale = new Float32Array(48 * 96).fill(1);
    scale[3] = Infinity;
    const bytes = {
      data: new Uint8Array(48 * 96 / 2),
      scale: new Uint8Array(scale.buffer),
    };
    room.open(scale);
    const reader = new TileReader(tensor, { bytes, area }, area, room);
    assertEquals(reader.mayMakeNaNs(reader.read(area)), true);
  }
});
