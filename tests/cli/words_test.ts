// The small parts of the command line: flags, patterns, suggestions, tables, progress.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Flag, UsageError } from "../../src/cli/command.ts";
import { choice, parseCall } from "../../src/cli/flags.ts";
import { matches } from "../../src/cli/glob.ts";
import { Progress } from "../../src/cli/progress.ts";
import { closest, editDistance } from "../../src/cli/suggest.ts";
import { columnsOf, table } from "../../src/cli/table.ts";
import { Io } from "../../src/cli/terminal.ts";
import { seconds } from "../../src/cli/text.ts";
import { VERSION } from "../../src/cli/version.ts";
import { widthOf } from "../../src/cli/width.ts";
import configuration from "../../deno.json" with { type: "json" };

const flags: Flag[] = [
  { name: "output", short: "o", takes: "OUT", help: "" },
  { name: "tensors", takes: "GLOB", many: true, help: "" },
  { name: "force", help: "" },
];
const parse = (...args: string[]) => parseCall({ flags }, args);

Deno.test("flags are read by their long and short names, in any place", () => {
  const call = parse(
    "a",
    "-o",
    "b",
    "--tensors=x*",
    "--force",
    "--tensors",
    "y",
  );
  assertEquals(call.operands, ["a"]);
  assertEquals(call.get("output"), "b");
  assertEquals(call.all("tensors"), ["x*", "y"]);
  assert(call.has("force") && !call.has("json"));
  assertEquals(parse("-", "-o", "-").get("output"), "-");
  assertEquals(parse("--", "--force").operands, ["--force"]);
  assertEquals(parse("12", "1e3").operands, ["12", "1e3"]);
  assertEquals(parse("--force", "true").operands, ["true"]);
  assertEquals(parse("-ox").get("output"), "x");
  assertEquals(parse("-o=-x").get("output"), "-x");
  const cluster = parse("-qo", "x", "y");
  assert(cluster.has("quiet") && cluster.operands.join() === "y");
  assertEquals(cluster.get("output"), "x");
  assertEquals(parse("--tensors=__proto__").all("tensors"), ["__proto__"]);
});

Deno.test("unknown flags, missing values and repetitions are refused", () => {
  for (
    const [args, message] of [
      [["--ouput", "x"], "Unknown flag --ouput: did you mean --output?"],
      [["--zzzzzz"], "Unknown flag --zzzzzz: the flags are --output"],
      [["--__proto__"], "Unknown flag --__proto__"],
      [["--no-force"], "Unknown flag --no-force"],
      [["-x"], "Unknown flag -x"],
      [["-o"], "Flag --output takes a value: --output OUT"],
      [["--output", "--force"], "Flag --output takes a value"],
      [["-o", "a", "-o", "b"], "Flag --output is given 2 times"],
      [["--force=yes"], "Flag --force takes no value: give it without =yes"],
      [["--output="], "Flag --output takes a value"],
      [["-force"], "Unknown flag -force: did you mean --force?"],
      [["-qx"], "Unknown flag -x"],
      [["--new\nline"], "Unknown flag --new"],
      ...Object.getOwnPropertyNames(Object.prototype).map((name) =>
        [[`--${name}`], `Unknown flag --${name}`] as const
      ),
      [["--_", "x"], "Unknown flag --_"],
      [["-_"], "Unknown flag -_"],
      [["--force.x"], "Unknown flag --force.x"],
    ] as const
  ) {
    assertThrows(() => parse(...args), UsageError, message);
  }
});

Deno.test("a flag of a few words takes those only", () => {
  assertEquals(choice(parse("-o", "F16"), "output", ["f32", "f16"]), "f16");
  assertEquals(choice(parse(), "output", ["f32", "f16"]), undefined);
  assertThrows(
    () => choice(parse("-o", "f8"), "output", ["f32", "f16"]),
    UsageError,
    "Flag --output cannot be f8: it is f32 or f16",
  );
});

Deno.test("patterns match as the same regular expressions do", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", ".", "*", "?", "/"),
  });
  fc.assert(fc.property(text, text, (pattern, name) => {
    const source = pattern.replace(
      /[.*?]/g,
      (mark) => mark === "*" ? "[^]*" : mark === "?" ? "[^]" : "\\" + mark,
    );
    assertEquals(matches(pattern, name), new RegExp(`^${source}$`).test(name));
  }));
  assert(matches("model.*.weight", "model.layers.0.mlp.weight"));
  assert(matches("*norm*", "encoder.LayerNorm.bias", true));
  assert(!matches("*norm*", "encoder.LayerNorm.bias"));
});

Deno.test("a pattern of many stars does not take forever", () => {
  assert(!matches("*a".repeat(50) + "b", "a".repeat(5000)));
});

Deno.test("suggestions are close, and nothing is better than something else", () => {
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(closest("quantise", ["quantize", "dequantize"]), "quantize");
  assertEquals(closest("Q4_0", ["q4_0", "q4_1"]), "q4_0");
  assertEquals(closest("zebra", ["quantize", "formats"]), undefined);
});

Deno.test("columns line up whatever the width of characters", () => {
  assertEquals(widthOf("abc"), 3);
  assertEquals(widthOf("重み"), 4);
  assertEquals(widthOf("e\u0301"), 1);
  assertEquals(columnsOf([["a", "1"], ["重み", "22"]], ["left", "right"]), [
    "a      1",
    "重み  22",
  ]);
  assertEquals(table(["n", "x"], [["a", "b"]]), ["n  x", "────", "a  b"]);
});

Deno.test("times are short", () => {
  assertEquals([0.041, 12.34, 125].map(seconds), [
    "0.04 s",
    "12.3 s",
    "2 min 5 s",
  ]);
});

Deno.test("progress is shown on terminals only, some ten times a second, and cleared", () => {
  let now = 0;
  const lines: string[] = [];
  const io = (columns?: number) =>
    new Io({
      out: () => {},
      err: (text) => void lines.push(text),
      columns: { err: columns },
    });
  const silent = new Progress(io(), 1000, () => now);
  const shown = new Progress(io(60), 1000, () => now);
  for (let i = 0; i < 1000; i++) {
    now += 2;
    silent.add(1, "w");
    shown.add(1, "a tensor with a long name that does not fit there");
  }
  assertEquals(silent.seconds, 2);
  assert(lines.length >= 10 && lines.length <= 20, `${lines.length} updates`);
  for (const line of lines) assert(widthOf(line.slice(1, -3)) < 60, line);
  assert(lines[0].includes("20%"), lines[0]);
  assert(lines[0].includes("left"), lines[0]);
  silent.end();
  shown.end();
  assertEquals(lines.at(-1), "\r\x1b[K");
});

Deno.test("the version is that of the package", () => {
  assertEquals(VERSION, configuration.version);
});
