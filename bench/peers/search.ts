/**
 * Other libraries that search, each in a process of its own, asked to take turns.
 *
 * @module
 */
import { join } from "node:path";
import type { Subject } from "../../src/cli/recall_measure.ts";
import {
  type Child,
  leftOut,
  python,
  startChild,
  startPython,
  succeeds,
} from "./child.ts";

/** What a library found, and how long it took. */
export interface PeerAnswer {
  readonly nanoseconds: number;
  /** Ids by query. */
  readonly ids: readonly (readonly number[])[];
}

/** A library with the vectors loaded. */
export interface SearchPeer {
  readonly name: string;
  /** Searches with the first `count` queries. */
  search(count: number, k: number): Promise<PeerAnswer>;
}

/** All libraries that are here, and how to let go of them. */
export interface SearchPeers {
  readonly peers: readonly SearchPeer[];
  close(): Promise<void>;
}

/** Starts what can be started; a note on stderr tells of the others. */
export async function openSearchPeers(subject: Subject): Promise<SearchPeers> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-search-" });
  const children: Child[] = [];
  const load = {
    command: "load",
    rows: join(folder, "rows.f32"),
    queries: join(folder, "queries.f32"),
    dimension: subject.dimension,
  };
  await Deno.writeFile(load.rows, bytesOf(subject.rows));
  await Deno.writeFile(load.queries, bytesOf(subject.queries));
  const here = import.meta.dirname!;
  if (await succeeds(python, ["-c", "import numpy"])) {
    children.push(startPython(join(here, "search.py")));
  } else leftOut("faiss and usearch", `${python} has no numpy`);
  await Deno.copyFile(join(here, "zvec.mjs"), join(folder, "zvec.mjs"));
  await Deno.writeTextFile(join(folder, "package.json"), "{}");
  const install = ["install", "--no-audit", "--no-fund", "@zvec/zvec@0.7.0"];
  if (await succeeds("npm", install, folder)) {
    children.push(startChild("node", ["zvec.mjs", folder], { cwd: folder }));
  } else leftOut("zvec", "npm cannot install it");
  const peers: SearchPeer[] = [];
  for (const child of children) {
    try {
      const { names } = await child.ask(load) as { names: string[] };
      for (const name of names) {
        const search = (count: number, k: number) =>
          child.ask({ command: "search", name, count, k });
        peers.push({ name, search } as SearchPeer);
      }
    } catch (error) {
      leftOut("a library", (error as Error).message);
    }
  }
  return {
    peers,
    async close() {
      await Promise.all(children.map((child) => child.close()));
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
