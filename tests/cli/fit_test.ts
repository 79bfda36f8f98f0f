// `--cast` and `--drop`: tensors that a target cannot hold.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { readFloats } from "../../src/files/floats.ts";
import { isGguf } from "../../src/files/gguf_read.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { npyHeader } from "../../src/files/npy.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { matrix, writeModel } from "../recipes/models.ts";
import { json, run, safetensorsBytes, weightLike } from "./support.ts";

const llama = await openLlama();

const w = {
  name: "w.weight",
  dtype: "F32",
  shape: [4, 64],
  data: weightLike(4, 64),
};
const ids = {
  name: "ids",
  dtype: "U8",
  shape: [3],
  data: Uint8Array.of(0, 7, 255),
};
const conv = {
  name: "conv",
  dtype: "F32",
  shape: [1, 2, 1, 2, 1],
  data: new Float32Array(4),
};
const empty = {
  name: "none",
  dtype: "F32",
  shape: [0, 4],
  data: new Float32Array(0),
};
const complex = {
  name: "phases",
  dtype: "C64",
  shape: [1],
  data: new Float32Array(2),
};

/** Dtype and bytes of a tensor of a file. */
async function tensorOf(path: string, name: string) {
  const file = await openTensorFile(path);
  const entry = file.tensors.find((tensor) => tensor.name === name)!;
  const bytes = new Uint8Array(entry.byteLength);
  await file.source.read(entry.offset, bytes);
  await file.source.close();
  return { dtype: entry.dtype, bytes };
}

Deno.test("what GGUF cannot hold is refused with the flag that helps, and the flag helps", async () => {
  await withFolder(async (path) => {
    const call = (...args: string[]) => [
      ...["quantize", path("m.safetensors"), "-o", path("o.gguf"), "--force"],
      ...["--format", "q4_0", ...args],
    ];
    for (
      const [tensor, message, flag, dtype] of [
        [ids, "no type for U8; pass --cast ids=I16", "--cast=ids=i16", "I16"],
        [conv, "5 axes", "--drop=conv"],
        [empty, "no values", "--drop=none"],
        [complex, "no type for C64; pass --drop phases", "--drop=phases"],
      ] as const
    ) {
      await writeFile(path("m.safetensors"), safetensorsBytes([w, tensor]));
      const { code, out, err } = await run(...call());
      assertEquals([code, out], [1, ""], tensor.name);
      assertStringIncludes(err, message);
      const done = await run(...call(flag));
      assertEquals(done.code, 0, done.err);
      const file = await openTensorFile(path("o.gguf"));
      await file.source.close();
      assertEquals(
        file.tensors.map(({ name, dtype }) => [name, dtype]).sort(),
        [["w.weight", "Q4_0"], ...dtype ? [[tensor.name, dtype]] : []].sort(),
      );
    }
  });
});

Deno.test("integers are cast exactly, or not at all", async () => {
  await withFolder(async (path) => {
    const values = [-3n, 0n, 2n ** 24n + 1n, 2n ** 31n - 1n];
    const write = (last: bigint) =>
      writeFile(
        path("m.safetensors"),
        safetensorsBytes([w, {
          ...{ name: "i", dtype: "I64", shape: [5] },
          data: BigInt64Array.from([...values, last]),
        }]),
      );
    const cast = (dtype: string) =>
      run(
        ...["quantize", path("m.safetensors"), "-o", path("o.safetensors")],
        ...["--force", "--cast", `i=${dtype}`],
      );
    await write(5n);
    assertEquals((await cast("i32")).code, 0);
    assertEquals(
      await tensorOf(path("o.safetensors"), "i"),
      {
        dtype: "I32",
        bytes: new Uint8Array(
          Int32Array.of(-3, 0, 2 ** 24 + 1, 2 ** 31 - 1, 5).buffer,
        ),
      },
    );
    const rounded = await cast("f32");
    assertEquals(rounded.code, 1);
    assertStringIncludes(rounded.err, "holds 16777217 at index 2");
    await write(2n ** 31n);
    const large = await cast("i32");
    assertEquals(large.code, 1);
    assertStringIncludes(large.err, "holds 2147483648 at index 4");
    assertStringIncludes(large.err, "--drop i");
    await write(-1n);
    assertEquals((await cast("i64")).code, 0);

    const small = Uint16Array.of(0, 1, 2048);
    await writeFile(
      path("m.safetensors"),
      safetensorsBytes([w, {
        name: "i",
        dtype: "U16",
        shape: [3],
        data: small,
      }]),
    );
    for (
      const [dtype, bits] of [
        ["f16", [0, 0x3c00, 0x6800]],
        ["bf16", [0, 0x3f80, 0x4500]],
      ] as const
    ) {
      assertEquals((await cast(dtype)).code, 0);
      assertEquals(
        (await tensorOf(path("o.safetensors"), "i")).bytes,
        new Uint8Array(Uint16Array.from(bits).buffer),
      );
    }
  });
});

Deno.test("flags that make no sense are wrong calls", async () => {
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes([w, ids, complex]));
    const call = [
      "quantize",
      path("m.safetensors"),
      "-o",
      path("o.safetensors"),
    ];
    for (
      const [code, args, message] of [
        [2, ["--cast", "ids"], "it is GLOB=DTYPE"],
        [2, ["--cast", "ids=q4_0"], "it is GLOB=DTYPE"],
        [2, ["--cast", "nothing=F32"], "No tensor matches --cast"],
        [2, ["--drop", "nothing"], "No tensor matches --drop"],
        [1, ["--cast", "w*=I32"], "it holds floats; --cast w.weight=F32"],
        [1, ["--cast", "phases=F32"], "--drop phases"],
        [1, ["--drop", "*"], "it holds no tensors"],
      ] as const
    ) {
      const refused = await run(...call, ...args);
      assertEquals([refused.code, refused.out], [code, ""], args.join(" "));
      assertStringIncludes(refused.err, message);
    }
    // The last pattern that matches counts.
    const { copied } = await json(
      ...[...call, "--cast", "*ds=I64", "--cast", "ids=F32", "--drop", "ph*"],
    );
    assertEquals(
      copied.map((t: Record<string, string>) => [t.name, t.cast, t.reason]),
      [["ids", "F32", "cast as asked for"]],
    );
  });
});

Deno.test("what is cast is not quantized, and blocks of ggml are cast where they cannot go", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), {
      architecture: "llama",
      layers: 1,
      heads: 1,
      keyHeads: 1,
      tensors: [matrix("a", [4, 256]), matrix("b", [4, 256], "Q6_K")],
    });
    const call = [
      ...["quantize", path("m.gguf"), "-o", path("o.safetensors")],
      ...["--tensors", "a.weight", "--force"],
    ];
    const refused = await run(...call);
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.err,
      "no type for Q6_K; pass --cast b.weight=F16",
    );
    const { copied } = await json(...call, "--cast", "b.weight=F16");
    assertEquals(copied[0].cast, "F16");
    await json(
      ...["dequantize", path("m.gguf"), "-o", path("f.safetensors")],
      ...["--to", "f16"],
    );
    assertEquals(
      await tensorOf(path("o.safetensors"), "b.weight"),
      await tensorOf(path("f.safetensors"), "b.weight"),
    );
    // transformers refuses files that do not say so.
    const floats = await json("inspect", path("f.safetensors"));
    assertEquals(floats.metadata, { format: "pt" });
    const { tensors } = await json(
      ...call,
      "--cast",
      "*=BF16",
      "--cast",
      "b*=F32",
    )
      .catch(() => ({ tensors: [] }));
    assertEquals(tensors, []);
  });
});

Deno.test("dequantize casts, drops, and takes floats to another container", async () => {
  await withFolder(async (path) => {
    await writeFile(path("m.safetensors"), safetensorsBytes([w, ids]));
    const float = ["dequantize", path("m.safetensors"), "-o"];
    const nothing = await run(...float, path("o.safetensors"));
    assertEquals(nothing.code, 1);
    assertStringIncludes(nothing.err, "Nothing to dequantize");
    const half = await json(
      ...[...float, path("o.safetensors"), "--cast", "w*=F16"],
    );
    assertEquals(half.tensors[0].dtype, "F16");
    assertEquals(half.copied.length, 1);
    await json(...float, path("o.npy"), "--drop", "ids");
    const file = await openTensorFile(path("o.npy"));
    const values = new Float32Array(256);
    await readFloats(file, file.tensors[0], 0, values);
    await file.source.close();
    assertEquals(values, w.data);
    const gguf = [...float, path("o.gguf"), "--meta", "general.architecture=x"];
    const refused = await run(...gguf);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "--cast ids=I16");
    await json(...gguf, "--cast", "ids=I32");
    assertEquals((await tensorOf(path("o.gguf"), "w.weight")).dtype, "F32");
  });
});

Deno.test({
  name: "llama.cpp runs what is dequantized to a GGUF of sixteen bits",
  ignore: llama === undefined,
  fn: () =>
    withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      await json(
        ...["quantize", path("f32.gguf"), "-o", path("q.gguf")],
        ...["--format", "q4_0", "--all"],
      );
      await json(
        ...["dequantize", path("q.gguf"), "-o", path("h.gguf")],
        ...["--to", "f16"],
      );
      const file = await openTensorFile(path("h.gguf"));
      await file.source.close();
      assert(isGguf(file));
      assertEquals(file.values.get("general.file_type")?.value, 1);
      assertEquals(
        [...new Set(file.tensors.map(({ dtype }) => dtype))].sort(),
        ["F16", "F32"],
      );
      const tokens = llama!.tokenize(path("f32.gguf"), "the zebra\n");
      const logits = llama!.logits(path("h.gguf"), tokens);
      assert(logits.every((row) => row.every(Number.isFinite)));
    }),
});

Deno.test("big-endian and column-major arrays are written as outputs have them", async () => {
  await withFolder(async (path) => {
    const npy = (
      descr: string,
      fortran: boolean,
      shape: string,
      data: ArrayBuffer,
    ) => {
      const header = npyHeader("F32", [2, 2]);
      const text = `{'descr': '${descr}', 'fortran_order': ${
        fortran ? "True" : "False"
      }, 'shape': ${shape}, }`;
      header.fill(32, 10, header.length - 1);
      header.set(new TextEncoder().encode(text), 10);
      const bytes = new Uint8Array(header.length + data.byteLength);
      bytes.set(header);
      bytes.set(new Uint8Array(data), header.length);
      return bytes;
    };
    const swapped = (set: (view: DataView) => void, bytes: number) => {
      const view = new DataView(new ArrayBuffer(bytes));
      set(view);
      return view.buffer;
    };
    for (
      const [descr, fortran, shape, data, dtype, expected] of [
        [
          ...[">f4", false, "(1,)"],
          swapped((v) => v.setFloat32(0, 1.5), 4),
          ...["F32", Float32Array.of(1.5)],
        ],
        [
          ...[">f8", false, "(1,)"],
          swapped((v) => v.setFloat64(0, 0.1), 8),
          ...["F64", Float64Array.of(0.1)],
        ],
        [
          ...[">i4", false, "(1,)"],
          swapped((v) => v.setInt32(0, -5), 4),
          ...["I32", Int32Array.of(-5)],
        ],
        [
          ...["<f4", true, "(2, 2)"],
          Float32Array.of(1, 3, 2, 4).buffer,
          ...["F32", Float32Array.of(1, 2, 3, 4)],
        ],
      ] as [string, boolean, string, ArrayBuffer, string, ArrayBufferView][]
    ) {
      await writeFile(path("x.npy"), npy(descr, fortran, shape, data));
      await json(
        ...[
          "dequantize",
          path("x.npy"),
          "-o",
          path("o.safetensors"),
          "--force",
        ],
      );
      assertEquals(await tensorOf(path("o.safetensors"), "x"), {
        dtype,
        bytes: new Uint8Array(expected.buffer as ArrayBuffer),
      });
    }
    await writeFile(
      path("x.npy"),
      npy("<i4", true, "(2, 2)", Int32Array.of(1, 3, 2, 4).buffer),
    );
    const refused = await run(
      ...["dequantize", path("x.npy"), "-o", path("o.safetensors"), "--force"],
    );
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "column by column; pass --drop x");
  });
});
