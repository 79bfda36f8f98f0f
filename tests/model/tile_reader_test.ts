// Tiles whose numbers are read once for many of them have those that are read for each.

import "../../src/model/install.ts";
import { assert, assertEquals } from "@std/assert";
import { formats } from "../../src/formats.ts";
import { Room } from "../../src/kernels/room.ts";
import type { Tensor } from "../../src/model/stages.ts";
import { TileReader, unpackParts } from "../../src/model/tile_reader.ts";
import { quantize } from "../../src/quantize.ts";
import { tileOf } from "../../src/words/tile.ts";
import { areaOf, cut, whole } from "../../src/words/window.ts";
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
      const next = random(2), format = formats.get(name)!;
      const values = Float32Array.from({ length: 48 * 96 }, () => next() - 0.5);
      const resolved = format.resolve(options as never, SHAPE);
      const { parts } = quantize(
        values,
        { format: name, shape: SHAPE, ...options } as never,
      ) as unknown as {
        parts: Record<string, { data: ArrayBufferView }>;
      };
      const tensor = {
        scheme: format.scheme(SHAPE, resolved),
        layout: format.layout(SHAPE, resolved),
      } as Tensor;
      const { matrix } = tensor.layout, area = whole(matrix);
      const bytes = Object.fromEntries(
        Object.entries(parts).map(([part, { data }]) => [
          part,
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        ]),
      );
      const room = new Room();
      room.open(values);
      const reader = new TileReader(tensor, { bytes, area }, area, room);
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
        const names = Object.keys(tensor.layout.parts);
        unpackParts(tensor, names, expected, { bytes, area });
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
    });
  }
}

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
