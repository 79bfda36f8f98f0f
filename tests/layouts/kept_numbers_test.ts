import { assert, assertEquals } from "@std/assert";
import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import { formats } from "../../src/formats.ts";
import type { Codec, Layout } from "../../src/words/layout.ts";

const SHAPE = [64, 256];

/** The codecs of all formats that say what they keep: of a role of a format those that differ in that. */
function codecs(): Map<string, Codec> {
  const found = new Map<string, Codec>();
  for (const [name, format] of formats) {
    for (const given of [{}, { symmetric: false }, { zeros: "nibbles" }]) {
      let layout: Layout;
      try {
        layout = format.layout(SHAPE, format.resolve(given, SHAPE)) as Layout;
      } catch {
        continue; // a format without such an option
      }
      for (const { holds } of Object.values(layout.parts)) {
        for (const item of holds) {
          if (item.kind !== "field" || !item.codec.keeps) continue;
          found.set(`${name} ${item.role} ${item.codec.keeps}`, item.codec);
        }
      }
    }
  }
  return found;
}

/** What a codec reads where it has stored a number in all places. */
function readBack({ bytes, areas, load, store }: Codec, x: number): number[] {
  const numbers = new Float32Array(areas.rows * areas.columns).fill(x);
  const stored = new Uint8Array(bytes),
    again = new Float32Array(numbers.length);
  store(numbers, stored, 0);
  load(stored, 0, again);
  return [...again];
}

Deno.test("codecs keep the numbers that they say they keep", () => {
  const all = codecs();
  assert(all.size >= 6, `${all.size} codecs`);
  for (const [label, codec] of all) {
    if (codec.keeps === "all") {
      for (const x of [-0, 0.1, 2 ** -149, -3e38, NaN, Infinity]) {
        const n = Math.fround(x);
        assertEquals(
          readBack(codec, n),
          readBack(codec, n).map(() => n),
          label,
        );
      }
      continue;
    }
    const [min, max] = codec.keeps!, step = Math.max(1, (max - min) / 256);
    for (let x = min; x <= max; x += step) {
      const n = Math.floor(x);
      const expected = readBack(codec, n).map(() => n);
      assertEquals(readBack(codec, n), expected, `${label}: ${n}`);
    }
    if (max > 255) continue; // all that float32 counts
    for (const n of [min - 1, max + 1]) {
      assert(readBack(codec, n).some((x) => x !== n), `${label}: not ${n}`);
    }
  }
});
