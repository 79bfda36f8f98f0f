/**
 * Standard input and output as a source and a sink, by way of a temporary
 * file: containers are read and written at any offset, pipes only in order.
 *
 * @module
 */
import process from "node:process";
import type { ByteSink, ByteSource } from "./bytes.ts";
import { fileError } from "./errors.ts";
import { PagedWriter, writeFully } from "./paged_writer.ts";
import { FileSource } from "./file_source.ts";
import { chunks } from "../stream/pipeline.ts";
import { START_BYTES } from "./magic.ts";
import {
  createSpool,
  removeTemporary,
  type TemporaryFile,
} from "./temporary.ts";

/** What to call standard input in messages. */
export const STDIN = "standard input";
const STDOUT = "standard output";
const COPY_BYTES = 1 << 20;

/** What stdin is here: chunks, and whether a person types them. */
type Input = AsyncIterable<Uint8Array> & { isTTY?: boolean };

/**
 * Reads a stream to its end and makes it a source, if its first bytes are right.
 *
 * @param check Throws at first bytes that are refused, before anything is stored: a stream may be endless.
 * @param input Where the bytes come from; standard input unless a test says otherwise.
 * @returns The source; closing it removes the temporary file.
 * @throws {Error} If the input is a terminal or the disk is full.
 */
export async function spoolInput(
  check: (start: Uint8Array) => void,
  input: Input = process.stdin,
): Promise<ByteSource> {
  if (input.isTTY) {
    throw new Error(`Cannot read ${STDIN}: it is a terminal; pipe a file in`);
  }
  const bytes = input[Symbol.asyncIterator]();
  let spool: TemporaryFile | undefined;
  try {
    const start = await startOf(bytes);
    check(start);
    spool = await createSpool(STDIN);
    const size = await store(spool.handle, start, bytes);
    return spoolSource(spool, size);
  } catch (error) {
    await bytes.return?.();
    await spool?.handle.close().catch(() => {});
    if (spool) await removeTemporary(spool.path);
    throw error;
  }
}

/** The first pieces of a stream: as many bytes as it takes to know what it is. */
async function startOf(bytes: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start = new Uint8Array(0);
  while (start.length < START_BYTES) {
    const { done, value } = await readPiece(bytes);
    if (done) break;
    const longer = new Uint8Array(start.length + value.length);
    longer.set(start);
    longer.set(value, start.length);
    start = longer;
  }
  return start;
}

async function readPiece(
  bytes: AsyncIterator<Uint8Array>,
): Promise<IteratorResult<Uint8Array>> {
  try {
    return await bytes.next();
  } catch (error) {
    throw fileError(`Cannot read ${STDIN}`, error);
  }
}

/** Writes a stream to a file. Returns how many bytes it had. */
async function store(
  handle: TemporaryFile["handle"],
  start: Uint8Array,
  bytes: AsyncIterator<Uint8Array>,
): Promise<number> {
  let size = 0;
  for (
    let piece: IteratorResult<Uint8Array> = { value: start };
    !piece.done;
    piece = await readPiece(bytes)
  ) {
    try {
      await writeFully(handle, size, piece.value);
    } catch (error) {
      throw fileError(`Cannot write the temporary file for ${STDIN}`, error);
    }
    size += piece.value.length;
  }
  return size;
}

function spoolSource(spool: TemporaryFile, size: number): ByteSource {
  const source = new FileSource(STDIN, size, spool.handle);
  return {
    name: source.name,
    size,
    read: (offset, into) => source.read(offset, into),
    async close() {
      await source.close();
      await removeTemporary(spool.path);
    },
  };
}

/** What stdout is here. */
interface Output {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Opens a sink that sends everything to a stream when it commits.
 *
 * @param output Where the bytes go; standard output unless a test says otherwise.
 * @returns The sink.
 */
export async function spoolOutput(
  output: Output = process.stdout,
): Promise<ByteSink> {
  const spool = await createSpool(STDOUT);
  const writer = new PagedWriter(spool.handle);
  let size = 0;
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await spool.handle.close().catch(() => {});
    await removeTemporary(spool.path);
  };
  return {
    name: STDOUT,
    async write(offset, bytes) {
      size = Math.max(size, offset + bytes.length);
      try {
        await writer.write(offset, bytes);
      } catch (error) {
        throw spoolError(error);
      }
    },
    async commit() {
      try {
        await flush(writer);
        const source = new FileSource(STDOUT, size, spool.handle);
        const buffers = [new Uint8Array(COPY_BYTES)];
        for await (const { bytes } of chunks(source, 0, size, buffers)) {
          await send(output, bytes);
        }
      } finally {
        await close();
      }
    },
    abort: close,
  };
}

async function flush(writer: PagedWriter): Promise<void> {
  try {
    await writer.flush();
  } catch (error) {
    throw spoolError(error);
  }
}

function spoolError(error: unknown): Error {
  return fileError(`Cannot write the temporary file for ${STDOUT}`, error);
}

/** Writes to a stream and waits until it has taken the bytes. */
function send(output: Output, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      if (error) return reject(fileError(`Cannot write ${STDOUT}`, error));
      output.off("error", settle);
      resolve();
    };
    // A stream that breaks tells its listeners too, some time after the
    // callback, and without one the process dies: after a failure it stays.
    output.on("error", settle);
    try {
      output.write(bytes, settle);
    } catch (error) {
      reject(fileError(`Cannot write ${STDOUT}`, error)); // Deno, a full disk
    }
  });
}
