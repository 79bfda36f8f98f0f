// Values in types of 16 bits: kernels leave out roundings that change nothing, and
// have to know for which scales that is so.

import "../../src/model/install.ts";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import { decodeGroups } from "../../src/schemes/tile_values.ts";
import { E2M1, UINT4 } from "../../src/schemes/grids.ts";
import { tileOf } from "../../src/words/tile.ts";
import { assertSameBytes } from "../same_bytes.ts";

/** Scales of one to eight significant bits, of every exponent, of both signs. */
function scalesOfAllKinds(): Float32Array {
  const bits: number[] = [];
  for (let exponent = 0; exponent < 255; exponent++) {
    for (let count = 0; count < 8; count++) {
      const fraction = count === 0 ? 0 : 0x400000 | 1 << 23 - count;
      bits.push(
        exponent << 23 | fraction,
        (exponent << 23 | fraction) ^ 1 << 31,
      );
    }
  }
  return new Float32Array(Int32Array.from(bits).buffer);
}

/** One scale alone, all kinds at once, and many of six bits at most, from 2^-9 to 2^8. */
function* lists(): Generator<Float32Array> {
  const all = scalesOfAllKinds();
  for (const scale of all) yield Float32Array.of(scale);
  yield all;
  yield all.filter((_, i) => i % 16 < 12 && i >= 118 * 16 && i < 136 * 16);
}

for (const { name, values } of [E2M1, UINT4]) {
  for (const computeDtype of ["F16", "BF16"] as const) {
    Deno.test(`decodeGroups: ${name} in ${computeDtype} by kernels is that in plain JS`, () => {
      const before = backend(), group = 16;
      for (const scales of lists()) {
        const columns = group * scales.length, matrix = { rows: 1, columns };
        const window = { row: 0, rows: 1, column: 0, columns };
        const results = (["wasm", "js"] as const).map((way) => {
          useBackend(way);
          const room = new Room();
          room.open(new Uint8Array(0));
          const tile = tileOf(
            matrix,
            window,
            {},
            room.bytes(columns),
            room.floats,
          );
          tile.codes.forEach((_, i) => tile.codes[i] = i & 15);
          const own = room.floats(scales.length), out = room.floats(columns);
          own.set(scales);
          const none = room.floats(scales.length).fill(0);
          const lookup = { values, computeDtype };
          decodeGroups(
            tile,
            { rows: 1, columns: group },
            own,
            none,
            lookup,
            out,
          );
          return out.slice();
        });
        assertSameBytes(results[0], results[1], `scales from ${scales[0]}`);
      }
      useBackend(before);
    });
  }
}
