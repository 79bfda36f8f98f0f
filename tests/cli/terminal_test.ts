// What reaches a terminal: no text of a file or an argument can do more there than be read.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { writeFile } from "node:fs/promises";
import { COMMANDS } from "../../src/cli/main.ts";
import { columnsOf, table } from "../../src/cli/table.ts";
import { Io } from "../../src/cli/terminal.ts";
import { cutEnd, cutMiddle, widthOf } from "../../src/cli/width.ts";
import { int, kv, raw, record, str } from "../files/gguf_support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { casePath, npyBytes, run, runOn } from "./support.ts";

/** Controls, marks of direction and invisible ones, other line ends, halves of pairs, tags; the line end of a line is none. */
const UNPRINTABLE =
  // deno-lint-ignore no-control-regex
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]|\p{Cs}/u;

/** What would stand on a line of its own if a line end got through. */
const FORGED = "\nnibblewise: all is well";

/** Texts as attackers write them; a lone surrogate is not among them, as files hold UTF-8. */
const evil = fc.oneof(
  fc.constantFrom(
    "\x1b]0;title\x07\x1b[2J",
    "\x9b2J",
    "del\x7f",
    "gnp.\u202egpj",
    FORGED,
    "\r\x1b[Kdone",
    "a\u2028b\u2029c",
    "tag\u{e0041}\u{e007f}",
  ),
  fc.string({
    unit: fc.constantFrom(
      "\x1b",
      "[",
      "\x9b",
      "\x7f",
      "\u202e",
      "\n",
      "*",
      "a",
    ),
    minLength: 1,
    maxLength: 12,
  }),
);

/** Throws where a text of the program could do something to a terminal. */
function assertReadable(text: string, what: string) {
  const found = UNPRINTABLE.exec(text);
  if (found) {
    const code = found[0].codePointAt(0)!.toString(16);
    throw new Error(`U+${code} in ${JSON.stringify(text)} of ${what}`);
  }
  assert(!text.includes(FORGED), what);
}

/** Runs a call in both ways to print; what it prints is readable, and JSON where that was asked for. */
async function check(args: readonly string[], what: string): Promise<unknown> {
  const name = `${what}: ${JSON.stringify(args)}`;
  const { out, err, code } = await run(...args);
  assertReadable(out, name);
  assertReadable(err, name);
  assertEquals(code === 0 || err.startsWith("nibblewise: "), true, name);
  const document = await run(...args, "--json");
  assertReadable(document.out, name);
  assertReadable(document.err, name);
  const parsed = JSON.parse(document.out);
  assertEquals(parsed.version, 1, name);
  assertEquals("error" in parsed, document.code !== 0, name);
  return parsed;
}

function safetensors(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const PLAIN = { dtype: "F32", shape: [2, 32], data_offsets: [0, 256] };

/** A safetensors file that says to hold an int4 tensor, with one word of that replaced. */
function described(change: object, name = "w"): Uint8Array {
  const tensor = {
    format: "int4",
    shape: [4],
    options: { groupSize: "tensor", scaleMethod: "absmax" },
    ...change,
  };
  return safetensors({
    __metadata__: {
      nibblewise: JSON.stringify({ version: 1, tensors: { [name]: tensor } }),
    },
    [`${name}.codes`]: { dtype: "U8", shape: [2], data_offsets: [0, 2] },
    [`${name}.scales`]: { dtype: "F32", shape: [1], data_offsets: [2, 6] },
  }, 6);
}

/** A .npy file whose header is any text. */
function npy(header: string): Uint8Array {
  const text = new TextEncoder().encode(header + "\n");
  return new Uint8Array([
    ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0],
    ...int(4, text.length),
    ...text,
  ]);
}

const architecture = kv("general.architecture", 8, str("llama"));

/** Every place of a file where a text stands: what to call the file, and its bytes. */
const POSITIONS: readonly [
  position: string,
  file: string,
  bytes: (text: string) => Uint8Array,
][] = [
  ["tensor name", "a.safetensors", (t) => safetensors({ [t]: PLAIN }, 256)],
  [
    "dtype",
    "b.safetensors",
    (t) => safetensors({ w: { ...PLAIN, dtype: t } }, 256),
  ],
  [
    "key of a tensor",
    "c.safetensors",
    (t) => safetensors({ w: { ...PLAIN, [t]: 1 } }, 256),
  ],
  [
    "metadata key",
    "d.safetensors",
    (t) => safetensors({ __metadata__: { [t]: "x" }, w: PLAIN }, 256),
  ],
  [
    "metadata value",
    "e.safetensors",
    (t) => safetensors({ __metadata__: { x: t }, w: PLAIN }, 256),
  ],
  ["name of a quantized tensor", "f.safetensors", (t) => described({}, t)],
  ["format", "g.safetensors", (t) => described({ format: t })],
  ["option", "h.safetensors", (t) => described({ options: { groupSize: t } })],
  [
    "name of an option",
    "i.safetensors",
    (t) => described({ options: { [t]: 1 } }),
  ],
  ["key of a description", "j.safetensors", (t) => described({ [t]: 1 })],
  ["broken JSON", "k.safetensors", (t) => {
    const bytes = safetensors({ [t]: PLAIN }, 256);
    return bytes.fill(0x2c, bytes.length - 258, bytes.length - 256);
  }],
  [
    "descr",
    "a.npy",
    (t) => npy(`{'descr': '${t}', 'fortran_order': False, 'shape': (2,), }`),
  ],
  ["npy header", "b.npy", (t) => npy(t)],
  ["gguf tensor name", "a.gguf", (t) =>
    raw({
      values: [architecture],
      tensors: [record(t.slice(0, 20), [32, 2])],
      data: 256,
    })],
  ["gguf key", "b.gguf", (t) =>
    raw({
      values: [architecture, kv(t, 8, str("x"))],
      tensors: [record("w", [32, 2])],
      data: 256,
    })],
  ["gguf value", "c.gguf", (t) =>
    raw({
      values: [architecture, kv("x", 8, str(t))],
      tensors: [record("w", [32, 2])],
      data: 256,
    })],
  ["gguf array", "d.gguf", (t) =>
    raw({
      values: [
        architecture,
        kv("x", 9, int(4, 8), int(8, 2), str(t), str("y")),
      ],
      tensors: [record("w", [32, 2])],
      data: 256,
    })],
  ["architecture", "e.gguf", (t) =>
    raw({
      values: [kv("general.architecture", 8, str(t))],
      tensors: [record("w", [32, 2])],
      data: 256,
    })],
];

/** Every command on a file. */
function callsOn(file: string, path: (name: string) => string) {
  const out = (name: string) => ["-o", path(name), "--force"];
  return [
    ["inspect", file],
    ["inspect", file, "--dry-run", "--format", "q4_0"],
    ["quantize", file, ...out("out.safetensors")],
    ["quantize", file, ...out("out.gguf"), "--format", "q4_0"],
    ["quantize", file, ...out("out.gguf"), "-f", "q4_0", "--tensors", "*"],
    ["quantize", file, ...out("out.safetensors"), "--skip", "*"],
    [
      "quantize",
      path("w.npy"),
      ...out("o.gguf"),
      "-f",
      "q4_0",
      "--meta-from",
      file,
    ],
    ["convert", file, ...out("out.safetensors"), "--format", "q4_1"],
    ["dequantize", file, ...out("out.npy")],
    ["dequantize", path("out.safetensors"), ...out("back.safetensors")],
    ["compare", file, file],
    ["compare", file, path("w.npy")],
  ];
}

Deno.test("no text of a file reaches a terminal as more than text, from any place in it, in any command", async () => {
  await withFolder(async (path) => {
    await writeFile(path("w.npy"), npyBytes(new Float32Array(64), [2, 32]));
    const property = fc.asyncProperty(evil, async (text) => {
      for (const [position, file, bytes] of POSITIONS) {
        await writeFile(path(file), bytes(text));
        for (const args of callsOn(path(file), path)) {
          await check(args, position);
        }
      }
    });
    await fc.assert(property, { numRuns: 12 });
  });
});

/** Calls with a text in every place where an argument may stand. */
function callsWith(text: string, path: (name: string) => string) {
  const w = path("w.npy");
  const quantize = ["quantize", w, "--force"];
  const gguf = [...quantize, "-o", path("o.gguf"), "-f", "q4_0"];
  const tensors = [...quantize, "-o", path("o.safetensors")];
  const valued = COMMANDS.flatMap(({ name, count, flags }) =>
    flags.filter(({ takes }) => takes).map((flag) => [
      ...[name, ...new Array<string>(count).fill(w)],
      ...flag.name === "output" ? [] : ["-o", path("o.safetensors")],
      `--${flag.name}=${text}`,
    ])
  );
  return [
    [text],
    ["help", text],
    ["inspect", text],
    ["inspect", w, text],
    ["inspect", w, `--${text}`],
    ["inspect", w, `-${text}`],
    ["inspect", w, `--json=${text}`],
    ...valued,
    [...gguf, "--meta", `general.name=${text}`],
    [...gguf, "--meta", `${text}=x`],
    [...gguf, "--meta", `a:${text}=x`],
    [...gguf, "--meta", `a:u32=${text}`],
    [...gguf, "--rename", `w=${text}`],
    [...gguf, "--rename", `{"w": ${JSON.stringify(text)}}`],
    [...gguf, "--rename", `{${JSON.stringify(text)}: "w"}`],
    [...gguf, "--rename", path("names.json")],
    [...gguf, "--rename", path("broken.json")],
    [...tensors, "--rename", `w=${text}`],
    ["inspect", path("o.safetensors")],
    ["inspect", path("o.gguf")],
    [...quantize, "-f", `q4_0:${text}`, "-o", path("o.safetensors")],
  ];
}

Deno.test("no argument, no file of names and no name of a file reaches a terminal as more than text", async () => {
  await withFolder(async (path) => {
    await writeFile(path("w.npy"), npyBytes(new Float32Array(64), [2, 32]));
    const property = fc.asyncProperty(evil, async (text) => {
      await writeFile(path("names.json"), JSON.stringify({ w: text }));
      await writeFile(path("broken.json"), `{"w": ${text}`);
      for (const args of callsWith(text, path)) {
        // Help is for people only.
        if (args[0] === "help") assertReadable((await run(...args)).err, text);
        else await check(args, text);
      }
      const name = text.replaceAll("/", "");
      for (const ending of [".npy", ".safetensors", ".gguf"]) {
        const file = path(name + ending);
        await writeFile(file, npyBytes(new Float32Array(64), [2, 32]));
        for (const args of callsOn(file, path)) await check(args, file);
        const to = ["-o", path(`${name}.q.safetensors`), "--force"];
        await check(["quantize", path("w.npy"), ...to], file);
      }
    });
    await fc.assert(property, { numRuns: 12 });
  });
});

Deno.test("JSON holds the texts themselves, spelled out", async () => {
  await withFolder(async (path) => {
    const text = "\x1b[2J\x9b\x7f\u202e\u2028\u{e0041}\r\n\tdone";
    await writeFile(
      path(`a${text}.safetensors`),
      safetensors({ __metadata__: { [text]: text }, [text]: PLAIN }, 256),
    );
    const parsed = await check(
      ["inspect", path(`a${text}.safetensors`)],
      "inspect",
    ) as Record<string, unknown> & { tensors: { name: string }[] };
    assertEquals(parsed.file, path(`a${text}.safetensors`));
    assertEquals(parsed.tensors[0].name, text);
    assertEquals(parsed.metadata, { [text]: text });
    const { out } = await run(
      "inspect",
      path(`a${text}.safetensors`),
      "--json",
    );
    for (
      const escape of ["\\u001b", "\\u009b", "\\u007f", "\\u202e", "\\udb40"]
    ) {
      assertStringIncludes(out, escape);
    }
  });
});

Deno.test("an escape in an option is spelled out, in every command that reads the file", async () => {
  const file = casePath("esc-option.safetensors");
  await withFolder(async (path) => {
    await writeFile(path("w.npy"), npyBytes(new Float32Array(64), [2, 32]));
    for (const args of callsOn(file, path)) await check(args, "option");
    const { code, err } = await run("inspect", file);
    assertEquals(code, 1);
    assertStringIncludes(err, "\\u{1b}");
  });
});

Deno.test("text that a terminal shows as it is passes unchanged", async () => {
  const text = 'é 重み 🙂 \\u{1b} "quoted"';
  await withFolder(async (path) => {
    await writeFile(path("a.safetensors"), safetensors({ [text]: PLAIN }, 256));
    const { out } = await run("inspect", path("a.safetensors"));
    assertStringIncludes(out, text);
  });
});

Deno.test("only the line of progress moves the cursor, and the text in it cannot", () => {
  let printed = "";
  const err = (text: string) => void (printed += text);
  const io = new Io({ out: err, err, columns: { out: 40, err: 20 } });
  io.status("\x1b[2J half of the work is done");
  assertEquals(printed, "\r\\u{1b}[2J half of …\x1b[K");
  printed = "";
  io.status();
  assertEquals(printed, "\r\x1b[K");
  printed = "";
  io.out.lines(["a\nb", "\x1b[31m"]);
  io.err.json({ "\x9b": "a\nb" });
  assertEquals(printed, 'a\\u{a}b\n\\u{1b}[31m\n{\n  "\\u009b": "a\\nb"\n}\n');
  printed = "";
  new Io({ out: err, err }).status("nobody looks");
  assertEquals(printed, "");
});

Deno.test("cut texts have the width that was asked for, and keep their ends", () => {
  assertEquals(cutMiddle("model.layers.0.weight", 11), "model…eight");
  assertEquals(cutMiddle("short", 5), "short");
  assertEquals(cutEnd("model.layers", 6), "model…");
  assertEquals(cutMiddle("重み重み重み", 6), "重…み");
  fc.assert(fc.property(
    fc.string({ unit: fc.constantFrom("a", "重", "e\u0301", "🙂") }),
    fc.integer({ min: 0, max: 20 }),
    (text, width) => {
      for (const cut of [cutMiddle(text, width), cutEnd(text, width)]) {
        assert(widthOf(cut) <= width, JSON.stringify(cut));
        if (widthOf(text) <= width) assertEquals(cut, text);
      }
    },
  ));
});

Deno.test("tables fit a terminal by the middle of their texts, and are whole where there is none", () => {
  const head = ["tensor", "shape", "bits"];
  const rows = [
    ["model.layers.0.self_attn.q_proj.weight", "[4096, 4096]", "4.5"],
    ["b", "[1]", "32"],
  ];
  const set = (room?: number) =>
    table(head, rows, ["left", "left", "right"], room);
  assertEquals(set(54), [
    "tensor".padEnd(36) + "shape         bits",
    "─".repeat(54),
    "model.layers.0.se…tn.q_proj.weight  [4096, 4096]   4.5",
    "b".padEnd(36) + "[1]             32",
  ]);
  assertEquals(set(30), [
    "tensor",
    "  shape         bits",
    "─".repeat(30),
    "model.layers.0.….q_proj.weight",
    "  [4096, 4096]   4.5",
    "b",
    "  [1]             32",
  ]);
  assertEquals(set(16).at(-1), "  [1]");
  for (let room = 1; room <= 80; room++) {
    for (const line of set(room)) {
      assert(widthOf(line) <= room, `${room}: ${line}`);
    }
  }
  assertEquals(set(), set(200));
  assertStringIncludes(set()[2], rows[0][0]);
  assertEquals(columnsOf([["a\x1b", "1"]]), ["a\\u{1b}  1"]);
});

Deno.test("what commands print fits the terminal that it is printed on", async () => {
  await withFolder(async (path) => {
    const name = "model.layers.0.".repeat(7) + "weight";
    await writeFile(path("m.safetensors"), safetensors({ [name]: PLAIN }, 256));
    for (
      const args of [
        ["inspect", path("m.safetensors")],
        ["inspect", path("m.safetensors"), "--dry-run"],
        [
          "quantize",
          path("m.safetensors"),
          "--force",
          "-o",
          path("q.safetensors"),
        ],
        ["dequantize", path("q.safetensors"), "--force", "-o", path("d.npy")],
        ["compare", path("m.safetensors"), path("q.safetensors")],
      ]
    ) {
      const narrow = (await runOn(60, ...args)).out.split("\n");
      const ruled = narrow.findIndex((line) => line.startsWith("─"));
      for (const line of narrow.slice(ruled - 1, ruled + 2)) {
        assert(widthOf(line) <= 60, line);
      }
      assertStringIncludes(narrow[ruled + 1], "…");
      assertStringIncludes((await run(...args)).out, name);
    }
    const help = await runOn(60, "help", "inspect");
    for (const line of help.out.split("\n").slice(3)) {
      assert(widthOf(line) <= 60 || line.startsWith("    nib"), line);
    }
  });
});
