import { assertEquals } from "@std/assert";
import type { BlockFormat } from "../../src/model/block_format.ts";
import { ggmlFormats, quantizeBy } from "./ggml_cases.ts";
import { sha256 } from "./ggml_vectors.ts";

const { fround } = Math;

/** The values that the vectors below were computed from by compiled ggml. */
const x = Float32Array.from(
  { length: 256 },
  (_, j) => fround(((j * 7919 + 13) % 1009 - 500) / 333),
);

function format(name: string): BlockFormat {
  return ggmlFormats.find((candidate) => candidate.name === name)!;
}

const whole: Record<string, readonly [number, string]> = {
  q4_0: [32, "e0b16f92c4e7093c5e80a3d5f81a4d6f91b4"],
  q4_1: [32, "4132dabd907d4b28f6d4a18f6c3a18e5c3907e5b"],
  iq4_nl: [32, "4aa26f92c4e70a2c4e71a2d5f81b3d5f91b3"],
  mxfp4: [32, "7d2f96d5e27a6d4e17b6d4f07c5e3f96c5"],
  nvfp4: [
    64,
    "282828286f4605c2eafd6e57b2d9fd7e573694c17e6f4605c1eafd6e15b2dafd7e573694",
  ],
};

const hashed: Record<string, readonly [head: string, hash: string]> = {
  q4_k: ["451a0226fffffffffefefeffbfcfdfdf", "8830c283aaed1726"],
  iq4_xs: ["780efc00f1ee0211", "ec72d4a28105446a"],
};

for (const [name, [length, expected]] of Object.entries(whole)) {
  Deno.test(`${name}: one block of a linear congruence`, () => {
    const blocks = quantizeBy(
      "reference",
      format(name),
      x.subarray(0, length),
      length,
    );
    assertEquals(blocks.toHex(), expected);
  });
}

for (const [name, [head, hash]] of Object.entries(hashed)) {
  Deno.test(`${name}: one super-block of a linear congruence`, async () => {
    const blocks = quantizeBy("reference", format(name), x, x.length);
    assertEquals(blocks.subarray(0, head.length / 2).toHex(), head);
    assertEquals((await sha256(blocks)).slice(0, hash.length), hash);
  });
}

Deno.test("the data of these vectors starts with the documented bits", () => {
  assertEquals([...new Uint32Array(x.buffer).subarray(0, 2)], [
    0xbfbb31f8,
    0x3f8dd67d,
  ]);
});
