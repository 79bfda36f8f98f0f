// What a call means: which files it reads and never writes, which tensors it
// is about, what it prints for programs.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "@std/assert";
import { link, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { located } from "../../src/cli/failure.ts";
import { COMMANDS } from "../../src/cli/main.ts";
import { ByteMemory } from "../../src/stream/memory.ts";
import { StreamTensor } from "../../src/stream/tensor.ts";
import type { Format } from "../../src/words/format.ts";
import { formats } from "../../src/formats.ts";
import { withFolder } from "../files/temporary_folder.ts";
import {
  casePath,
  cli,
  type Given,
  json,
  run,
  runOn,
  safetensorsBytes,
  weightLike,
  writeNpy,
} from "./support.ts";

const windows = Deno.build.os === "windows";
const weights = weightLike(64, 256);

/** A model with a matrix, a norm and a bias in the letters of BERT, and integers. */
const MODEL: readonly Given[] = [
  { name: "encoder.weight", dtype: "F32", shape: [64, 256], data: weights },
  {
    ...{ name: "LayerNorm.weight", dtype: "F32", shape: [256] },
    data: weights.slice(0, 256),
  },
  {
    ...{ name: "LayerNorm.bias", dtype: "F32", shape: [256] },
    data: weights.slice(256, 512),
  },
  { name: "scale", dtype: "F32", shape: [], data: weights.slice(0, 1) },
];

type Names = readonly { name: string }[];
const namesOf = (tensors: Names) => tensors.map(({ name }) => name).sort();

Deno.test("no file that a call reads is written, however it is named there", {
  ignore: windows,
}, async () => {
  await withFolder(async (path) => {
    await writeNpy(path("k.npy"), weights, [64, 256]);
    const call = ["quantize", path("k.npy"), "--format", "q4_0"];
    const base = path("base.gguf");
    const meta = ["--meta", "general.architecture=llama"];
    assertEquals((await run(...call, "-q", "-o", base, ...meta)).code, 0);
    await symlink(base, path("soft.gguf"));
    await link(base, path("hard.gguf"));
    await writeFile(path("names.json"), '{"k": "weights"}');
    await link(path("names.json"), path("names.gguf"));
    const before = await readFile(base),
      names = await readFile(path("names.json"));
    const from = (file: string) => ["--meta-from", file, ...meta];
    for (
      const [output, ...args] of [
        [base, ...from(base)],
        [base, ...from(relative(Deno.cwd(), base))],
        [base, ...from(path("./x/../base.gguf"))],
        [base, ...from(path("hard.gguf"))],
        [base, ...from(path("soft.gguf"))],
        [path("hard.gguf"), ...from(base)],
        [path("soft.gguf"), ...from(base)],
        [path("names.gguf"), ...meta, "--rename", path("names.json")],
      ]
    ) {
      const { code, out, err } = await run(
        ...[...call, "--force", "-o", output, ...args],
      );
      assertEquals([code, out], [1, ""], args.join(" "));
      assertStringIncludes(err, "it is the input");
      assertEquals(await readFile(base), before);
      assertEquals(await readFile(path("names.json")), names);
    }
    const twin = path("twin.gguf");
    await writeFile(twin, before);
    await json(...call, "--force", "-o", twin, ...from(base));
    await json(
      ...[...call, "--force", "-o", twin, ...meta],
      ...["--rename", path("names.json")],
    );
    await json(
      ...call,
      "--force",
      "-o",
      path("w.gguf"),
      ...meta,
      "--rename",
      "k=w",
    );
  });
});

Deno.test("the file that a shell opens for standard input is an input", {
  ignore: windows,
}, async () => {
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes(MODEL));
    const before = await readFile(path("m.safetensors"));
    const from = async (output: string) => {
      const { code, stderr } = await new Deno.Command("sh", {
        args: [
          ...["-c", `file=$1; shift; exec "$0" "$@" < "$file"`],
          ...[Deno.execPath(), path("m.safetensors")],
          ...["run", "--no-prompt", "-RW", cli, "quantize", "-", "--force"],
          ...["-q", "-o", output],
        ],
      }).output();
      return { code, err: new TextDecoder().decode(stderr) };
    };
    const refused = await from(path("m.safetensors"));
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "it is the input on standard input");
    assertEquals(await readFile(path("m.safetensors")), before);
    await writeFile(path("other.safetensors"), before);
    assertEquals(await from(path("other.safetensors")), { code: 0, err: "" });
  });
});

Deno.test("every flag that names a file says so, where inputs are protected", () => {
  const files = COMMANDS.flatMap(({ flags }) => flags)
    .filter(({ takes }) => takes === "FILE" || takes === "MAP");
  assert(files.length > 0);
  for (const { name, reads } of files) {
    assertEquals(reads?.("x.json"), "x.json", `--${name}`);
  }
});

Deno.test("tensors of one axis are kept among others, in every format, unless they are chosen", async () => {
  await withFolder(async (path) => {
    const model = path("m.safetensors");
    await writeFile(model, safetensorsBytes(MODEL));
    for (const [format, { resolve }] of formats) {
      const call = [
        ...["quantize", model, "--format", format, "--force", "--strict"],
        ...["-o", path("q.safetensors")],
      ];
      const { tensors, copied } = await json(...call);
      assertEquals(namesOf(tensors), ["encoder.weight"], format);
      for (const { name, reason } of copied) {
        assertStringIncludes(reason, name === "scale" ? "no axis" : "one axis");
      }
      assertEquals(copied.length, 3);
      try {
        resolve({}, [256]);
      } catch {
        // Outputs come in pairs or in words, and one axis is one output.
        const { code, err } = await run(...call, "--tensors", "LayerNorm.*");
        assertEquals(code, 1);
        assertMatch(err, /"LayerNorm.bias": Cannot hold shape \[256\] as/);
        continue;
      }
      const chosen = await json(...call, "--tensors", "LayerNorm.*");
      assertEquals(
        namesOf(chosen.tensors),
        ["LayerNorm.bias", "LayerNorm.weight"],
      );
    }
    const special = await json(
      ...["quantize", model, "-o", path("s.safetensors")],
      ...["--format", "int4", "--format", "q4_0:LayerNorm.bias"],
    );
    assertEquals(namesOf(special.tensors), [
      "LayerNorm.bias",
      "encoder.weight",
    ]);
  });
});

Deno.test("a file of one tensor is the choice, and what was quantized is converted", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("v.npy"), weights.slice(0, 256));
    await writeFile(path("v.safetensors"), safetensorsBytes([MODEL[1]]));
    for (const file of ["v.npy", "v.safetensors"]) {
      const to = ["-o", path("q.safetensors"), "--force", "--strict"];
      const { tensors } = await json("quantize", path(file), ...to);
      assertEquals(tensors.length, 1);
    }
    await writeFile(path("m.safetensors"), safetensorsBytes(MODEL));
    await json(
      ...["quantize", path("m.safetensors"), "-o", path("a.safetensors")],
      ...["--tensors", "*.*"],
    );
    const { tensors, copied } = await json(
      ...["convert", path("a.safetensors"), "-o", path("b.safetensors")],
      ...["--format", "q4_0", "--requantize"],
    );
    assertEquals(tensors.length, 3);
    assertEquals(namesOf(copied), ["scale"]);
  });
});

Deno.test("strict refuses what a format cannot hold and a dtype without floats, not what is kept", async () => {
  await withFolder(async (path) => {
    const ids = BigInt64Array.of(1n, 2n);
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        ...MODEL,
        { name: "ids", dtype: "I64", shape: [2], data: ids },
      ]),
    );
    const call = ["quantize", path("m.safetensors"), "--strict"];
    const to = ["-o", path("q.safetensors")];
    const { code, err } = await run(...call, ...to);
    assertEquals(code, 1);
    assertStringIncludes(err, '"ids": its I64 values are no floats');
    await json(...call, ...to, "--skip", "ids");
  });
});

Deno.test("options that no tensor takes are the reason, not integers that stand before it", async () => {
  await withFolder(async (path) => {
    const ids = BigInt64Array.of(1n, 2n);
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        { name: "ids", dtype: "I64", shape: [2], data: ids },
        ...MODEL,
      ]),
    );
    const call = ["quantize", path("m.safetensors"), "--format", "int4"];
    const to = ["-o", path("q.safetensors"), "--search"];
    const { code, err } = await run(...call, ...to, "best");
    assertEquals(code, 1);
    assertStringIncludes(err, 'Cannot use search "best"');
    const { copied } = await json(...call, ...to, "optimal");
    assertEquals(namesOf(copied).includes("ids"), true);
  });
});

Deno.test("the summary tells what was kept, and why, in one line for each reason", async () => {
  await withFolder(async (path) => {
    const many = Array.from({ length: 40 }, (_, i): Given => ({
      ...{ name: `norm.${i}`, dtype: "F32", shape: [2] },
      data: weights.slice(0, 2),
    }));
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([MODEL[0], ...many]),
    );
    const { out } = await run(
      ...["quantize", path("m.safetensors"), "-o", path("q.safetensors")],
    );
    assertMatch(
      out,
      /^copied 40 tensors \(norm\.0, norm\.1, .* and 35 more\): one axis, .*--tensors.*$/m,
    );
    assertEquals(out.match(/^copied/gm)!.length, 1);
    await writeFile(path("n.safetensors"), safetensorsBytes(many));
    const nothing = await run(
      ...["quantize", path("n.safetensors"), "-o", path("o.safetensors")],
    );
    assertEquals(nothing.code, 1);
    assertMatch(
      nothing.err,
      /Nothing to quantize in .*: one axis, .*--tensors/,
    );
  });
});

Deno.test("where nothing can be quantized, the largest floats say why, not the integers before them", async () => {
  await withFolder(async (path) => {
    const entries: Given[] = [
      {
        name: "position_ids",
        dtype: "I64",
        shape: [1, 8],
        data: new Int32Array(16),
      },
      {
        name: "norm.weight",
        dtype: "F32",
        shape: [256],
        data: weights.slice(0, 256),
      },
      { name: "dense.weight", dtype: "F32", shape: [64, 256], data: weights },
    ];
    await mkdir(path("model"));
    await writeFile(
      path("model/model.safetensors"),
      safetensorsBytes(entries),
    );
    const call = ["quantize", path("model"), "-o", path("q/"), "--format"];
    const experts = await run(...call, "mxfp4_hf");
    assertEquals(experts.code, 1);
    assertMatch(
      experts.err,
      /Nothing to quantize in .*: kept, as what loads mxfp4_hf has layers for stacks of experts only, unless --tensors or --all chooses it/,
    );
    const integers = await run(...call, "q4_0", "--tensors", "*ids");
    assertMatch(
      integers.err,
      /Cannot quantize tensor "position_ids": its I64 values are no floats/,
    );
    assertEquals((await run(...call, "q4_0")).code, 0);
  });
});

Deno.test("patterns ignore case when asked to, and say so when that would help", async () => {
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes(MODEL));
    const to = ["-o", path("q.safetensors"), "--force"];
    const call = ["quantize", path("m.safetensors"), ...to];
    for (
      const args of [
        ["--skip", "*norm*"],
        ["--tensors", "*NORM*"],
        ["--format", "int4:*NORM*"],
      ]
    ) {
      const { code, err } = await run(...call, ...args);
      assertEquals(code, 2);
      assertMatch(err, /"LayerNorm\.(weight|bias)" does with --ignore-case/);
      await json(...call, ...args, "--tensors", "*", "--ignore-case");
    }
    const { copied } = await json(
      ...[...call, "--tensors", "*", "--skip", "*norm*", "--ignore-case"],
    );
    assertEquals(namesOf(copied), ["LayerNorm.bias", "LayerNorm.weight"]);
    const compared = await json(
      ...["compare", path("m.safetensors"), path("q.safetensors")],
      ...["--tensors", "layernorm*", "--ignore-case"],
    );
    assertEquals(compared.tensors.length, 2);
  });
});

Deno.test("a format of others is told as one, never as a slip of the finger", async () => {
  const refusal = async (format: string) => {
    const { code, err } = await run(
      ...["quantize", "w.npy", "-o", "w.gguf", "--format", format],
    );
    assertEquals(code, 2);
    return err;
  };
  for (
    const [format, message] of [
      ["q8_0", "Q8_0 is a type of ggml that this program does not write"],
      ["Q6_K", "Q6_K is a type of ggml"],
      ["f16", "F16 is a type of ggml"],
      ["q4_2", "Q4_2 is a type that ggml has no more"],
      ["Q4_K_M", "--format q4_k and --format FORMAT:GLOB"],
      ["iq3_m", "IQ3_M is a mixture"],
      ["int8", "the formats are "],
      ["q9_0", "the formats are "],
    ]
  ) {
    const err = await refusal(format);
    assertStringIncludes(err, message);
    assertNotMatch(err, /did you mean/, format);
  }
  assertStringIncludes(await refusal("q40"), "did you mean q4_0?");
  assertStringIncludes(await refusal("mxfp_4"), "did you mean mxfp4?");
});

Deno.test("values that cannot be quantized are told by tensor, place and way on", async () => {
  await withFolder(async (path) => {
    const bad = weights.slice();
    bad[256 * 3 + 17] = Infinity;
    await writeNpy(path("w.npy"), bad, [64, 256]);
    const call = ["quantize", path("w.npy"), "-o", path("q.safetensors")];
    const { code, err } = await run(...call, "--format", "q4_0");
    assertEquals(code, 1);
    assertMatch(
      err,
      /tensor "w": Infinity at index 785 .*--non-finite clamp.*; nothing is written\n$/,
    );
    assertEquals((await run(...call, "--non-finite", "clamp")).code, 0);
  });
});

/** What failed in rows 2 to 5 of eight. */
function failureIn(
  format: "q4_0" | "int4",
  given: object,
  values: Float32Array,
  clamp = false,
) {
  const shape = [8, 64],
    layout = {
      ...{ format: formats.get(format)! as Format, shape },
      options: formats.get(format)!.resolve(given, shape),
    };
  const tensor = new StreamTensor(layout);
  const window = { row: 2, rows: 4, column: 0, columns: 64 };
  const name = "a\x1b";
  const plan = { name, format: layout.format, shape, options: {} };
  const source = { name, shape, dtype: "F32", byteLength: 2048, entries: [] };
  const task = { tensor: source, plan, layout, bytes: 0, repacked: false };
  return { ...{ tensor, window, task, values, clamp }, error: undefined };
}

Deno.test("a group whose scale is refused is told by its number in the tensor", () => {
  const values = new Float32Array(256).fill(1);
  const message = (format: "q4_0" | "int4", options: object, clamp = false) => {
    const failure = failureIn(format, options, values, clamp);
    const { tensor, window } = failure;
    const [parts] = tensor.carve([window], new ByteMemory());
    try {
      tensor.encode(values, window, parts, {});
    } catch (error) {
      return (located({ ...failure, error }) as Error).message;
    }
  };
  const start = 'Cannot quantize tensor "a\\u{1b}": ';
  const end = "; pass --non-finite clamp to cut its values to what that " +
    "can hold; nothing is written";
  const halves = "its scale overflows float16";
  values[64 + 32] = 1e7;
  assertEquals(
    message("q4_0", {}),
    `${start}group 7, from index 224 ([3, 32]): ${halves}${end}`,
  );
  assertEquals(
    message("q4_0", {}, true),
    `${start}group 7, from index 224 ([3, 32]): ${halves}; nothing is written`,
  );
  const minmax = { groupSize: "row", scaleMethod: "minmax" };
  assertEquals(message("int4", minmax), undefined);
  values[64 + 32] = 3e38;
  values[64 + 33] = -3e38;
  assertEquals(
    message("int4", minmax),
    `${start}group 3, from index 192 ([3, 0]): its scale overflows float32${end}`,
  );
});

Deno.test("errors that are not about values are left as they are", () => {
  const failure = failureIn("q4_0", {}, new Float32Array(256));
  const other = new TypeError("no matter of values");
  assertEquals(located({ ...failure, error: other }), other);
  const unknown = located({ ...failure, error: new RangeError("of a kind") });
  assertEquals(
    (unknown as Error).message,
    'Cannot quantize tensor "a\\u{1b}": of a kind; nothing is written',
  );
});

Deno.test(
  "finite weights whose scale overflows are refused, and clamped when asked",
  async () => {
    await withFolder(async (path) => {
      const call = [
        ...["quantize", casePath("c20c_7e5.safetensors"), "--format", "q4_0"],
        ...["-o", path("q.safetensors")],
      ];
      const { code, out, err } = await run(...call);
      assertEquals([code, out], [1, ""]);
      assertMatch(
        err,
        /tensor "blk\.0\.ffn_down\.weight": group \d+, from index/,
      );
      assertMatch(err, /--non-finite clamp .*; nothing is written\n$/);
      const { tensors } = await json(...call, "--non-finite", "clamp");
      assert(Number.isFinite(tensors[0].sqnr));
    });
  },
);

Deno.test("--json has one shape in every command, and tells a failure on standard output", async () => {
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes(MODEL));
    await writeNpy(path("w.npy"), weights, [64, 256]);
    const model = path("m.safetensors"), q = path("q.safetensors");
    const calls: Record<string, [args: string[], keys: string[]]> = {
      quantize: [[model, "-o", q], [
        ...["input", "output", "bytesBefore", "bytesAfter", "seconds"],
        ...["tensors", "copied", "warnings"],
      ]],
      inspect: [[q], [
        "file",
        "container",
        "bytes",
        "metadata",
        "tensors",
        "quantizedBy",
        "warnings",
      ]],
      dequantize: [[q, "-o", path("d.safetensors")], [
        ...["input", "output", "bytesBefore", "bytesAfter", "seconds"],
        ...["tensors", "copied", "warnings"],
      ]],
      convert: [[
        q,
        "-o",
        path("c.safetensors"),
        "--format",
        "q4_0",
        "--requantize",
      ], [
        ...["input", "output", "bytesBefore", "bytesAfter", "seconds"],
        ...["tensors", "copied", "warnings"],
      ]],
      compare: [[model, q], ["expected", "actual", "tensors", "problems"]],
      index: [[path("w.npy"), "-o", path("i.safetensors")], [
        ...["input", "output", "vectors", "dimension", "bytesBefore"],
        ...["bytesAfter", "seconds", "warnings"],
      ]],
      search: [[path("i.safetensors"), "--query", path("w.npy")], ["queries"]],
      recall: [[path("w.npy"), "--queries", path("w.npy")], [
        ...["input", "queries", "metric", "choices", "warnings"],
      ]],
      formats: [[], ["formats"]],
      demo: [[], ["steps", "formats"]],
      bench: [[], ["values", "memcpyBytesPerSecond", "formats"]],
    };
    assertEquals(
      Object.keys(calls).sort(),
      COMMANDS.map(({ name }) => name).sort(),
    );
    for (const [name, [args, keys]] of Object.entries(calls)) {
      const { code, out } = await run(name, ...args, "--json");
      assertEquals(code, 0, name);
      const document = JSON.parse(out);
      assertEquals(Object.keys(document), ["version", ...keys], name);
      assertEquals(document.version, 1);
      const wrong = await run(name, ...args, "--frob", "--json");
      assertEquals(wrong.code, 2, name);
      assertStringIncludes(JSON.parse(wrong.out).error, "Unknown flag --frob");
      assertMatch(wrong.err, /^nibblewise: [^\n]+\n$/);
    }
    const none = await run("inspect", path("none.npy"), "--json");
    assertEquals(none.code, 1);
    const { version, error } = JSON.parse(none.out);
    assertEquals(version, 1);
    assertStringIncludes(error, "no such file");
    const apart = await run("compare", model, path("w.npy"), "--json");
    assertEquals(apart.code, 1);
    assertStringIncludes(JSON.parse(apart.out).error, "is in");
    assertEquals((await run("inspect", path("none.npy"))).out, "");
    assertEquals((await run("inspect", "--", "--json")).out, "");
  });
});

Deno.test("how many times smaller is told where that is a number", async () => {
  await withFolder(async (path) => {
    await writeFile(path("empty.f32"), "");
    await writeNpy(path("w.npy"), weights);
    const to = ["--force", "-o", path("q.safetensors")];
    const empty = await run("quantize", path("empty.f32"), ...to);
    assertEquals(empty.code, 0);
    assertMatch(empty.out, /1 tensor quantized; 0 B → [^,]+, in /);
    const { out } = await run("quantize", path("w.npy"), ...to);
    assertMatch(out, /, \d\.\d\d times smaller, in /);
  });
});

Deno.test("bytes are not written to a terminal", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, [64, 256]);
    const { code, out, err } = await runOn(
      ...[80, "quantize", path("w.npy"), "-o", "-"] as const,
    );
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "Standard output is a terminal");
    const file = path("q.safetensors");
    assertEquals(
      (await runOn(80, "quantize", path("w.npy"), "-o", file)).code,
      0,
    );
  });
});
