import { assertEquals, assertThrows } from "@std/assert";
import { changeMembers } from "../../src/files/json_text.ts";

Deno.test("changeMembers: all else stays, numbers as they are written", () => {
  const text =
    `{"a":1.0,"b":[1e-05,{"c":-0.0,"d":[]}],"e":"\\u00e9\\n","f":{}}`;
  const changed = changeMembers(
    text,
    new Map<string, unknown>([["f", undefined], ["g", { h: [1] }]]),
  );
  assertEquals(
    changed,
    `{
  "a": 1.0,
  "b": [
    1e-05,
    {
      "c": -0.0,
      "d": []
    }
  ],
  "e": "é\\n",
  "g": {
    "h": [
      1
    ]
  }
}
`,
  );
  assertEquals(changeMembers(changed, new Map()), changed);
});

Deno.test("changeMembers: what is no object is refused, its twin changed", () => {
  assertThrows(() => changeMembers("[1]", new Map()), SyntaxError, "no object");
  assertThrows(() => changeMembers("{1}", new Map()), SyntaxError);
  assertEquals(changeMembers("{}", new Map([["a", 1]])), '{\n  "a": 1\n}\n');
});
