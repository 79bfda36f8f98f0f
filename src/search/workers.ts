/**
 * Searches by several threads at once.
 *
 * @module
 */
import type { FloatValues } from "../numeric/floats.ts";
import { Best, type Neighbours } from "./best.ts";
import {
  type FetchingSearchOptions,
  type SearchOptions,
  wantedOf,
} from "./call.ts";
import { type PackedMatrix, packedQuery, stateOf } from "./matrix.ts";
import { shown } from "./options.ts";
import { lookAgain, signed } from "./rescore.ts";
import type { ScanAnswer, ScanRequest } from "./messages.ts";
import { type SharedRows, WasmEngine } from "./wasm_engine.ts";

/** What a search by workers looks for: all but a filter, which is a function, and those stay in their thread. */
export type WorkerSearchOptions =
  | Omit<SearchOptions, "filter">
  | Omit<FetchingSearchOptions, "filter">;

/** What is used of a worker; those of the web and of Node have it, by different names. */
interface Thread {
  post(message: unknown): void;
  end(): void;
}

/** Workers of a matrix. */
export interface SearchWorkers {
  /** How many there are. */
  readonly count: number;
  /**
   * Does what {@linkcode PackedMatrix.search} does, with the same answer to the
   * bit. Rows must not be added or removed while it is on its way.
   */
  search(
    query: FloatValues,
    options?: WorkerSearchOptions,
  ): Promise<Neighbours>;
  /** Ends them. */
  close(): void;
}

/** A worker of the web, as far as it is used. */
export interface WebWorker {
  /** Sends a message. */
  postMessage(message: unknown): void;
  /** Ends it. */
  terminate(): void;
  /** Takes messages. */
  onmessage: ((event: { data: unknown }) => void) | null;
  /** Takes errors. */
  onerror: ((event: { message?: string }) => void) | null;
}

/**
 * Starts the workers that a matrix has room for.
 *
 * @param matrix A matrix that was made or opened with `workers`.
 * @param make Makes a worker of this package's `./search/worker`, for bundlers
 * that do not find it by themselves.
 * @returns The workers; close them when they are done with.
 * @throws {RangeError} If the matrix was made without `workers`.
 * @throws {Error} If the runtime does not let threads share memory.
 *
 * @example
 * ```ts
 * import { backend } from "@nibblewise/nibblewise";
 * import { PackedMatrix, startWorkers } from "@nibblewise/nibblewise/search";
 *
 * const rows = Float32Array.from({ length: 5000 * 64 }, (_, i) => Math.sin(i * i));
 * if (backend() === "wasm") { // what threads share is WebAssembly memory
 *   const matrix = new PackedMatrix({ dimension: 64, workers: 2 });
 *   matrix.add(rows);
 *   const workers = await startWorkers(matrix);
 *   const { ids } = await workers.search(rows.subarray(0, 64), { k: 3 });
 *   workers.close();
 *   console.log(ids[0]); // 0
 * }
 * ```
 */
export async function startWorkers(
  matrix: PackedMatrix,
  make?: () => WebWorker,
): Promise<SearchWorkers> {
  const { engine } = stateOf(matrix);
  const shares = engine instanceof WasmEngine ? engine.share() : [];
  if (shares.length === 0) {
    throw new RangeError(
      "Cannot start workers: the matrix was made without the option workers",
    );
  }
  const team = new Team(matrix);
  try {
    await Promise.all(shares.map((share) => team.start(share, make)));
  } catch (error) {
    team.close();
    throw error;
  }
  return team;
}

type Taker = { take(answer: ScanAnswer): void; fail(error: Error): void };

class Team implements SearchWorkers {
  readonly #matrix: PackedMatrix;
  readonly #threads: Thread[] = [];
  /** Who waits, by call and thread. */
  readonly #waiting = new Map<string, Taker>();
  #call = 0;
  #closed = false;

  constructor(matrix: PackedMatrix) {
    this.#matrix = matrix;
  }

  get count(): number {
    return this.#threads.length;
  }

  async start(share: SharedRows, make?: () => WebWorker): Promise<void> {
    const index = this.#threads.length;
    // Takes its place before anything is awaited, so that indices are its own.
    const ready = this.#wait(-1, index);
    const place: { thread?: Thread } = {};
    this.#threads.push({
      post: (message) => place.thread?.post(message),
      end: () => place.thread?.end(),
    });
    const hear = (answer: ScanAnswer) => this.#hear(answer, index);
    const lose = (message: string) => this.#lose(message, index);
    const thread = place.thread =
      await (make || "Worker" in globalThis
        ? webThread(make ?? makeWorker, hear, lose)
        : nodeThread(hear, lose));
    if (this.#closed) return thread.end();
    thread.post(share);
    await ready;
  }

  #wait(call: number, thread: number): Promise<ScanAnswer> {
    return new Promise((take, fail) => {
      this.#waiting.set(`${call} ${thread}`, { take, fail });
    });
  }

  #hear(answer: ScanAnswer, thread: number): void {
    const key = `${answer.call} ${thread}`, taker = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (answer.error === undefined) taker?.take(answer);
    else taker?.fail(workerError(answer.error));
  }

  /** A thread that died fails all who wait for it. */
  #lose(message: string, thread: number): void {
    for (const [key, { fail }] of this.#waiting) {
      if (!key.endsWith(` ${thread}`)) continue;
      this.#waiting.delete(key);
      fail(workerError(message));
    }
  }

  async search(
    query: FloatValues,
    options: WorkerSearchOptions = {},
  ): Promise<Neighbours> {
    if (this.#closed) throw new Error("Cannot search: the workers were closed");
    if ("filter" in options && options.filter !== undefined) {
      throw new TypeError(
        "Cannot search by workers with a filter: functions stay in their thread; use the matrix' own search",
      );
    }
    const { ids, shape } = stateOf(this.#matrix);
    const { packed, values } = packedQuery(this.#matrix, query, options);
    const { k, wanted, rescore } = wantedOf(options, ids.size);
    const chunks = Math.ceil(ids.size / shape.chunkRows), call = this.#call++;
    const common = {
      call,
      query: packed,
      k: wanted.k,
      size: ids.size,
      next: ids.next,
      ids: ids.plain ? undefined : ids.list(),
    };
    const answers = this.#threads.map((thread, i) => {
      const waiting = this.#wait(call, i);
      const request: ScanRequest = {
        ...common,
        range: {
          from: Math.floor(chunks * i / this.count),
          to: Math.floor(chunks * (i + 1) / this.count),
        },
      };
      thread.post(request);
      return waiting;
    });
    const found = signed(
      merge(await Promise.all(answers), wanted.k),
      packed.metric,
    );
    return rescore
      ? await lookAgain(found, values, packed.metric, k, rescore)
      : found;
  }

  close(): void {
    this.#closed = true;
    for (const thread of this.#threads) thread.end();
    for (const { fail } of this.#waiting.values()) {
      fail(new Error("Cannot search: the workers were closed"));
    }
    this.#waiting.clear();
  }
}

/** The best of what all threads found. */
function merge(answers: readonly ScanAnswer[], k: number): Neighbours {
  const best = new Best(k);
  for (const { ids, keys } of answers) {
    ids!.forEach((id, i) => {
      if (best.takes(keys![i], id)) best.add(keys![i], id);
    });
  }
  return best.take();
}

function workerError(reason: string): Error {
  return new Error(`Cannot search by workers: ${shown(reason)}`);
}

type Hear = (answer: ScanAnswer) => void;
type Lose = (message: string) => void;

/** The worker's file beside this one: TypeScript in a checkout, JavaScript when packed. */
function workerUrl(): URL {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./worker.${ending}`, import.meta.url);
}

function makeWorker(): WebWorker {
  const { Worker: Maker } = globalThis as unknown as {
    Worker: new (url: URL, options: { type: "module" }) => WebWorker;
  };
  return new Maker(workerUrl(), { type: "module" });
}

function webThread(make: () => WebWorker, hear: Hear, lose: Lose): Thread {
  const worker = make();
  worker.onmessage = ({ data }) => hear(data as ScanAnswer);
  worker.onerror = ({ message }) => lose(message ?? "a worker failed");
  return {
    post: (message) => worker.postMessage(message),
    end: () => worker.terminate(),
  };
}

/** Node's workers; imported by a name that bundlers for browsers do not follow. */
async function nodeThread(hear: Hear, lose: Lose): Promise<Thread> {
  const threads = "node:worker_threads";
  const { Worker: Maker } = await import(threads);
  const worker = new Maker(workerUrl());
  worker.on("message", hear);
  worker.on("error", (error: Error) => lose(error.message));
  return {
    post: (message) => worker.postMessage(message),
    end: () => void worker.terminate(),
  };
}
