// zvec's INT4 FLAT in Node: the same requests and answers as search.py.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
// Installed beside a copy of this file by search.ts; nothing of this project depends on it.
const { default: zvec } = await import(["@zvec", "zvec"].join("/"));

const [folder] = process.argv.slice(2);
let collection, queries = [];

function vectors(path, dimension) {
  const bytes = readFileSync(path);
  const floats = new Float32Array(
    bytes.buffer,
    bytes.byteOffset,
    bytes.length / 4,
  );
  return Array.from(
    { length: floats.length / dimension },
    (_, i) => Array.from(floats.subarray(i * dimension, (i + 1) * dimension)),
  );
}

function load({ rows, queries: path, dimension }) {
  const schema = new zvec.ZVecCollectionSchema({
    name: "vectors",
    vectors: {
      name: "v",
      dataType: zvec.ZVecDataType.VECTOR_FP32,
      dimension,
      indexParams: {
        indexType: zvec.ZVecIndexType.FLAT,
        metricType: zvec.ZVecMetricType.COSINE,
        quantizeType: zvec.ZVecQuantizeType.INT4,
      },
    },
  });
  collection = zvec.ZVecCreateAndOpen(join(folder, "collection"), schema);
  const docs = vectors(rows, dimension).map((v, id) => ({
    id: String(id),
    vectors: { v },
  }));
  for (let i = 0; i < docs.length; i += 1000) {
    collection.insertSync(docs.slice(i, i + 1000));
  }
  collection.optimizeSync();
  queries = vectors(path, dimension);
  return { names: ["@zvec/zvec INT4 FLAT, 4 bits"] };
}

function search({ count, k }) {
  const start = process.hrtime.bigint();
  const ids = queries.slice(0, count).map((vector) =>
    collection.querySync({ fieldName: "v", vector, topk: k }).map(({ id }) =>
      Number(id)
    )
  );
  return { nanoseconds: Number(process.hrtime.bigint() - start), ids };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(
    JSON.stringify(
      request.command === "load" ? load(request) : search(request),
    ),
  );
}
