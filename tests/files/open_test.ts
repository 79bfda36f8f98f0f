import { assertEquals, assertRejects } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { memorySource } from "../../src/files/file_source.ts";
import { openSource, openTensorFile } from "../../src/files/open.ts";
import { caseBytes, concat, utf8, vector } from "./support.ts";
import { withFolder } from "./temporary_folder.ts";

const npy = await vector("f4_c.npy");
const safetensors = await vector("mixed.safetensors");
const archive = await caseBytes("c39_weights.npz");
const zeros = new Uint8Array(12);

const opened: [
  path: string | undefined,
  bytes: Uint8Array,
  container: string,
  name: string,
][] = [
  ["folder/W.npy", npy, "npy", "W"],
  ["W", npy, "npy", "W"],
  ["model.layer.npy", npy, "npy", "model.layer"],
  [".npy", npy, "npy", ".npy"],
  [undefined, npy, "npy", "tensor"],
  ["W.SAFETENSORS", safetensors, "safetensors", "ids"],
  ["W.dat", safetensors, "safetensors", "ids"],
  [undefined, safetensors, "safetensors", "ids"],
  ["none.safetensors", await vector("none.safetensors"), "safetensors", ""],
  ["W.npz", archive, "npz", "layers.0.weight"],
  ["W", archive, "npz", "layers.0.weight"],
  [undefined, archive, "npz", "layers.0.weight"],
  ["W.f32", zeros, "raw", "W"],
  ["W.bin", zeros, "raw", "W"],
  ["empty.f32", new Uint8Array(0), "raw", "empty"],
  // Numbers that only begin like something else.
  ["W.bin", Uint8Array.of(0x80, 2, 0x8a, 11, 0, 0, 0, 1), "raw", "W"],
  ["W.f32", Uint8Array.of(0x1f, 0x8b, 8, 0x3f), "raw", "W"],
  ["W.bin", float32("v", "e", 1, 2), "raw", "W"],
  ["W.bin", float32("{", '"', 1, 2), "raw", "W"],
];

for (const [path, bytes, container, name] of opened) {
  Deno.test(`openSource: ${path ?? "a stream"} of ${bytes.length} bytes is ${container}`, async () => {
    const file = await openSource(memorySource(bytes), path);
    assertEquals(file.container, container as typeof file.container);
    assertEquals(file.tensors[0]?.name ?? "", name);
  });
}

/** Bytes that float32 values may well have, the first four of them given. */
function float32(...start: (string | number)[]): Uint8Array {
  const bytes = start.map((x) => typeof x === "string" ? x.charCodeAt(0) : x);
  return concat(bytes, [0x3f, 0x80, 0, 1]);
}

/** What is no container, and what to call it under any name. */
const strangers: [bytes: Uint8Array, message: string][] = [
  [await caseBytes("c34_lfs.safetensors"), "a Git LFS pointer"],
  [await caseBytes("c35_html.gguf"), "a web page (HTML)"],
  [utf8("\ufeff\n <!DOCTYPE HTML PUBLIC"), "a web page (HTML)"],
  [utf8("<html>\n  "), "a web page (HTML)"],
  [await caseBytes("c38_ggml-tiny.bin"), "a ggml file from before GGUF"],
  [utf8("tjgg0000"), "a ggml file from before GGUF"],
  [concat([0x80, 2, 0x8a, 10], utf8("torch...")), "a Python pickle"],
  [concat([0x80, 2], utf8("}q\0X.")), "a Python pickle"],
  [
    concat([0x80, 4, 0x95, 9, 0, 0, 0, 0, 0, 0, 0], [0x7d]),
    "a Python pickle",
  ],
  [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), "compressed by gzip"],
  [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), "compressed by zstd"],
  [concat([0xfd], utf8("7zXZ"), [0, 0, 0]), "compressed by xz"],
  [utf8('{"weight_map": {"a": "b"}}\n'), "JSON text"],
  [utf8("[1.5, 2,\n3, 4]\n"), "JSON text"],
];

const refused: [
  path: string | undefined,
  bytes: Uint8Array,
  message: string,
][] = [
  [
    "W.safetensors",
    npy,
    "it starts like .npy, but its ending says safetensors",
  ],
  [
    "W.npy",
    safetensors,
    "it starts like safetensors, but its ending says .npy",
  ],
  ["W.f32", npy, "it starts like .npy, but its ending says raw float32"],
  ["W.npy", zeros, "does not start with \\x93NUMPY"],
  ["W.npy", new Uint8Array(0), "does not start with \\x93NUMPY"],
  ["W.safetensors", zeros, "does not start with {"],
  ["W.dat", zeros, "it is none of .npy, .npz, GGUF, safetensors"],
  [undefined, zeros, "it is none of .npy, .npz, GGUF, safetensors"],
  [undefined, new Uint8Array(0), "it is none of .npy, .npz, GGUF, safetensors"],
  ["W.f32", zeros.subarray(1), "its 11 bytes are no multiple of 4"],
  // Under another ending, or none, it is what it is.
  ...[".bin", ".f32", ".safetensors", ".gguf", ".npy"].flatMap((ending) =>
    [
      archive,
      concat(utf8("PK"), [5, 6], new Uint8Array(18)),
    ].map((bytes): [string, Uint8Array, string] => [
      `W${ending}`,
      bytes,
      "it is a zip archive",
    ])
  ),
  ...strangers.flatMap(([bytes, message]) =>
    [".bin", ".f32", ".safetensors", ".gguf", ".npy", ".dat", undefined].map((
      ending,
    ): [string | undefined, Uint8Array, string] => [
      ending && `W${ending}`,
      bytes,
      `it is ${message}`,
    ])
  ),
];

for (const [path, bytes, message] of refused) {
  Deno.test(`openSource: ${path ?? "a stream"} is refused: ${message}`, async () => {
    await assertRejects(
      () => openSource(memorySource(bytes), path),
      SyntaxError,
      message,
    );
  });
}

Deno.test("openSource: a dtype is for .npy only, in any case", async () => {
  const bf16 = await openSource(
    memorySource(await vector("bf16_c.npy")),
    "W.npy",
    { dtype: "bf16" },
  );
  assertEquals(bf16.tensors[0].dtype, "BF16");
  const other = openSource(memorySource(zeros), "W.f32", { dtype: "bf16" });
  await assertRejects(
    () => other,
    RangeError,
    "only .npy and .npz leave a dtype open",
  );
});

Deno.test("openTensorFile: reads from the disk and leaves the file as it was", async () => {
  await withFolder(async (path) => {
    await writeFile(path("W.npy"), npy);
    const file = await openTensorFile(path("W.npy"));
    assertEquals(file.tensors[0].shape, [3, 5]);
    await file.source.close();
    await writeFile(path("bad.npy"), npy.subarray(1));
    await assertRejects(
      () => openTensorFile(path("bad.npy")),
      SyntaxError,
      path("bad.npy"),
    );
    assertEquals(new Uint8Array(await readFile(path("W.npy"))), npy);
  });
});
