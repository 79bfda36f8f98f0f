import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Json, parseFields, parseJson } from "../../src/files/json.ts";
import { JSON_VALUES } from "../../src/files/limits.ts";

/** The same value with plain objects, as JSON.parse makes them. */
function plain(value: Json): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

Deno.test("parseJson: agrees with JSON.parse on any JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assertEquals(
        JSON.stringify(plain(parseJson(text))),
        JSON.stringify(JSON.parse(text)),
      );
    }),
  );
});

Deno.test("parseJson: accepts nothing that JSON.parse refuses", () => {
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"',
    "1",
    "-",
    "0",
    ".5",
    "e",
    "+",
    "null",
    "tru",
    " ",
    "\\u00",
    "\\n",
    "\t",
    "\x01",
    "é",
  ];
  const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((
    all,
  ) => all.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      let expected: unknown = SyntaxError;
      try {
        expected = JSON.parse(text);
      } catch {
        assertThrows(() => parseJson(text), SyntaxError);
        return;
      }
      try {
        assertEquals(plain(parseJson(text)), expected);
      } catch (error) {
        // The two things that are stricter here.
        if (!/comes twice|half a surrogate/.test((error as Error).message)) {
          throw error;
        }
      }
    }),
    { numRuns: 3000 },
  );
});

const twins: [what: string, bad: string, good: string, message: string][] = [
  [
    "a duplicate key",
    '{"a":1,"a":1}',
    '{"a":1,"b":1}',
    'the key "a" comes twice',
  ],
  [
    "a duplicate key, one escaped",
    '{"a":1,"\\u0061":1}',
    '{"a":1,"\\u0062":1}',
    "comes twice",
  ],
  [
    "a duplicate key deep inside",
    '[{"x":{"a":1,"a":2}}]',
    '[{"x":{"a":1},"a":2}]',
    "comes twice",
  ],
  [
    "half a surrogate pair",
    '"\\ud83d"',
    '"\\ud83d\\ude00"',
    "half a surrogate pair",
  ],
  ["something behind the value", "{} x", "{} \n\t", "something follows"],
  [
    "a control character in a string",
    '"\x01"',
    '"\\u0001"',
    "control character",
  ],
  ["an open string", '"a', '"a"', "not closed"],
  ["an open string that ends in a backslash", '"a\\', '"a\\\\"', "not closed"],
  ["a leading zero", "01", "10", "something follows"],
  [
    "nesting too deep",
    "[".repeat(18) + "]".repeat(18),
    "[".repeat(17) + "]".repeat(17),
    "nesting",
  ],
  ["a number of many digits", "1".repeat(33), "1".repeat(32), "too long"],
  ["a trailing comma", "[1,]", "[1]", "expected a value"],
  ["nothing", "", "0", "expected a value"],
];

for (const [what, bad, good, message] of twins) {
  Deno.test(`parseJson: ${what} is refused, its twin read`, () => {
    assertThrows(() => parseJson(bad), SyntaxError, message);
    assertEquals(plain(parseJson(good)), JSON.parse(good));
  });
}

Deno.test("parseJson: __proto__ is a key like any other", () => {
  const value = parseJson('{"__proto__":{"polluted":true}}') as Map<
    string,
    Json
  >;
  assertEquals([...value.keys()], ["__proto__"]);
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("parseJson: ten thousand brackets do not overflow the stack", () => {
  assertThrows(
    () => parseJson("[".repeat(10_000)),
    SyntaxError,
    "nesting deeper than 16",
  );
  assertThrows(
    () => parseJson('{"a":'.repeat(10_000)),
    SyntaxError,
    "nesting deeper than 16",
  );
});

Deno.test("parseJson: the number of values is limited", () => {
  const zeros = (count: number) => `[${"0,".repeat(count - 1)}0]`;
  assertThrows(
    () => parseJson(zeros(JSON_VALUES)),
    SyntaxError,
    `more than ${JSON_VALUES} values`,
  );
  assertEquals(
    (parseJson(zeros(JSON_VALUES - 1)) as Json[]).length,
    JSON_VALUES - 1,
  );
});

Deno.test("parseFields: hands out what parseJson gives, field by field", () => {
  const objects = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }));
  fc.assert(
    fc.property(objects, fc.nat(3), (object, indent) => {
      const text = " " + JSON.stringify(object, null, indent) + "\n";
      const fields: Record<string, unknown> = Object.create(null);
      parseFields(text, {
        limitOf: () => Infinity,
        take: (key, value) => void (fields[key] = plain(value)),
      });
      assertEquals(
        JSON.stringify({ ...fields }),
        JSON.stringify({ ...JSON.parse(text) }),
      );
    }),
  );
});

Deno.test("parseFields: a field that takes offence, is too large or comes twice ends it", () => {
  const taken: string[] = [];
  const rules = {
    limitOf: (key: string) => key.length,
    take(key: string) {
      if (key === "bad") throw new RangeError("bad is refused");
      taken.push(key);
    },
  };
  const refused = [
    ['{"a":1,"bad":1,"', RangeError, "bad is refused"],
    ['{"bb":[1,2]}', SyntaxError, "more than 2 values"],
    ['{"a":1,"a":2}', SyntaxError, 'the key "a" comes twice'],
    ["[]", SyntaxError, "expected an object"],
    ['{"a":1} {}', SyntaxError, "something follows"],
  ] as const;
  for (const [text, type, message] of refused) {
    assertThrows(() => parseFields(text, rules), type, message);
  }
  taken.length = 0;
  parseFields('{"aaa":[1,2],"b":1}', rules);
  assertEquals(taken, ["aaa", "b"]);
});
