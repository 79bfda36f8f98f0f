import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { fileError, printable, quote } from "../../src/files/errors.ts";

Deno.test("printable: text of any kind becomes one short line without control characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const shown = printable(text);
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(shown), shown);
      assert(shown.length <= 120 * 8 + 1);
    }),
  );
});

Deno.test("printable: ordinary text stays as it is", () => {
  for (
    const text of [
      "model.layers.0.mlp",
      "/tmp/a b/W.npy",
      "é 漢字 😀",
      'a"b\\c',
    ]
  ) {
    assertEquals(printable(text), text);
  }
  assertEquals(quote("a\x1b[2J\u202eb\n"), '"a\\u{1b}[2J\\u{202e}b\\u{a}"');
});

Deno.test("fileError: plain words for known codes, the first line for others", () => {
  const known = Object.assign(new Error("ENOSPC: no space left, write\nat x"), {
    code: "ENOSPC",
  });
  assertEquals(
    fileError("Cannot write x", known).message,
    "Cannot write x: no space left on the device",
  );
  assertEquals(fileError("Cannot write x", known).cause, known);
  const other = new Error("something else\nwith a second line");
  assertEquals(
    fileError("Cannot write x", other).message,
    "Cannot write x: something else",
  );
  assertEquals(
    fileError("Cannot write x", "text").message,
    "Cannot write x: text",
  );
});
