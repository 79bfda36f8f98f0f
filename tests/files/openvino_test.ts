/** OpenVINO's IR: models that NNCF compressed, and what is no model. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { openTensorFile } from "../../src/files/open.ts";
import { isSorted, type SortedFile } from "../../src/files/parts.ts";
import { tagsOf } from "../../src/files/xml.ts";
import { run } from "../cli/support.ts";
import { assertGolden } from "./read_quantized.ts";
import { withFolder } from "./temporary_folder.ts";

const folder = new URL("../vectors/openvino/", import.meta.url).pathname;

async function withModel(
  path: string,
  work: (file: SortedFile) => unknown,
): Promise<void> {
  const file = await openTensorFile(path);
  try {
    assert(isSorted(file));
    await work(file);
  } finally {
    await file.source.close();
  }
}

for (
  const name of [
    "CB4_g32",
    "FP4_g32",
    "INT4_ASYM_g32",
    "INT4_ASYM_g64",
    "INT4_SYM_g-1",
    "INT4_SYM_g32",
    "MXFP4_g32",
    "NF4_g-1",
    "NF4_g32",
    "NVFP4_g16",
  ]
) {
  Deno.test(`openvino: the model ${name} is read as OpenVINO reads it`, async () => {
    await withModel(`${folder}${name}/model.xml`, async (file) => {
      const [one, ...more] = file.quantized;
      const weight = name === "CB4_g32"
        ? "weight_nncf_codebook_idxs"
        : "weight";
      assertEquals([one.name, more], [weight, []]);
      assertEquals(file.bound?.size, 0);
      await assertGolden(file, one, `openvino/${name}`);
    });
  });
}

/** A folder with a model whose graph is changed. */
async function withGraph(
  name: string,
  change: (graph: string) => string,
  work: (path: string) => Promise<void>,
): Promise<void> {
  const graph = await readFile(`${folder}${name}/model.xml`, "utf8");
  const changed = change(graph);
  assert(changed !== graph);
  await withFolder(async (path) => {
    await writeFile(path("model.xml"), changed);
    await copyFile(`${folder}${name}/model.bin`, path("model.bin"));
    await work(path("model.xml"));
  });
}

Deno.test("openvino: a codebook of its own is told of, and what belongs to it is left", async () => {
  const name = "CB4_g32";
  await withFolder(async (path) => {
    await copyFile(`${folder}${name}/model.xml`, path("model.xml"));
    const constants = await readFile(`${folder}${name}/model.bin`);
    constants[3]++;
    await writeFile(path("model.bin"), constants);
    await withModel(path("model.xml"), ({ quantized, bound }) => {
      assertEquals(quantized, []);
      assertEquals([...bound!.keys()].sort(), [
        "weight",
        "weight/scale",
        "weight_nncf_codebook_idxs",
      ]);
    });
    const { code, err } = await run("inspect", path("model.xml"));
    assertEquals(code, 0);
    const why = 'idxs", and 2 more: its codes are places in a codebook of its';
    assert(err.includes(why), err);
  });
});

Deno.test("openvino: until 2024.0 the first of two codes was the high one", async () => {
  for (const [version, order] of [["2023.3.0", "high"], ["2024.0.0", "low"]]) {
    await withGraph(
      "INT4_SYM_g32",
      (graph) => graph.replace("2026.4.1", version),
      (path) =>
        withModel(path, ({ quantized: [{ options }] }) => {
          assertEquals(options, {
            mode: "int4_sym",
            groupSize: 32,
            order: `${order}-first`,
          });
        }),
    );
  }
});

/** A model of constants and edges; the constants lie one after another. */
function graphOf(
  constants: readonly [
    name: string,
    type: string,
    shape: string,
    size: number,
  ][],
  layers: readonly string[],
  edges: readonly [from: number, to: number, port: number][],
): string {
  let offset = 0;
  const all = [
    ...constants.map(([name, type, shape, size]) => {
      const data =
        `<data element_type="${type}" shape="${shape}" offset="${offset}" size="${size}"/>`;
      offset += size;
      return ["Const", name, data];
    }),
    ...layers.map((type, i) => [type, `layer${i}`, ""]),
  ];
  const text = all.map(([type, name, data], id) =>
    `<layer id='${id}' name="${name}" type="${type}">${data}</layer>`
  );
  const links = edges.map(([from, to, port]) =>
    `<edge from-layer="${from}" from-port="9" to-layer="${to}" to-port="${port}"/>`
  );
  return `<?xml version="1.0"?><!-- a > b --><net version="11"><layers>${
    text.join("\n")
  }</layers><edges>${links.join("")}</edges></net>`;
}

const BODY = `<layer id="7" name="if" type="If"><then_body><layers>
  <layer id="0" name="c" type="Const"><data element_type="u4" shape="2" offset="0" size="1"/></layer>
</layers></then_body><else_body><layers>
  <layer id="0" name="c" type="Const"><data element_type="f32" shape="" offset="0" size="4"/></layer>
</layers></else_body></layer></layers>`;

const codes = ["w", "i4", "2,4", 4] as const,
  scale = ["s", "f16", "2,1", 4] as const;
/** Codes, scale, Convert, Multiply. */
const SYM = graphOf([[...codes], [...scale]], ["Convert", "Multiply"], [
  [0, 2, 0],
  [2, 3, 0],
  [1, 3, 1],
]);

async function withText(
  text: string,
  work: (path: string) => Promise<unknown>,
  bytes = new Uint8Array(64),
): Promise<void> {
  await withFolder(async (path) => {
    await writeFile(path("m.xml"), text);
    await writeFile(path("m.bin"), bytes);
    await work(path("m.xml"));
  });
}

const UNREAD: readonly [why: string, text: string][] = [
  [
    "no mode has codes, zero points, scales and second-order scale of the types I4, none, F32, none",
    graphOf([[...codes], ["s", "f32", "2,1", 8]], ["Convert", "Multiply"], [
      [0, 2, 0],
      [2, 3, 0],
      [1, 3, 1],
    ]),
  ],
  [
    "its numbers are [1], not [2,1]",
    graphOf([[...codes], ["s", "f16", "1", 2]], ["Convert", "Multiply"], [
      [0, 2, 0],
      [2, 3, 0],
      [1, 3, 1],
    ]),
  ],
  ["it is [2,2,2], no matrix", SYM.replace('"2,4"', '"2,2,2"')],
  ["no Multiply decompresses it", SYM.replace('"Multiply"', '"Add"')],
  [
    "its Multiply reads no constant",
    SYM.replace('from-layer="1"', 'from-layer="3"'),
  ],
];

for (const [why, text] of UNREAD) {
  Deno.test(`openvino: a weight is left as it is: ${why}`, async () => {
    await withText(text, (path) =>
      withModel(path, ({ quantized, bound }) => {
        assertEquals([quantized.length, bound!.get("w")], [0, bound!.get("w")]);
        assert(bound!.get("w")!.includes(why), bound!.get("w"));
      }));
    // The twin of all of them.
    await withText(SYM, (path) =>
      withModel(path, ({ quantized, bound }) => {
        assertEquals([quantized[0].name, bound!.size], ["w", 0]);
      }));
  });
}

Deno.test("openvino: constants in bodies of layers are named, and zero points are no weights", async () => {
  await withText(
    SYM.replace("</layers>", BODY),
    (path) =>
      withModel(path, ({ tensors, quantized, bound }) => {
        assertEquals(tensors.map(({ name }) => name), [
          "w",
          "s",
          "if/then_body/c",
          "if/else_body/c",
        ]);
        assertEquals([...bound!.keys()], ["if/then_body/c", "if/else_body/c"]);
        assertEquals(quantized.length, 1);
      }),
  );
});

const REFUSED: readonly [why: string, text: string][] = [
  ["it has no net", "just text"],
  ['its root is "model", no net', SYM.replaceAll("net", "model")],
  ['IR of version "7"', SYM.replace('net version="11"', 'net version="7"')],
  ["it is no XML", SYM.replace("<layers>", "<!DOCTYPE x><layers>")],
  ["it ends within", SYM.replace("</net>", "")],
  ['"layers" ends, but "layer" is open', SYM.replace("</layer>", "")],
  ["nothing ends", SYM.replace("-->", "")],
  ["it is no XML", SYM.replace("element_type=", "element_type")],
  ['has "shape" twice', SYM.replace("shape=", 'shape="1" shape=')],
  ['unknown entity "&nbsp;"', SYM.replace('name="w"', 'name="&nbsp;"')],
  ["two layers have the number", SYM.replace("id='1'", "id='0'")],
  ["layer 0 has no type", SYM.replace('type="Const"', "")],
  ['constant "w" is there twice', SYM.replace('name="s"', 'name="w"')],
  ["a constant has no name", SYM.replace('name="w"', 'name=""')],
  [
    'dimension 1 of constant "w" is "-4", no number',
    SYM.replace("2,4", "2,-4"),
  ],
  ['the offset of constant "w" is not there', SYM.replace('offset="0"', "")],
  ['the size of constant "w" is "1e3"', SYM.replace('size="4"', 'size="1e3"')],
  [
    'constant "w" takes 4 bytes, but has 5',
    SYM.replace('size="4"', 'size="5"'),
  ],
  [
    'constant "w" has 4 bytes from 61 on, beyond the 64',
    SYM.replace('offset="0"', 'offset="61"'),
  ],
  ['unknown type "i9"', SYM.replace('"i4"', '"i9"')],
  [
    "dimensions multiply to more than",
    SYM.replace("2,4", "999999999999999,999999999999999"),
  ],
  [
    "an edge leads from or to no layer",
    SYM.replace('to-layer="3"', 'to-layer="4"'),
  ],
  ["two edges lead to port", SYM.replace('to-port="1"', 'to-port="0"')],
  ["nested deeper than 64", `<net version="11">${"<a>".repeat(64)}`],
];

for (const [why, text] of REFUSED) {
  Deno.test(`openvino: a model is refused by name: ${why}`, async () => {
    await withText(text, async (path) => {
      const error = await assertRejects(() => openTensorFile(path), Error, why);
      assert(error instanceof SyntaxError || error instanceof RangeError);
      assert(error.message.includes(" as OpenVINO's IR: "), error.message);
    });
    // The twin of all of them.
    await withText(
      SYM,
      (path) =>
        withModel(path, ({ quantized }) => assertEquals(quantized.length, 1)),
    );
  });
}

Deno.test("openvino: constants are not taken for float32, and are missed where they are not there", async () => {
  await withText(SYM, async (path) => {
    const beside = path.replace(".xml", ".bin");
    const why = "it holds the constants of an OpenVINO model; open m.xml";
    await assertRejects(() => openTensorFile(beside), SyntaxError, why);
    await Deno.remove(path);
    const file = await openTensorFile(beside);
    assertEquals(file.tensors[0].shape, [16]);
    await file.source.close();
    await writeFile(path, SYM);
    await Deno.remove(beside);
    await assertRejects(
      () => openTensorFile(path),
      Error,
      "m.bin: no such file",
    );
  });
});

Deno.test("XML: texts are those that their entities stand for", () => {
  const all = [...tagsOf(`<a b="&lt;&amp;&#65;&#x1F600;&quot;" c='"'/>`)];
  assertEquals(all.map(({ opens }) => opens), [true, false]);
  assertEquals([...all[0].attributes], [["b", '<&A\u{1F600}"'], ["c", '"']]);
  for (const entity of ["&#x110000;", "&#xFFFFFF;", "&amp", "&;"]) {
    assertThrows(
      () => [...tagsOf(`<a b="${entity}"/>`)],
      SyntaxError,
      "unknown entity",
    );
  }
});
