/**
 * What runs in each worker of {@linkcode startWorkers}: it scans its share of the
 * rows, which all threads have in common.
 *
 * A bundler that does not find this file by itself can be told of it: pass
 * `startWorkers` a function that makes a worker of it.
 *
 * @module
 */
import { Ids } from "./ids.ts";
import type { ScanAnswer, ScanRequest } from "./messages.ts";
import { findBest } from "./scan.ts";
import { type SharedRows, WasmEngine } from "./wasm_engine.ts";

/** A thread's end of the line, however the runtime calls it. */
interface Line {
  post(message: unknown): void;
  listen(take: (message: unknown) => void): void;
}

function answer(
  engine: WasmEngine,
  { call, query, k, range, size, next, ids }: ScanRequest,
  chunkRows: number,
): ScanAnswer {
  try {
    const all = Ids.of(ids, size, next);
    const [best] = findBest(engine, all, chunkRows, [query], { k }, range);
    const found = best.take();
    return { call, ids: found.ids, keys: found.scores };
  } catch (error) {
    return { call, error: String(error) };
  }
}

function serve({ post, listen }: Line): void {
  let engine: WasmEngine | undefined, chunkRows = 0;
  listen((message) => {
    if (engine) return post(answer(engine, message as ScanRequest, chunkRows));
    try {
      const shared = message as SharedRows;
      ({ chunkRows } = shared.shape);
      engine = new WasmEngine(shared.shape, 0, shared);
      post({ call: -1 });
    } catch (error) {
      post({ call: -1, error: String(error) });
    }
  });
}

/** What a worker of the web has. */
interface Scope {
  WorkerGlobalScope?: unknown;
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
}

const scope = globalThis as unknown as Scope;
if (scope.WorkerGlobalScope !== undefined) {
  serve({
    post: (message) => scope.postMessage(message),
    listen: (take) => scope.onmessage = ({ data }) => take(data),
  });
} else {
  // Node has no workers of the web. A name that bundlers for browsers do not follow:
  const threads = "node:worker_threads";
  const { parentPort } = await import(threads);
  if (parentPort) {
    serve({
      post: (message) => parentPort.postMessage(message),
      listen: (take) => parentPort.on("message", take),
    });
  }
}
