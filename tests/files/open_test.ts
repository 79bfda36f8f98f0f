import { assertEquals, assertRejects } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { memorySource } from "../../src/files/file_source.ts";
import { openSource, openTensorFile } from "../../src/files/open.ts";
import { vector } from "./support.ts";
import { withFolder } from "./temporary_folder.ts";

const npy = await vector("f4_c.npy");
const safetensors = await vector("mixed.safetensors");
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
  ["W.f32", zeros, "raw", "W"],
  ["W.bin", zeros, "raw", "W"],
  ["empty.f32", new Uint8Array(0), "raw", "empty"],
];

for (const [path, bytes, container, name] of opened) {
  Deno.test(`openSource: ${path ?? "a stream"} of ${bytes.length} bytes is ${container}`, async () => {
    const file = await openSource(memorySource(bytes), path);
    assertEquals(file.container, container as typeof file.container);
    assertEquals(file.tensors[0]?.name ?? "", name);
  });
}

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
  ["W.dat", zeros, "it is none of .npy, GGUF, safetensors"],
  [undefined, zeros, "it is none of .npy, GGUF, safetensors"],
  [undefined, new Uint8Array(0), "it is none of .npy, GGUF, safetensors"],
  ["W.f32", zeros.subarray(1), "its 11 bytes are no multiple of 4"],
  ["W.bin", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0), "it is a zip archive"],
  ["W.npz", Uint8Array.of(0x50, 0x4b, 3, 4), "it is a zip archive"],
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
  await assertRejects(() => other, RangeError, "only .npy leaves a dtype open");
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
