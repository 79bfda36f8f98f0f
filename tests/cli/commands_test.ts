// Every command on real files, in this process.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { compare } from "../../src/compare.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { sortTensors } from "../../src/files/quantized.ts";
import { formats } from "../../src/formats.ts";
import { dequantize, quantize } from "../../src/quantize.ts";
import { readQuantized } from "../files/read_quantized.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { ramp } from "../files/support.ts";
import {
  json,
  npyBytes,
  run,
  safetensorsBytes,
  vectorPath,
  weightLike,
  writeNpy,
} from "./support.ts";

const weights = weightLike(64, 96);

async function readBack(path: string): Promise<Float32Array> {
  const file = await openTensorFile(path);
  try {
    const { quantized: [entry] } = await sortTensors(file);
    return dequantize(await readQuantized(file, entry));
  } finally {
    await file.source.close();
  }
}

Deno.test("quantize writes what the library computes, dequantize what it restores", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, [64, 96]);
    const expected = dequantize(
      quantize(weights, { format: "int4", shape: [64, 96], groupSize: 32 }),
    );
    const report = await json(
      ...["quantize", path("w.npy"), "-o", path("q.safetensors")],
      ...["--group-size", "32"],
    );
    const [tensor] = report.tensors;
    assertEquals(
      [tensor.name, tensor.shape, tensor.format, tensor.bitsPerValue],
      ["w", [64, 96], "int4", 5],
    );
    assertAlmostEquals(tensor.sqnr, compare(weights, expected).sqnr, 1e-6);
    assertEquals(await readBack(path("q.safetensors")), expected);
    await json("dequantize", path("q.safetensors"), "-o", path("back.npy"));
    assertEquals(
      new Uint8Array(await readFile(path("back.npy"))),
      npyBytes(expected, [64, 96]),
    );
    const { tensors } = await json("compare", path("w.npy"), path("back.npy"));
    assertAlmostEquals(tensors[0].sqnr, tensor.sqnr, 1e-6);
  });
});

Deno.test("every kind of .npy that numpy writes is quantized", async () => {
  const names = ["f2_c", "f2_big_fortran", "f4_big", "f4_c", "f4_fortran"];
  const more = ["f4_version2", "f4_version3", "f8_big_fortran", "f8_c"];
  for (const name of [...names, ...more, "f4_scalar", "f4_empty"]) {
    await withFolder(async (path) => {
      await json(
        "quantize",
        vectorPath(`${name}.npy`),
        "-o",
        path("q.safetensors"),
      );
      const restored = await readBack(path("q.safetensors"));
      const expected = dequantize(quantize(ramp(restored.length)));
      if (name !== "f4_scalar") assertEquals(restored, expected, name);
    });
  }
});

Deno.test("opaque pairs of bytes are bfloat16 when that is said", async () => {
  await withFolder(async (path) => {
    const call = [
      "quantize",
      vectorPath("bf16_c.npy"),
      "-o",
      path("q.safetensors"),
    ];
    const refused = await run(...call);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "V2");
    await json(...call, "--dtype", "bf16");
    const restored = await readBack(path("q.safetensors"));
    assertEquals(restored, dequantize(quantize(ramp(restored.length))));
  });
});

Deno.test("raw float32 is quantized", async () => {
  await withFolder(async (path) => {
    await writeFile(path("w.f32"), new Uint8Array(weights.buffer));
    await json("quantize", path("w.f32"), "-o", path("q.safetensors"));
    assertEquals(
      await readBack(path("q.safetensors")),
      dequantize(quantize(weights)),
    );
    await writeFile(path("cut.f32"), new Uint8Array(7));
    const { code, err } = await run(
      ...["quantize", path("cut.f32"), "-o", path("c.safetensors")],
    );
    assertEquals(code, 1);
    assertStringIncludes(err, "7 bytes");
  });
});

Deno.test("a checkpoint keeps what is not quantized, byte for byte, and its metadata", async () => {
  await withFolder(async (path) => {
    const original = vectorPath("mixed.safetensors");
    const report = await json(
      ...[
        "quantize",
        original,
        "-o",
        path("q.safetensors"),
        "--tensors",
        "weight",
      ],
    );
    const before = await json("inspect", original);
    const after = await json("inspect", path("q.safetensors"));
    assertEquals(after.metadata, before.metadata);
    const { source } = await openTensorFile(original);
    await source.close();
    assertEquals(
      report.tensors.length + report.copied.length,
      before.tensors.length,
    );
    assert(report.copied.length > 0);
    await assertSameBytes(original, path("q.safetensors"), report.copied);
  });
});

async function assertSameBytes(
  a: string,
  b: string,
  names: readonly { name: string }[],
) {
  const files = [await openTensorFile(a), await openTensorFile(b)];
  for (const { name } of names) {
    const [one, two] = await Promise.all(files.map(async (file) => {
      const entry = file.tensors.find((tensor) => tensor.name === name)!;
      const bytes = new Uint8Array(entry.byteLength);
      await file.source.read(entry.offset, bytes);
      return { bytes, dtype: entry.dtype, shape: entry.shape };
    }));
    assertEquals(one, two, name);
  }
  for (const { source } of files) await source.close();
}

Deno.test("a file can be quantized in two steps, and dequantized whole", async () => {
  await withFolder(async (path) => {
    const data = weights, shape = [64, 96];
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        { name: "a", dtype: "F32", shape, data },
        { name: "b", dtype: "F32", shape, data },
        {
          name: "ids",
          dtype: "I64",
          shape: [2],
          data: BigInt64Array.of(1n, 2n),
        },
      ], { who: "me" }),
    );
    await json(
      ...["quantize", path("m.safetensors"), "-o", path("1.safetensors")],
      ...["--skip", "b", "--group-size", "row"],
    );
    await json(
      ...["quantize", path("1.safetensors"), "-o", path("2.safetensors")],
      ...["--tensors", "b", "--format", "q4_0"],
    );
    const { tensors, metadata } = await json("inspect", path("2.safetensors"));
    assertEquals(metadata, { who: "me" });
    assertEquals(
      tensors.map((t: { name: string; format?: string }) => [t.name, t.format])
        .sort(),
      [["a", "int4"], ["b", "q4_0"], ["ids", undefined]],
    );
    await json(
      ...["dequantize", path("2.safetensors"), "-o", path("3.safetensors")],
      ...["--to", "bf16"],
    );
    const plain = await json("inspect", path("3.safetensors"));
    assertEquals(
      plain.tensors.map((
        t: { name: string; dtype: string },
      ) => [t.name, t.dtype]).sort(),
      [["a", "BF16"], ["b", "BF16"], ["ids", "I64"]],
    );
    const many = await run(
      ...["dequantize", path("2.safetensors"), "-o", path("x.npy")],
    );
    assertEquals(many.code, 1);
    assertStringIncludes(many.err, "--tensors");
    await json(
      ...["dequantize", path("2.safetensors"), "-o", path("x.npy")],
      ...["--tensors", "a"],
    );
  });
});

Deno.test("several formats by patterns, options to those that have them", async () => {
  await withFolder(async (path) => {
    const shape = [64, 96];
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes(
        ["a.embed", "b.weight", "c.weight"].map((name) => ({
          ...{ name, dtype: "F32", shape, data: weights },
        })),
      ),
    );
    const { tensors } = await json(
      ...["quantize", path("m.safetensors"), "-o", path("q.safetensors")],
      ...[
        "--format",
        "int4",
        "--format",
        "q4_0:*.embed",
        "--format",
        "Q4_1:c*",
      ],
      ...["--group-size", "32"],
    );
    assertEquals(
      tensors.map((t: { name: string; format: string }) =>
        `${t.name} ${t.format}`
      ),
      ["a.embed q4_0", "b.weight int4", "c.weight q4_1"],
    );
    assertEquals(tensors[1].options.groupSize, 32);
  });
});

Deno.test("tensors that a format cannot hold are copied with the reason, or refused when strict", async () => {
  await withFolder(async (path) => {
    const odd = { name: "odd", dtype: "F32", shape: [2, 5] };
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        { name: "w", dtype: "F32", shape: [64, 96], data: weights },
        { ...odd, data: weights.slice(0, 10) },
      ]),
    );
    const call = ["quantize", path("m.safetensors"), "--format", "q4_0", "-o"];
    const { copied } = await json(...call, path("q.safetensors"));
    assertEquals(copied[0].name, "odd");
    assertStringIncludes(copied[0].reason, "multiple of 32");
    const strict = await run(...call, path("s.safetensors"), "--strict");
    assertEquals(strict.code, 1);
    assertStringIncludes(strict.err, '"odd"');
    const only = await run(...call, path("s.safetensors"), "--tensors", "odd");
    assertEquals(only.code, 1);
    assertStringIncludes(only.err, "multiple of 32");
  });
});

Deno.test("poor quality is told, with what would be better", async () => {
  await withFolder(async (path) => {
    const far = weights.map((x) => 100 + x);
    await writeNpy(path("far.npy"), far, [64, 96]);
    const call = [
      "quantize",
      path("far.npy"),
      "--force",
      "-o",
      path("q.safetensors"),
    ];
    const poor = await run(...call, "--scale-method", "minmax");
    assertEquals(poor.code, 0);
    assertMatch(
      poor.err,
      /warning: tensor "far" .* --scale-method absmax gives \d\d/,
    );
    const fine = await run(...call, "--scale-method", "absmax");
    assertEquals([fine.code, fine.err], [0, ""]);
    await writeNpy(path("far.npy"), weights, [64, 96]);
    assertMatch((await run(...call)).err, /--group-size (row|\d+) gives/);
    const { warnings } = await json(...call);
    assertEquals(warnings.length, 1);
  });
});

Deno.test("a NaN is refused by name and index, and clamped when asked", async () => {
  await withFolder(async (path) => {
    const bad = weights.slice();
    bad[96 * 3 + 17] = NaN;
    await writeNpy(path("w.npy"), bad, [64, 96]);
    const call = ["quantize", path("w.npy"), "-o", path("q.safetensors")];
    for (const group of ["32", "row", "tensor"]) {
      const { code, err } = await run(...call, "--group-size", group);
      assertEquals(code, 1);
      assertStringIncludes(err, 'tensor "w": NaN at index 305 ([3, 17])');
    }
    assertEquals(await readdir(dirname(path("w.npy"))), ["w.npy"]);
    const clamped = await run(...call, "--non-finite", "clamp");
    assertEquals(clamped.code, 0, clamped.err);
    assertEquals((await readBack(path("q.safetensors")))[96 * 3 + 17], 0);
  });
});

Deno.test("values beyond float16 are refused as such, and written as bfloat16", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights.map((x) => x * 1e9));
    await json("quantize", path("w.npy"), "-o", path("q.safetensors"));
    const call = [
      "dequantize",
      path("q.safetensors"),
      "-o",
      path("x.npy"),
      "--to",
    ];
    const { code, err } = await run(...call, "f16");
    assertEquals(code, 1);
    assertStringIncludes(err, "--cast w=BF16");
    const cast = ["--cast", "w=BF16", "--force"];
    assertEquals((await run(...call, "f16", ...cast)).code, 0);
    assertEquals((await run(...call, "bf16", "--force")).code, 0);
  });
});

Deno.test("compare names what is missing and what differs in shape", async () => {
  await withFolder(async (path) => {
    const tensor = (name: string, shape: number[]) => ({
      ...{ name, dtype: "F32", shape, data: new Float32Array(6) },
    });
    const write = (name: string, ...tensors: ReturnType<typeof tensor>[]) =>
      writeFile(path(name), safetensorsBytes(tensors));
    await write("a.safetensors", tensor("x", [6]), tensor("y", [2, 3]));
    await write("b.safetensors", tensor("x", [6]), tensor("y", [3, 2]));
    await write("c.safetensors", tensor("x", [6]));
    const differs = await run(
      "compare",
      path("a.safetensors"),
      path("b.safetensors"),
    );
    assertEquals(differs.code, 1);
    assertStringIncludes(differs.err, 'Tensor "y" is [2, 3]');
    const missing = await run(
      "compare",
      path("a.safetensors"),
      path("c.safetensors"),
    );
    assertEquals(missing.code, 1);
    assertStringIncludes(missing.err, 'Tensor "y" is in');
    const same = await run(
      "compare",
      path("a.safetensors"),
      path("a.safetensors"),
    );
    assertEquals([same.code, same.err], [0, ""]);
  });
});

Deno.test("calls that are wrong end with 2 and say what would be right", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, [64, 96]);
    const call = ["quantize", path("w.npy"), "-o", path("q.safetensors")];
    for (
      const [args, message] of [
        [["quantise"], "did you mean quantize?"],
        [["--frob"], "Unknown flag --frob"],
        [["quantize"], "Too few arguments"],
        [
          ["quantize", "a", "b", "-o", "c.safetensors"],
          "Unexpected argument b",
        ],
        [["quantize", ""], "An argument is empty"],
        [["quantize", path("w.npy")], "-o OUT"],
        [
          ["quantize", path("w.npy"), "-o", path("q.npy")],
          ".npy holds one array",
        ],
        [["quantize", path("w.npy"), "-o", path("q.pt")], "must end in"],
        [["quantize", path("w.npy"), "-o", "-", "--json"], "drop one of them"],
        [[...call, "--format", "int5"], "the formats are "],
        [[...call, "--format", "imt4"], "did you mean int4?"],
        [[...call, "--format", "q4_0", "--format", "q4_1"], "FORMAT:GLOB"],
        [[...call, "--group-size", "0"], "not the number 0"],
        [[...call, "--group-size", "rows"], 'not the string "rows"'],
        [
          [...call, "--scale-method", "max"],
          'must be "absmax", "minmax" or "affine"',
        ],
        [
          [...call, "--format", "q4_0", "--group-size", "32"],
          "--group-size: q4_0 has no such option",
        ],
        [
          [...call, "--format", "ml_dtypes", "--search", "optimal"],
          "--search: ml_dtypes has no such option: its codes stand for numbers as they are",
        ],
        [[...call, "--tensors", "v"], 'No tensor matches --tensors "v"'],
        [
          [...call, "--skip", "layers.*"],
          'No tensor matches --skip "layers.*"',
        ],
        [[...call, "--format", "int4:v"], "No tensor matches --format"],
        [[...call, "--dtype", "f16"], "--dtype cannot be f16"],
      ] as const
    ) {
      const { code, out, err } = await run(...args);
      assertEquals(code, 2, args.join(" "));
      const json = args.some((argument) => argument === "--json");
      assertEquals(out === "", !json, args.join(" "));
      assertStringIncludes(err, message);
      assertMatch(err, /^nibblewise: [^\n]+\n$/);
    }
    assertEquals(await readdir(dirname(path("w.npy"))), ["w.npy"]);
    assertEquals((await run(...call)).code, 0);
  });
});

Deno.test("work that fails ends with 1, one line, and no output", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), weights, [64, 96]);
    await writeFile(path("short.npy"), npyBytes(weights).subarray(0, 500));
    await writeFile(path("lie.safetensors"), new Uint8Array(16).fill(255));
    await writeFile(path("taken.safetensors"), "mine");
    await copyFile(vectorPath("objects.npy"), path("objects.npy"));
    const names = (await readdir(dirname(path("w.npy")))).sort();
    const to = ["-o", path("q.safetensors")];
    for (
      const [args, message] of [
        [["quantize", path("none.npy"), ...to], "no such file"],
        [["quantize", path("short.npy"), ...to], "short.npy"],
        [["quantize", path("lie.safetensors"), ...to], "lie.safetensors"],
        [["quantize", path("objects.npy"), ...to], "pickled"],
        [["inspect", path("short.npy")], "short.npy"],
        [
          ["quantize", path("w.npy"), "-o", path("taken.safetensors")],
          "--force",
        ],
        [
          ["quantize", path("w.npy"), "-o", path("no/q.safetensors")],
          "no/q.safetensors",
        ],
        [
          ["dequantize", path("w.npy"), "-o", path("x.npy")],
          "Nothing to dequantize",
        ],
        [["quantize", path("w.npy"), ...to, "--skip", "*"], "leave no tensor"],
      ] as const
    ) {
      const { code, out, err } = await run(...args);
      assertEquals([code, out], [1, ""], args.join(" "));
      assertStringIncludes(err, message);
      assertMatch(err, /^nibblewise: [^\n]+\n$/);
      assertEquals((await readdir(dirname(path("w.npy")))).sort(), names);
    }
    const forced = [
      ...["quantize", path("w.npy"), "--force", "-o"],
      path("taken.safetensors"),
    ];
    assertEquals((await run(...forced)).code, 0);
    const itself = await run(
      "quantize",
      path("w.npy"),
      "-o",
      path("w.npy"),
      "--force",
    );
    assertEquals(itself.code, 2);
  });
});

Deno.test("an input is never its own output", async () => {
  await withFolder(async (path) => {
    const data = { name: "w", dtype: "F32", shape: [64, 96], data: weights };
    const bytes = safetensorsBytes([data]);
    await writeFile(path("w.safetensors"), bytes);
    const { code, err } = await run(
      ...[
        "quantize",
        path("w.safetensors"),
        "-o",
        path("w.safetensors"),
        "--force",
      ],
    );
    assertEquals(code, 1);
    assertStringIncludes(err, "it is the input");
    assertEquals(new Uint8Array(await readFile(path("w.safetensors"))), bytes);
  });
});

Deno.test("names from a file cannot write to the terminal", async () => {
  await withFolder(async (path) => {
    const name = "a\x1b[2Jb\nc";
    await writeFile(
      path("w.safetensors"),
      safetensorsBytes([{
        name,
        dtype: "F32",
        shape: [4],
        data: weights.slice(0, 4),
      }]),
    );
    const { out } = await run("inspect", path("w.safetensors"));
    assert(!out.includes("\x1b") && out.includes("\\u{1b}"));
    const done = await run(
      "quantize",
      path("w.safetensors"),
      "-o",
      path("q.safetensors"),
    );
    assertEquals(done.code, 0);
    assert(!(done.out + done.err).includes("\x1b"));
  });
});

Deno.test("formats lists every format", async () => {
  const all = await json("formats");
  assertEquals(
    all.formats.map((f: { name: string }) => f.name),
    [...formats.keys()],
  );
  const { out } = await run("formats");
  for (const name of formats.keys()) assertStringIncludes(out, name);
});

Deno.test("help is there for all commands, and --version", async () => {
  const { code, out } = await run("--help");
  assertEquals(code, 0);
  const names = [...out.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) =>
    name
  );
  assert(names.includes("quantize") && names.length >= 7);
  for (const name of names) {
    const help = await run(name, "--help");
    assertEquals(help.code, 0);
    assertStringIncludes(help.out, `usage: nibblewise ${name}`);
    assertStringIncludes(help.out, "examples:");
    assertEquals((await run("help", name)).out, help.out);
  }
  assertMatch((await run("--version")).out, /^nibblewise \d+\.\d+\.\d+\n$/);
  assertEquals((await run()).code, 2);
});

Deno.test("--quiet prints nothing, also where there is a warning", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("far.npy"), weights.map((x) => x + 100));
    const done = await run(
      ...["quantize", path("far.npy"), "-o", path("q.safetensors"), "--quiet"],
      ...["--scale-method", "minmax"],
    );
    assertEquals(done, { code: 0, out: "", err: "" });
  });
});

Deno.test("demo shows its steps and leaves nothing behind", async () => {
  const { code, out } = await run("demo");
  assertEquals(code, 0);
  const folder = /\$ cd (.*)\n/.exec(out)![1];
  assertEquals(
    (await readdir(dirname(folder))).filter((n) => folder.endsWith(n)),
    [],
  );
  for (const name of ["quantize", "inspect", "dequantize", "compare"]) {
    assertStringIncludes(out, `$ nibblewise ${name} `);
  }
  for (const name of formats.keys()) assertStringIncludes(out, name);
  const { steps } = await json("demo");
  assert(steps.length >= 5);
});
