/**
 * nf4 against files that bitsandbytes wrote: read bit for bit, written alike, and
 * refused where they contradict themselves.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type BitsandbytesParts, dequantize, quantize } from "../../mod.ts";
import { allocateParts, repackWith } from "../../src/core.ts";
import { nf4 } from "../../src/formats/nf4.ts";
import { bytesOf } from "../../src/model/define.ts";
import { packTile } from "../../src/model/pack_tile.ts";
import { dynamicMap } from "../../src/numeric/codebooks.ts";
import type { Part, Parts } from "../../src/words/format.ts";
import { grainOf } from "../../src/words/layout.ts";
import { tileOf } from "../../src/words/tile.ts";
import { areaOf, cut, whole } from "../../src/words/window.ts";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import {
  candidateOf,
  floatsOf,
  goldenJson,
  goldenTensors,
  partsNamed,
} from "./safetensors_vectors.ts";

const CASES = [
  { name: "nf4-b64-f32", input: "f32" },
  { name: "nf4-b64-bf16-nested", input: "bf16" },
  { name: "nf4-b64-f16-nested", input: "f16" },
  { name: "nf4-b128-f16", input: "f16" },
  { name: "nf4-b4096-f16", input: "f16" },
  { name: "nf4-b64-f16-storage-bf16", input: "f16" },
];
const convention = nf4.convention!;

async function configOf(name: string): Promise<unknown> {
  const config = await goldenJson(`nf4/${name}/config.json`);
  return (config as { quantization_config: unknown }).quantization_config;
}

/** Every tensor of a golden case: its parts, what they stand for, what they were made of. */
async function* tensorsOf(name: string, input: string) {
  const file = await goldenTensors(`nf4/${name}/model.safetensors`);
  const values = await goldenTensors(`nf4/${name}/dequant.safetensors`);
  const inputs = await goldenTensors(`nf4/input-${input}.safetensors`);
  for (const [tensor, expected] of values) {
    yield {
      tensor,
      parts: partsNamed(file, convention, tensor),
      expected: floatsOf(expected),
      values: floatsOf(inputs.get(tensor)!),
    };
  }
}

for (const { name, input } of CASES) {
  Deno.test(`nf4: ${name} is recognized and dequantizes as bitsandbytes does`, async () => {
    const config = await configOf(name);
    let count = 0;
    for await (const { tensor, parts, expected } of tensorsOf(name, input)) {
      const found = convention.recognize(candidateOf(parts, config))!;
      const values = dequantize({ format: "nf4", ...found, parts });
      assertSameBytes(values, expected, `${name} ${tensor}`);
      count++;
    }
    assert(count > 0);
  });

  Deno.test(`nf4: ${name} is quantized as bitsandbytes does`, async () => {
    const config = await configOf(name);
    for await (const { tensor, parts, values } of tensorsOf(name, input)) {
      const { shape, options } = convention.recognize(
        candidateOf(parts, config),
      )!;
      const made = quantize(values, { format: "nf4", shape, ...options });
      assertEquals(Object.keys(made.parts).sort(), Object.keys(parts).sort());
      const { absmax, quant_state, ...exact } = made.parts as unknown as Parts;
      for (const [part, { data }] of Object.entries(exact)) {
        assertSameBytes(data, parts[part].data, `${name} ${tensor} ${part}`);
      }
      if (exact.nested_absmax) checkNested(made.parts, parts);
      else {
        assertSameBytes(absmax.data, parts.absmax.data);
        assertSameBytes(quant_state.data, parts.quant_state.data);
      }
    }
  });
}

interface StateJson {
  nested_offset: number;
}

function stateOf(part: Part): StateJson {
  return JSON.parse(
    new TextDecoder().decode(part.data as Uint8Array<ArrayBuffer>),
  );
}

/**
 * What the library itself does not reproduce: the mean is added up in an order
 * that depends on the processor, and 8-bit codes near midpoints come from a
 * coarser table.
 */
function checkNested(made: BitsandbytesParts, golden: Parts): void {
  const own = stateOf(made.quant_state), its = stateOf(golden.quant_state);
  const { nested_offset: offset, ...rest } = own;
  const { nested_offset: expected, ...restExpected } = its;
  assertEquals(rest, restExpected);
  assert(Math.abs(offset / expected - 1) < 2 ** -21, `${offset} ${expected}`);
  const codes = made.absmax.data, expectedCodes = golden.absmax.data;
  assertEquals(codes.length, expectedCodes.length);
  let different = 0;
  for (let i = 0; i < codes.length; i++) {
    const apart = Math.abs(codes[i] - Number(expectedCodes[i]));
    assert(apart <= 1);
    different += apart;
  }
  assert(different <= 1);
}

Deno.test("nf4: the map of 8-bit scales is the library's", async () => {
  const file = await goldenTensors("nf4/nf4-b64-f16-nested/model.safetensors");
  const maps = [...file].filter(([name]) => name.endsWith("nested_quant_map"));
  assert(maps.length > 0);
  for (const [, { data }] of maps) assertSameBytes(dynamicMap(), data);
});

Deno.test("nf4: quantizing what was dequantized gives the same codes and scales", () => {
  let tried = 0;
  for (const blockSize of [32, 64, 4096]) {
    for (const [set, values] of Object.entries(adversarial(5003))) {
      const first = quantize(values, { format: "nf4", blockSize });
      // The library divides by 1e-38 at least: what is smaller shrinks each time.
      if (first.parts.absmax.data.some((x) => x > 0 && x < 1e-38)) continue;
      const again = quantize(dequantize(first), { format: "nf4", blockSize });
      for (const part of ["absmax", "weight"] as const) {
        const { data } = first.parts[part];
        assertSameBytes(again.parts[part].data, data, `${set} ${part}`);
      }
      tried++;
    }
  }
  assert(tried > 60, `${tried} sets`);
});

Deno.test("nf4: nested scales are within a step of what they were", () => {
  const values = adversarial(64 * 600 + 11).gauss;
  const plain = quantize(values, { format: "nf4" });
  const nested = quantize(values, { format: "nf4", nested: true });
  assertSameBytes(nested.parts.weight.data, plain.parts.weight.data);
  assertEquals(nested.parts.absmax.data.length, 601);
  assertEquals(nested.parts.nested_absmax!.data.length, 3);
  const a = dequantize(plain), b = dequantize(nested);
  // A code of the map is half a step of 1/64 off at most, in units of the largest deviation.
  const largest = Math.max(...nested.parts.nested_absmax!.data);
  for (let i = 0; i < a.length; i++) {
    assert(Math.abs(a[i] - b[i]) <= largest / 128, `value ${i}`);
  }
});

Deno.test("nf4: nested, windows of 256 blocks give what the whole tensor gives", () => {
  const shape = [3, 64 * 256 + 77], n = shape[0] * shape[1];
  const values = adversarial(n).weights;
  const options = nf4.resolve({ nested: true }, shape);
  const scheme = nf4.scheme(shape, options);
  const layout = nf4.layout(shape, options);
  const grain = grainOf(layout as never, scheme.fields);
  assertEquals(grain, { rows: 1, columns: 64 * 256 });
  const windows = [...cut(whole(layout.matrix), grain, 1)];
  assertEquals(windows.length, 4);
  const prepass = scheme.prepass!();
  for (const { column, columns } of windows) {
    prepass.add(values.subarray(column, column + columns));
  }
  const parts = allocateParts(layout.parts as never);
  const bytes = bytesOf(parts), area = whole(layout.matrix);
  for (const window of windows) {
    const tile = tileOf(
      layout.matrix,
      window,
      scheme.fields,
      new Uint8Array(areaOf(window)),
      (length) => new Float32Array(length),
    );
    const { column, columns } = window;
    const input = values.subarray(column, column + columns);
    scheme.encode(input, tile, prepass.result());
    packTile({ scheme, layout: layout as never }, tile, { bytes, area });
  }
  const expected = quantize(values, { format: "nf4", shape, nested: true });
  for (const [name, { data }] of Object.entries(parts)) {
    const part = expected.parts[name as keyof BitsandbytesParts]!;
    assertSameBytes(data, part.data, name);
  }
});

Deno.test("nf4: the mean of scales beyond the half of float32 does not overflow", () => {
  const values = new Float32Array(64 * 300).fill(3e38);
  const { parts } = quantize(values, { format: "nf4", nested: true });
  assertEquals(stateOf(parts.quant_state).nested_offset, Math.fround(3e38));
  // All scales are their mean; a block that is not full is never scaled by 0.
  assertEquals([...parts.nested_absmax!.data], [0, Math.fround(1e-38)]);
});

Deno.test("nf4: zeros and the odd nibble are code 7", () => {
  const { parts } = quantize(new Float32Array(65), { format: "nf4" });
  assertEquals(parts.weight.data, new Uint8Array(33).fill(0x77));
  // A block that is not full never has a scale of 0.
  assertEquals([...parts.absmax.data], [0, Math.fround(1e-38)]);
});

Deno.test("nf4: a tensor without values has its tables and its text", () => {
  for (const nested of [false, true]) {
    const q = quantize([], { format: "nf4", shape: [0, 5], nested });
    assertEquals(q.parts.quant_map.data[15], 1);
    assertEquals(q.parts.absmax.data.length, 0);
    assertEquals(dequantize(q).length, 0);
    const state = stateOf(q.parts.quant_state);
    assertEquals(state.nested_offset, nested ? 0 : undefined!);
    const parts = q.parts as unknown as Parts;
    assertEquals(convention.recognize(candidateOf(parts))!.shape, [0, 5]);
  }
});

Deno.test("nf4: storage is the same bytes under another dtype, where they fill its elements", () => {
  const values = adversarial(1024).gauss, shape = [8, 128];
  const bytes = quantize(values, { format: "nf4", shape });
  for (const storage of ["F16", "BF16", "F32"] as const) {
    const q = quantize(values, { format: "nf4", shape, storage });
    assertEquals(q.parts.weight.dtype, storage);
    assertSameBytes(q.parts.weight.data, bytes.parts.weight.data);
    assertSameBytes(dequantize(q), dequantize(bytes));
    const repacked = repackWith(nf4, bytes, nf4, { storage });
    assertSameBytes(repacked.parts.weight.data, q.parts.weight.data);
  }
  assertThrows(
    () => quantize(new Float32Array(6), { format: "nf4", storage: "BF16" }),
    RangeError,
    "Cannot use storage BF16 for shape [6]: its codes take 3 bytes, which must be a multiple of 2",
  );
  assertEquals(
    quantize(new Float32Array(7), { format: "nf4", storage: "BF16" }).parts
      .weight.shape,
    [2, 1],
  );
});

Deno.test("nf4: computeDtype rounds the values and names itself in the text", () => {
  const values = adversarial(100).gauss;
  const q = quantize(values, { format: "nf4", computeDtype: "BF16" });
  const exact = dequantize({ ...q, options: {} });
  const rounded = dequantize(q);
  assert(rounded.some((x, i) => x !== exact[i]));
  rounded.forEach((x, i) => {
    assertEquals(new Uint32Array(Float32Array.of(x).buffer)[0] & 0xffff, 0);
    assert(Math.abs(x - exact[i]) <= Math.abs(exact[i]) * 2 ** -8);
  });
});

// ---- what contradicts itself ----

const good = await (async () => {
  const name = "model.layers.0.self_attn.q_proj.weight";
  const files = ["nf4-b64-f32", "nf4-b64-bf16-nested"].map((file) =>
    goldenTensors(`nf4/${file}/model.safetensors`)
  );
  const [plain, nested] = await Promise.all(files);
  return {
    plain: partsNamed(plain, convention, name),
    nested: partsNamed(nested, convention, name),
  };
})();

function text(json: string): Part {
  const data = new TextEncoder().encode(json);
  return { dtype: "U8", shape: [data.length], data };
}

const STATE = {
  quant_type: "nf4",
  blocksize: 64,
  dtype: "float32",
  shape: [40, 128],
};
const NESTED = {
  nested_blocksize: 256,
  nested_dtype: "float32",
  nested_offset: 250.2,
};

function recognize(parts: Parts, config?: unknown) {
  return convention.recognize(candidateOf(parts, config));
}

function recognizeState(state: unknown, parts = good.plain) {
  const json = typeof state === "string" ? state : JSON.stringify(state);
  return recognize({ ...parts, quant_state: text(json) });
}

Deno.test("nf4: a quant_state is read whatever its spaces and the order of its keys", () => {
  const { shape, dtype, ...rest } = STATE;
  const expected = recognize(good.plain);
  assertEquals(recognizeState(STATE), expected);
  assertEquals(recognizeState({ shape, dtype, ...rest }), expected);
  assertEquals(recognizeState(JSON.stringify(STATE, null, 3)), expected);
  assertEquals(recognizeState(JSON.stringify(STATE) + "   "), expected);
  const nested = recognizeState({ ...STATE, ...NESTED }, good.nested);
  assertEquals(nested!.options, {
    blockSize: 64,
    nested: true,
    computeDtype: "F32",
    storage: "U8",
  });
});

Deno.test("nf4: a quant_state that lies is refused with what it says", () => {
  const without = (key: keyof typeof STATE) => {
    const { [key]: _, ...rest } = STATE;
    return rest;
  };
  const cases: [unknown, string][] = [
    ["", "it is no JSON"],
    ["{", "it is no JSON"],
    ["[]", "it is no JSON object"],
    ["null", "it is no JSON object"],
    ["7", "it is no JSON object"],
    [" ".repeat(5000) + "{}", "it has 5002 characters, at most 4096 are read"],
    ["[".repeat(4000), "it is no JSON"],
    [without("shape"), "it has no shape"],
    [without("quant_type"), "it has no quant_type"],
    [{ ...STATE, more: 1 }, 'it has an unknown key "more"'],
    [
      JSON.stringify(STATE).replace("}", ',"__proto__":{"blocksize":64}}'),
      'it has an unknown key "__proto__"',
    ],
    [
      '{"__proto__":{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[40,128]}}',
      'it has an unknown key "__proto__"',
    ],
    [{ ...STATE, quant_type: "fp4" }, 'its quant_type is "fp4", not "nf4"'],
    [{ ...STATE, blocksize: 63 }, "its blocksize is 63, not 32 or 64 or"],
    [{ ...STATE, blocksize: "64" }, 'its blocksize is "64", not 32'],
    [{ ...STATE, blocksize: 8192 }, "its blocksize is 8192"],
    [{ ...STATE, dtype: "int8" }, 'its dtype is "int8", not "float32"'],
    [{ ...STATE, dtype: { toString: 1 } }, "its dtype is"],
    [{ ...STATE, shape: 40 }, "its shape is no list of whole numbers"],
    [{ ...STATE, shape: ["40", 128] }, "its shape is no list of whole numbers"],
    [
      { ...STATE, shape: new Array(65).fill(1) },
      "its shape is no list of whole numbers",
    ],
    [{ ...STATE, shape: [40, -128] }, "dimension 1 is -128"],
    [{ ...STATE, shape: [40, 0.5] }, "dimension 1 is 0.5"],
    [{ ...STATE, shape: [2 ** 30, 2 ** 30] }, "more than 2^53 values"],
    [{ ...STATE, nested_offset: 1 }, "it has no nested_blocksize"],
    [{ ...STATE, ...NESTED, nested_blocksize: 64 }, "its nested_blocksize is"],
    [{ ...STATE, ...NESTED, nested_dtype: "float16" }, "its nested_dtype is"],
    [{ ...STATE, ...NESTED, nested_offset: "1" }, "its nested_offset is"],
    [{ ...STATE, ...NESTED, nested_offset: -1 }, "its nested_offset is -1"],
    [{ ...STATE, ...NESTED, nested_offset: 1e39 }, "its nested_offset is"],
    [{ ...STATE, ...NESTED, nested_offset: null }, "its nested_offset is null"],
  ];
  for (const [state, message] of cases) {
    const error = assertThrows(() => recognizeState(state), RangeError);
    assert(error.message.includes(message), `${error.message}: ${message}`);
    assert(error.message.startsWith('Cannot use part "quant_state": '));
    assert(!error.message.includes("\n"));
  }
});

Deno.test("nf4: parts that disagree with the quant_state are refused by name", () => {
  const cut = (part: Part): Part => ({
    ...part,
    shape: [part.shape[0] - 1, ...part.shape.slice(1)],
  });
  for (const [kind, parts] of Object.entries(good)) {
    assert(recognize(parts), kind);
    for (const [name, part] of Object.entries(parts)) {
      if (name === "quant_state") continue;
      const refused = (changed: Parts) =>
        assertThrows(
          () => recognize(changed),
          RangeError,
          `Cannot use part "${name}": it is `,
        );
      refused({ ...parts, [name]: cut(part) });
      refused({ ...parts, [name]: { ...part, dtype: "I32" } });
      if (name === "weight") continue;
      const { [name]: _, ...missing } = parts;
      refused(missing);
    }
  }
  assertThrows(
    () =>
      recognize({ ...good.plain, nested_absmax: good.nested.nested_absmax }),
    RangeError,
    'Cannot use part "nested_absmax": by its quant_state the tensor has none',
  );
});

Deno.test("nf4: a config that says something else is refused, one that says nothing is not", () => {
  const config = convention.config!(nf4.resolve({}, [40, 128]));
  for (
    const quiet of [undefined, null, 3, {}, config, { ...config, more: 1 }]
  ) {
    assert(recognize(good.plain, quiet));
  }
  assert(recognize(good.plain, { bnb_4bit_compute_dtype: "bfloat16" }));
  const cases = {
    quant_method: "gptq",
    load_in_4bit: false,
    bnb_4bit_quant_type: "fp4",
    bnb_4bit_use_double_quant: true,
    bnb_4bit_quant_storage: "bfloat16",
  };
  for (const [key, value] of Object.entries(cases)) {
    assertThrows(
      () => recognize(good.plain, { ...config, [key]: value }),
      RangeError,
      `it disagrees with the config, whose ${key} is ${JSON.stringify(value)}`,
    );
  }
});

Deno.test("nf4: numbers that the library never writes are refused by part and index", () => {
  const nested = { format: "nf4", shape: [40, 128], options: { nested: true } };
  const plain = { ...nested, options: {} };
  const cases = [
    [plain, good.plain, "absmax", [NaN, -1, Infinity, -Infinity]],
    [plain, good.plain, "quant_map", [NaN, 1.5, -Infinity]],
    [nested, good.nested, "nested_absmax", [NaN, -1, Infinity]],
    [nested, good.nested, "nested_quant_map", [NaN, -2]],
  ] as const;
  for (const [tensor, parts, name, values] of cases) {
    dequantize({ ...tensor, parts });
    const data = parts[name].data as Float32Array, last = data.length - 1;
    for (const value of values) {
      const changed = data.slice();
      changed[last] = value;
      assertThrows(
        () =>
          dequantize({
            ...tensor,
            parts: { ...parts, [name]: { ...parts[name], data: changed } },
          }),
        RangeError,
        `Cannot dequantize part "${name}": it has ${value} at index ${last}, it must be from `,
      );
    }
    // What it can be, if it is never seen: scales of 0, a table of zeros.
    const zeros = { ...parts[name], data: data.slice().fill(0) };
    dequantize({ ...tensor, parts: { ...parts, [name]: zeros as Part } });
  }
});

Deno.test("nf4: index of a refused scale is that in the tensor, beyond the first tile too", () => {
  const q = quantize(adversarial(64 * 1000).gauss, { format: "nf4" });
  q.parts.absmax.data[777] = NaN;
  assertThrows(
    () => dequantize(q),
    RangeError,
    'part "absmax": it has NaN at index 777',
  );
  q.parts.absmax.data[777] = 1;
  dequantize(q);
});

Deno.test("nf4: into takes a quant_state of the length that is written, reading takes any", () => {
  const values = adversarial(100).gauss, options = { format: "nf4" } as const;
  const q = quantize(values, options), { quant_state, ...rest } = q.parts;
  const longer = text(JSON.stringify(stateOf(quant_state), null, 8));
  const into = {
    ...q,
    parts: { ...rest, quant_state: longer as Part<"U8"> },
  };
  assertSameBytes(dequantize(into), dequantize(q));
  assertThrows(
    () => quantize(values, { ...options, into }),
    RangeError,
    'Cannot use part "quant_state"',
  );
  assertEquals(quantize(values, { ...options, into: q }).parts, q.parts);
});

Deno.test("nf4: a quant_state that contradicts shape or options is refused when dequantizing", () => {
  const tensor = (state: unknown, options = {}) => ({
    format: "nf4",
    shape: [40, 128],
    options,
    parts: { ...good.plain, quant_state: text(JSON.stringify(state)) },
  });
  dequantize(tensor(STATE));
  dequantize(tensor({ ...STATE, dtype: "bfloat16" }), {});
  const refused = (state: object, message: string) =>
    assertThrows(
      () => dequantize(tensor(state)),
      RangeError,
      `Cannot use part "quant_state": ${message}`,
    );
  refused(
    { ...STATE, shape: [128, 40] },
    "its shape is [128,40], not [40,128]",
  );
  refused({ ...STATE, blocksize: 128 }, "its blocksize is 128, not 64");
  refused({ ...STATE, ...NESTED }, "it says that scales are nested");
  const nested = { ...tensor(STATE, { nested: true }) };
  assertThrows(
    () =>
      dequantize({
        ...nested,
        parts: { ...good.nested, quant_state: nested.parts.quant_state },
      }),
    RangeError,
    'Cannot use part "quant_state": it has no nested_offset',
  );
  dequantize({ ...nested, parts: good.nested });
});

Deno.test("nf4: block sizes are powers of two from 32 to 4096", () => {
  for (const blockSize of [32, 64, 128, 256, 512, 1024, 2048, 4096]) {
    const { parts } = quantize(new Float32Array(4097), {
      format: "nf4",
      blockSize,
    });
    assertEquals(parts.absmax.data.length, Math.ceil(4097 / blockSize));
    assertEquals(recognize(parts as unknown as Parts)!.shape, [4097]);
  }
  for (const blockSize of [0, 16, 48, 65, 8192]) {
    assertThrows(
      () => quantize([1], { format: "nf4", blockSize }),
      RangeError,
      "it must be 32, 64, 128, 256, 512, 1024, 2048 or 4096",
    );
  }
});
