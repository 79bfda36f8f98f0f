/**
 * `convert` repacks wherever the numbers fit and says so; it goes through values
 * only when it is asked to.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withFolder } from "../files/temporary_folder.ts";
import { writeFile } from "node:fs/promises";
import { json, run, safetensorsBytes, weightLike } from "./support.ts";

const vector = (path: string) =>
  new URL(`../vectors/${path}/model.safetensors`, import.meta.url).pathname;

interface Report {
  readonly tensors: readonly { name: string; repacked: boolean }[];
  readonly warnings: readonly string[];
}

const namesOf = ({ tensors }: Report, repacked: boolean) =>
  tensors.filter((tensor) => tensor.repacked === repacked)
    .map(({ name }) => name);

Deno.test("convert moves the numbers of another library's checkpoint as they are", async () => {
  await withFolder(async (path) => {
    const cases = [
      ["gptq/gptqmodel-v2-asym-g128", "matmul_nbits", "q.safetensors"],
      ["mlx/lm_mxfp4", "mxfp4", "q.gguf"],
    ];
    for (const [from, format, name] of cases) {
      const source = vector(from), target = path(name);
      const report = await json(
        ...["convert", source, "-o", target, "--format", format],
        ...(name.endsWith(".gguf")
          ? ["--meta", "general.architecture=llama"]
          : []),
      );
      assertEquals(namesOf(report, false), [], from);
      const { out } = await run(
        ...["convert", source, "-o", target, "--format", format, "--force"],
        ...(name.endsWith(".gguf")
          ? ["--meta", "general.architecture=llama"]
          : []),
      );
      assertStringIncludes(out, "repacked, numbers as they were");
    }
  });
});

Deno.test("where the other format rounds values otherwise, that is said", async () => {
  await withFolder(async (path) => {
    const source = vector("gptq/gptqmodel-v2-asym-g128");
    const to = async (format: string): Promise<Report> =>
      await json(
        ...["convert", source, "-o", path(`${format}.safetensors`)],
        ...["--format", format],
      );
    const same = await to("matmul_nbits"), other = await to("int4");
    assertEquals(same.warnings, []);
    assertEquals(other.warnings, [
      "2 tensors have the same codes and scales as before, but gptq rounds values to float16, int4 to float32",
    ]);
    const compared = await json("compare", source, path("int4.safetensors"));
    assertEquals(compared.tensors[0].rmse > 0, true);
    const exact = await json(
      ...["compare", source, path("matmul_nbits.safetensors")],
    );
    assertEquals(exact.tensors[0].rmse, 0);
  });
});

Deno.test("where the other format rounds what scales are multiplied to, that is said", async () => {
  await withFolder(async (path) => {
    const data = weightLike(32, 64);
    const weights = [{ name: "w", dtype: "F32", shape: [32, 64], data }];
    await writeFile(path("in.safetensors"), safetensorsBytes(weights));
    const made = async (format: string) => {
      const to = path(`${format}.safetensors`);
      await json(
        "quantize",
        path("in.safetensors"),
        "-o",
        to,
        "--format",
        format,
      );
      const { warnings }: Report = await json(
        ...["convert", to, "-o", path(`${format}-ov.safetensors`)],
        ...["--format", "openvino", "--mode", "nvfp4"],
      );
      const { tensors: [{ maxError }] } = await json(
        ...["compare", to, path(`${format}-ov.safetensors`)],
      );
      return { warnings, exact: maxError === 0 };
    };
    assertEquals(await made("nvfp4_modelopt"), {
      warnings: [
        'tensor "w" has the same codes and scales as before, but nvfp4_modelopt rounds the product of two scales to float32, openvino to float16',
      ],
      exact: false,
    });
    // With one scale alone there is no product.
    const flags = ["--mode", "nvfp4", "--compute-dtype", "F32"];
    await json(
      "quantize",
      path("in.safetensors"),
      "-o",
      path("mlx.safetensors"),
      "--format",
      "mlx",
      ...flags,
    );
    const { warnings }: Report = await json(
      ...["convert", path("mlx.safetensors"), "-o", path("m.safetensors")],
      ...["--format", "openvino", "--mode", "nvfp4"],
    );
    assertEquals(warnings, []);
  });
});

Deno.test("repacked there and back in small windows, a file is what it was", async () => {
  await withFolder(async (path) => {
    const source = vector("gptq/gptqmodel-v2-asym-g128");
    const there = path("there.safetensors"), back = path("back.safetensors");
    await json("convert", source, "-o", there, "--format", "matmul_nbits");
    await json(
      ...["convert", there, "-o", back, "--format", "gptq"],
      ...["--version", "2", "--symmetric", "false"],
    );
    const { tensors } = await json("compare", source, back);
    for (const { rmse } of tensors) assertEquals(rmse, 0);
  });
});

Deno.test("what cannot be repacked goes through its values with --requantize, and not without", async () => {
  await withFolder(async (path) => {
    const source = vector("mlx/lm_affine");
    const call = ["convert", source, "-o", path("q.safetensors")];
    const refused = await run(...call, "--format", "q4_0");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "its values are s·c + b");
    assertStringIncludes(refused.err, "pass --requantize");
    const report = await json(...call, "--format", "q4_0", "--requantize");
    assertEquals(namesOf(report, true), []);
    assertStringIncludes(report.warnings[0], "quantized before (mlx)");
  });
});

Deno.test("where the format cannot hold the shape, going on from values is not advised", async () => {
  await withFolder(async (path) => {
    const input = path("in.safetensors"), source = path("gptq.safetensors");
    await writeFile(
      input,
      safetensorsBytes([
        {
          name: "fits",
          dtype: "F32",
          shape: [32, 64],
          data: weightLike(32, 64),
        },
        {
          name: "odd",
          dtype: "F32",
          shape: [12, 64],
          data: weightLike(12, 64),
        },
      ]),
    );
    await json(
      ...["quantize", input, "-o", source, "--format", "gptq"],
      ...["--group-size", "32", "--version", "2", "--symmetric", "false"],
    );
    const call = ["convert", source, "-o", path("awq.safetensors")];
    const flags = ["--format", "awq", "--group-size", "32"];
    const refused = await run(...call, ...flags);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "its 12 outputs are no multiple of");
    assertStringIncludes(refused.err, "leave the tensor out with --skip");
    assert(!refused.err.includes("--requantize"), refused.err);
    const report = await json(...call, ...flags, "--skip", "odd");
    assertEquals(namesOf(report, true), ["fits"]);
  });
});
