/**
 * ONNX models that are written: read back, run by onnxruntime where it is there, and
 * what ONNX cannot hold.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readFile } from "node:fs/promises";
import { openTensorFile } from "../../src/files/open.ts";
import { tensorsOf } from "../../src/cli/tensors.ts";
import { adversarial } from "../adversarial.ts";
import { dequantize, matmul_nbits, quantize } from "../../mod.ts";
import { isSorted } from "../../src/files/parts.ts";
import {
  type OnnxLayout,
  planOnnx,
  writeOnnxFrame,
} from "../../src/files/onnx_write.ts";
import { PairSink } from "../../src/files/pair_sink.ts";
import { MemorySink, run, safetensorsBytes, writeNpy } from "../cli/support.ts";
import { hasPython, runPython } from "../peers/python.ts";
import { readQuantized } from "./read_quantized.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { withFolder } from "./temporary_folder.ts";

const judge = new URL("onnx_judge.py", import.meta.url).pathname;
const hasJudge = await hasPython(
  ["onnxruntime", "numpy"],
  "models are only read back",
);

const shape = [24, 97];
const values = adversarial(shape[0] * shape[1]).gauss;

/** Formats, flags, and how far products may be from those of the values: operators of onnxruntime sum in float32 or float16. */
const CASES: readonly [format: string, flags: string[], tolerance: number][] = [
  ["matmul_nbits", [], 1e-5],
  ["matmul_nbits", ["--symmetric", "false", "--block-size", "16"], 1e-5],
  ["matmul_nbits", ["--scale-dtype", "F16"], 5e-3],
  ["gather_blocks", [], 0],
  ["gather_blocks", ["--symmetric", "false", "--block-size", "16"], 0],
  ["onnx_int4", ["--axis", "0", "--block-size", "8"], 0],
  ["onnx_int4", ["--axis", "tensor", "--symmetric", "false"], 0],
  [
    "onnx_int4",
    ["--axis", "1", "--block-size", "0", "--scale-dtype", "F16"],
    0,
  ],
  ["onnx_uint4", ["--axis", "1"], 0],
  ["matmul_bnb4", [], 1e-5],
  ["matmul_bnb4", ["--quant-type", "fp4"], 1e-5],
];

for (const [format, flags, tolerance] of CASES) {
  Deno.test({
    name: `a model of ${format} ${
      flags.join(" ")
    } is read back, and run by onnxruntime`,
    fn: () =>
      withFolder(async (path) => {
        await writeNpy(path("w.npy"), values, shape);
        const made = ["--format", format, ...flags];
        for (const out of ["w.onnx", "w.safetensors"]) {
          const args = ["quantize", path("w.npy"), "-o", path(out), ...made];
          const { code, err } = await run(...args);
          assertEquals(code, 0, err);
        }
        const told: Uint8Array[] = [];
        for (const from of ["w.onnx", "w.safetensors"]) {
          const out = path(`${from}.npy`);
          const { code, err } = await run("dequantize", path(from), "-o", out);
          assertEquals(code, 0, err);
          told.push(new Uint8Array(await readFile(out)));
        }
        assertSameBytes(told[0], told[1], format);
        if (!hasJudge) return;
        await Deno.writeFile(path("w.f32"), told[0].subarray(128));
        const args = [
          judge,
          path("w.onnx"),
          path("w.f32"),
          ...shape.map(String),
        ];
        const { success, out, err } = await runPython(args);
        assert(success, err);
        const difference = Number(out);
        assert(difference <= tolerance, `${difference} > ${tolerance}`);
      }),
  });
}

Deno.test("other tensors are initializers, and converting keeps what is quantized already", async () => {
  await withFolder(async (path) => {
    const bias = Float32Array.of(1, 2, 3), ids = BigInt64Array.of(7n);
    await Deno.writeFile(
      path("m.safetensors"),
      safetensorsBytes([
        { name: "w", dtype: "F32", shape, data: values },
        { name: "bias", dtype: "F32", shape: [3], data: bias },
        { name: "ids", dtype: "I64", shape: [1], data: ids },
      ]),
    );
    const args = ["--format", "matmul_nbits", "-o"];
    for (
      const [from, to] of [["m.safetensors", "m.onnx"], ["m.onnx", "n.onnx"]]
    ) {
      const command = from === "m.onnx" ? "convert" : "quantize";
      const { code, err } = await run(command, path(from), ...args, path(to));
      assertEquals(code, 0, err);
    }
    const [first, again] = await Promise.all(
      ["m.onnx", "n.onnx"].map((name) => readFile(path(name))),
    );
    assertSameBytes(again, first, "converted");
    const file = await openTensorFile(path("m.onnx"));
    const found = (await tensorsOf(file)).map((
      { name, dtype },
    ) => [name, dtype]);
    assertEquals(found.toSorted(), [["bias", "F32"], ["ids", "I64"], [
      "w",
      "matmul_nbits",
    ]]);
    await file.source.close();
  });
});

for (
  const [from, to] of [["nf4", "matmul_bnb4"], [
    "matmul_nbits",
    "gather_blocks",
  ]]
) {
  Deno.test(`${from} is repacked into a model of ${to}`, async () => {
    await withFolder(async (path) => {
      await writeNpy(path("w.npy"), values.subarray(0, 24 * 64), [24, 64]);
      const steps = [
        ["quantize", "w.npy", "w.safetensors", "--format", from],
        ["convert", "w.safetensors", "w.onnx", "--format", to],
        ["dequantize", "w.safetensors", "before.npy"],
        ["dequantize", "w.onnx", "after.npy"],
      ];
      for (const [command, input, output, ...flags] of steps) {
        const args = [command, path(input), "-o", path(output), ...flags];
        const { code, err } = await run(...args);
        assertEquals(code, 0, err);
      }
      const [before, after] = await Promise.all(
        ["before.npy", "after.npy"].map((name) => readFile(path(name))),
      );
      assertSameBytes(after, before, to);
    });
  });
}

Deno.test("what ONNX cannot hold is refused, and nothing is written", async () => {
  await withFolder(async (path) => {
    await writeNpy(path("w.npy"), values, shape);
    await writeNpy(path("cube.npy"), values, [2, 12, 97]);
    await Deno.writeFile(
      path("taken.safetensors"),
      safetensorsBytes([
        { name: "w", dtype: "F32", shape, data: values },
        {
          name: "w_scales",
          dtype: "F32",
          shape: [1],
          data: Float32Array.of(1),
        },
      ]),
    );
    const refused: [
      from: string,
      flags: string[],
      code: number,
      why: string,
    ][] = [
      ["w.npy", [], 2, "ONNX has no operator for int4"],
      ["w.npy", ["--format", "q4_0"], 2, "no operator for format q4_0"],
      ["cube.npy", ["--format", "matmul_nbits"], 1, "takes matrices"],
      [
        "w.npy",
        [
          "--format",
          "matmul_nbits",
          "--compute-dtype",
          "F16",
        ],
        1,
        "computes in the type of the scales",
      ],
      ["taken.safetensors", ["--format", "matmul_nbits"], 1, "w_scales"],
    ];
    for (const [from, flags, code, why] of refused) {
      const args = ["quantize", path(from), "-o", path("o.onnx"), ...flags];
      const outcome = await run(...args);
      assertEquals(outcome.code, code, outcome.err);
      assert(outcome.err.includes(why), outcome.err);
      assert(!await Deno.stat(path("o.onnx")).catch(() => undefined));
    }
    const accepted: [from: string, format: string][] = [
      ["w.npy", "matmul_nbits"],
      ["cube.npy", "gather_blocks"],
    ];
    for (const [from, format] of accepted) {
      const args = ["quantize", path(from), "-o", path(`${from}.onnx`)];
      assertEquals((await run(...args, "--format", format)).code, 0);
    }
  });
});

Deno.test("of a model what no operator takes is copied, and the user told that the graph is not", async () => {
  await withFolder(async (path) => {
    const cube = [2, 12, 97], both = path("both.safetensors");
    await Deno.writeFile(
      both,
      safetensorsBytes([
        { name: "w", dtype: "F32", shape, data: values },
        { name: "cube", dtype: "F32", shape: cube, data: values },
      ]),
    );
    const to = (name: string) => ["-o", path(name), "--format"];
    const first = await run("quantize", both, ...to("a.onnx"), "matmul_nbits");
    assertEquals(first.code, 0, first.err);
    assertEquals(first.err, "");
    assert(
      first.out.includes(
        "copied cube F32 [2, 12, 97]: in ONNX, its operator takes matrices",
      ),
      first.out,
    );
    const again = [
      "quantize",
      path("a.onnx"),
      ...to("b.onnx"),
      "gather_blocks",
    ];
    const second = await run(...again, "--tensors", "cube");
    assertEquals(second.code, 0, second.err);
    assert(second.err.includes("the graph of "), second.err);
  });
});

const nbits = quantize(values, { format: "matmul_nbits", shape });
const big = Float32Array.from({ length: 256 }, (_, i) => i);
const small = Float32Array.of(1, 2, 3);

function planned(layout: OnnxLayout) {
  const { format: _, ...options } = nbits.options as Record<string, unknown>;
  const plain = [["big", big], ["small", small]] as const;
  return planOnnx(
    [{ name: "w", format: matmul_nbits, shape, options }],
    plain.map(([name, { length, byteLength }]) => {
      return { name, dtype: "F32", shape: [length], byteLength };
    }),
    layout,
  );
}

Deno.test("what a model cannot hold lies beside it, and onnxruntime finds it there", async () => {
  const plan = planned({ location: "m.onnx.data", limit: 1200 });
  assert(plan.size < 1200);
  const { name, size } = plan.beside!;
  const model = new MemorySink(plan.size), beside = new MemorySink(size);
  const sink = new PairSink(model, plan.size, beside);
  await writeOnnxFrame(sink, plan);
  for (const [part, { data }] of Object.entries(nbits.parts)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await sink.write(plan.offsetOf("w", part), bytes);
  }
  for (const [name, data] of [["big", big], ["small", small]] as const) {
    await sink.write(plan.offsetOf(name), new Uint8Array(data.buffer));
  }
  assertEquals(plan.offsetOf("big") % 64, plan.size % 64);
  assert(plan.offsetOf("small") < plan.size, "small data is inside");
  await withFolder(async (path) => {
    await Deno.writeFile(path("m.onnx"), model.bytes);
    await Deno.writeFile(path(name), beside.bytes);
    const file = await openTensorFile(path("m.onnx"));
    assert(isSorted(file));
    const values = dequantize(await readQuantized(file, file.quantized[0]));
    assertSameBytes(values, dequantize(nbits), "w");
    for (const [name, data] of [["big", big], ["small", small]] as const) {
      const entry = file.tensors.find((one) => one.name === name)!;
      const bytes = new Uint8Array(entry.byteLength);
      await file.source.read(entry.offset, bytes);
      assertSameBytes(bytes, data, name);
    }
    await file.source.close();
    if (!hasJudge) return;
    await Deno.writeFile(path("w.f32"), new Uint8Array(values.buffer));
    const args = [judge, path("m.onnx"), path("w.f32"), ...shape.map(String)];
    const { success, out, err } = await runPython(args);
    assert(success, err);
    assert(Number(out) <= 1e-5);
  });
});

Deno.test("a model that is small enough has nothing beside it, and one of too many tensors is refused", () => {
  assertEquals(planned({ location: "m.data" }).beside, undefined);
  const error = assertThrows(
    () => planned({ location: "m.data", limit: 300 }),
    RangeError,
  );
  assert(error.message.includes("without large tensors"), error.message);
});

Deno.test("of two files the first appears last, and a failure leaves none", async () => {
  const log: string[] = [];
  const sink = (name: string, fails = false) => ({
    name,
    write: () => undefined,
    commit: () => {
      log.push(`commit ${name}`);
      return fails ? Promise.reject(new Error("full")) : Promise.resolve();
    },
    abort: () => Promise.resolve(void log.push(`abort ${name}`)),
  });
  await new PairSink(sink("a"), 1, sink("b")).commit();
  assertEquals(log.splice(0), ["commit b", "commit a"]);
  const failing = new PairSink(sink("a"), 1, sink("b", true));
  await assertRejects(() => failing.commit(), Error, "full");
  await failing.abort();
  assertEquals(log, ["commit b", "abort b", "abort a"]);
});
