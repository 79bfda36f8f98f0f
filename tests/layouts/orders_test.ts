import { assert, assertEquals } from "@std/assert";
import { highFirst, lowFirst } from "../../src/layouts/orders.ts";

for (const order of [lowFirst, highFirst]) {
  Deno.test(`${order.name}: short orders are kept, long ones are made anew`, () => {
    assert(order(8) === order(8));
    assert(order(256) === order(256));
    assert(order(258) !== order(258));
    assertEquals(order(258).length, 258);
  });
}

Deno.test("lowFirst and highFirst keep orders of their own", () => {
  assertEquals([...lowFirst(4)], [0, 1, 2, 3]);
  assertEquals([...highFirst(4)], [1, 0, 3, 2]);
});
