import { assertEquals } from "@std/assert";
import { bytesOfHex } from "../../src/kernels/hex.ts";

Deno.test("every byte is read from its two digits", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(bytesOfHex(bytes.toHex()), bytes);
  assertEquals(bytesOfHex(""), new Uint8Array());
});
