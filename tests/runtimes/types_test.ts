/**
 * The declarations of the packed module, in projects as strict as TypeScript
 * gets, under the oldest compiler that is supported and the newest.
 */
import { join } from "node:path";
import { install, packInto, pinned, programOn, withoutNpm } from "./project.ts";
import { readmeExample, succeed } from "./workshop.ts";

/** What a user writes. */
interface Snippet {
  readonly code: string;
  /** The declarations do not allow this yet. */
  readonly ignore?: true;
}

/** Each has to compile; the names say what for, and in which file an error is. */
const snippets: Readonly<Record<string, Snippet>> = {
  "the README's example": { code: await readmeExample("Sixty seconds") },
  "results are typed by their format": {
    code: `
import { backend, compare, dequantize, formats, quantize, quantizeToInt4 } from "nibblewise";
const values = Float32Array.of(1, -2, 3);
const quantized = quantize(values, { format: "int4", groupSize: 32, scaleMethod: "absmax" });
const restored: Float32Array = dequantize(quantized);
const basic: { quantized: Int8Array; scale: number; zeroPoint: number } = quantizeToInt4(values);
const error: number = compare(values, restored).rmse;
const name: "wasm" | "js" = backend();
const count: number = formats.size;
console.log(basic, error, name, count);
`,
  },
  "a result is reused": {
    code: `
import { dequantize, type Quantized, quantize } from "nibblewise";
const values = new Float32Array(64), restored = new Float32Array(64);
const into: Quantized<"q4_0"> = quantize(values, { format: "q4_0" });
quantize(values, { format: "q4_0", into });
dequantize(into, { into: restored });
`,
  },
  "formats tell about themselves": {
    code: `
import { formats } from "nibblewise";
for (const [name, { bitsPerValue, summary }] of formats) {
  const line: string = name.padEnd(8) + bitsPerValue.toFixed(2) + summary;
  console.log(line);
}
`,
  },
  "wrong calls are refused": {
    code: `
import { quantize } from "nibblewise";
const values = new Float32Array(32);
const { parts } = quantize(values, { format: "q4_0" });
// @ts-expect-error -- no format has this name
quantize(values, { format: "q9_9" });
// @ts-expect-error -- ggml's blocks have a size of their own
quantize(values, { format: "q4_0", groupSize: 64 });
// @ts-expect-error -- bytes are no text
export const text: string = parts.blocks.data;
`,
  },
  "the program is a module": { code: `import "nibblewise/cli";\n` },
  "a result goes into a Blob": {
    code: `
import { quantize } from "nibblewise";
const { parts } = quantize(new Float32Array(32), { format: "q4_0" });
export const blob: Blob = new Blob([parts.blocks.data]);
`,
  },
  "a result is posted and sent": {
    code: `
import { quantize } from "nibblewise";
const { parts } = quantize(new Float32Array(32), { format: "q4_0" });
const buffer: ArrayBuffer = parts.blocks.data.buffer;
postMessage(parts.blocks.data, "*", [buffer]);
await fetch("/weights", { method: "POST", body: parts.blocks.data });
`,
  },
  "every name of a format is one": {
    code: `
import { type FormatName, formats, quantize } from "nibblewise";
const weights = new Float32Array(256);
for (const name of formats.keys()) quantize(weights, { format: name });
export const names: FormatName[] = [...formats.keys()];
`,
  },
  "a generic wrapper keeps the format": {
    code: `
import { dequantize, type FormatName, type Quantized, quantize } from "nibblewise";
export function pack<F extends FormatName>(values: Float32Array, format: F): Quantized<F> {
  return quantize(values, { format });
}
export function roundTrip<F extends FormatName>(values: Float32Array, format: F): Float32Array {
  return dequantize(quantize(values, { format }));
}
export const blocks: Uint8Array = pack(new Float32Array(32), "q4_0").parts.blocks.data;
`,
  },
};

/** Strict, without the types of any runtime, and looking into the declarations: they have to stand on their own. */
const strict = {
  strict: true,
  skipLibCheck: false,
  noEmit: true,
  target: "es2022",
  lib: ["es2022", "dom", "dom.iterable"],
  types: [],
};

/** How modules are looked up: as Node does, and as bundlers do. */
const resolutions = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** What the snippets are called in their project. */
const fileOf = (name: string) => `${name.replaceAll(/\W+/g, "_")}.ts`;

Deno.test({
  name: "TypeScript accepts the packed declarations",
  ignore: withoutNpm,
}, async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-types-" });
  try {
    const compilers = Object.entries(pinned.typescript);
    const { env } = await install(folder, [
      await packInto(folder),
      ...compilers.map(([age, version]) => `${age}@npm:typescript@${version}`),
    ]);
    for (const [name, { code }] of Object.entries(snippets)) {
      await Deno.writeTextFile(join(folder, fileOf(name)), code);
    }
    const stated = Object.keys(snippets);
    for (const name of stated.filter((name) => snippets[name].ignore)) {
      await t.step({ name, ignore: true, fn() {} });
    }
    const files = stated.filter((name) => !snippets[name].ignore).map(fileOf);
    const node = programOn(env.PATH, "node");
    for (const [age, version] of compilers) {
      const compiler = join(folder, "node_modules", age, "bin", "tsc");
      for (const [name, resolution] of Object.entries(resolutions)) {
        await t.step(`${version}, modules as ${name} finds them`, async () => {
          const project = join(folder, `${name}.json`);
          const compilerOptions = { ...strict, ...resolution };
          await Deno.writeTextFile(
            project,
            JSON.stringify({ compilerOptions, files }),
          );
          await succeed(node, [compiler, "-p", project], { cwd: folder, env });
        });
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
