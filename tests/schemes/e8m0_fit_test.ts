// Exponents and factors that a kernel finds are those of the rules, one by one, or it says that it leaves them.

import "../../src/model/install.ts";
import { assertEquals } from "@std/assert";
import { backend, useBackend } from "../../src/kernels/engine.ts";
import { Room } from "../../src/kernels/room.ts";
import {
  ceilE8M0,
  ceilLogE8M0,
  decodeE8M0,
  exponentE8M0,
} from "../../src/numeric/e8m0.ts";
import { type E8M0Fit, fitE8M0 } from "../../src/schemes/e8m0_fit.ts";
import { random, randomInteger } from "../adversarial.ts";

const { fround } = Math;

/** A fit, and the byte that a library gives a magnitude. */
const CASES: readonly (readonly [E8M0Fit, (magnitude: number) => number])[] = [
  ...(["floor", "even", "ceil"] as const).map((rule) =>
    [
      { rule, less: 2, factorOfZero: 3 },
      (x: number) => exponentE8M0(x, rule),
    ] as const
  ),
  [
    { rule: "logarithm", divisor: 6, factorOfZero: 3 },
    (x) => ceilLogE8M0(fround(x / 6)),
  ],
  [
    { rule: "logarithm", divisor: 6, least: 2 ** -9, factorOfZero: 3 },
    (x) => ceilLogE8M0(fround(Math.max(x / 6, 2 ** -9))),
  ],
  [
    { rule: "ceil", divisor: 6, ofZero: 127, factorOfZero: 3 },
    (x) => x === 0 ? 127 : ceilE8M0(fround(x / 6)),
  ],
];

/** What the kernel finds for four magnitudes; undefined where it leaves them. */
function fitted(
  fit: E8M0Fit,
  product: boolean,
  magnitudes: ArrayLike<number>,
): { exponents: number[]; factors: number[] } | undefined {
  const before = backend(), room = new Room();
  useBackend("wasm");
  room.open(new Uint8Array(0));
  const given = room.floats(4), exponents = room.floats(4);
  const factors = room.floats(4);
  given.set(magnitudes);
  const done = fitE8M0(fit, product, given, exponents, factors);
  useBackend(before);
  return done
    ? { exponents: [...exponents], factors: [...factors] }
    : undefined;
}

Deno.test("exponents by kernel are those of every rule, for magnitudes of every size and 0", () => {
  const bits = new Int32Array(4), floats = new Float32Array(bits.buffer);
  const seed = 20, next = random(seed);
  let done = 0;
  for (let trial = 0; trial < 2000; trial++) {
    for (let k = 0; k < 4; k++) {
      // Fractions near nothing, near 1.75 and near 2, and any.
      const fraction = [
        0,
        0x600000,
        0x7fffff,
        randomInteger(next, 0, 0x7fffff),
      ][randomInteger(next, 0, 3)];
      bits[k] = randomInteger(next, 0, 40) === 0
        ? 0
        : randomInteger(next, 5, 253) * 2 ** 23 + fraction +
          (fraction > 0 && fraction < 0x7fffff
            ? randomInteger(next, -1, 1)
            : 0);
    }
    for (const [fit, byteOf] of CASES) {
      for (const product of [false, true]) {
        const found = fitted(fit, product, floats);
        if (!found) continue;
        done++;
        const label = `seed ${seed}: ${JSON.stringify(fit)} of ${floats}`;
        const bytes = Array.from(floats, byteOf);
        assertEquals(found.exponents, bytes, label);
        const factors = bytes.map((byte) =>
          byte === 0 ? 3 : product ? 1 / decodeE8M0(byte) : decodeE8M0(byte)
        );
        assertEquals(found.factors, factors, label);
      }
    }
  }
  assertEquals(done > 10_000, true, `only ${done} were found`);
});

Deno.test("magnitudes whose logarithm may be rounded, subnormal and infinite ones are left to the rules, and others are not", () => {
  const [[exponent], , , [logarithm]] = CASES;
  const above = (steps: number) => 6 * (64 + steps * 2 ** -17);
  assertEquals(fitted(logarithm, true, [above(1), 1, 1, 1]), undefined);
  assertEquals(fitted(logarithm, true, [1, 1, 1, above(60)]), undefined);
  for (const odd of [2 ** -127, Infinity]) {
    assertEquals(fitted(exponent, true, [1, odd, 1, 1]), undefined);
  }
  const halves: E8M0Fit = { ...exponent, leastNormal: 2 ** -14 };
  assertEquals(fitted(halves, true, [1, 2 ** -15, 1, 1]), undefined);
  assertEquals(fitted(halves, true, [1, 2 ** -14, 0, 1])?.exponents, [
    125,
    111,
    0,
    125,
  ]);
  assertEquals(
    fitted(logarithm, true, [above(80), above(0), 1, 0])?.exponents,
    [
      134,
      133,
      125,
      0,
    ],
  );
  assertEquals(fitted(exponent, true, [2 ** -126, 1, 0, 3e38])?.exponents, [
    0,
    125,
    0,
    252,
  ]);
});
