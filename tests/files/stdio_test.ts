import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import { spoolInput, spoolOutput } from "../../src/files/stdio.ts";

async function* pieces(...all: number[][]) {
  for (const piece of all) yield Uint8Array.from(piece);
}

const anything = () => {};

Deno.test("spoolInput: first bytes that are refused end an endless stream", async () => {
  let taken = 0, ended = false;
  const endless = async function* () {
    try {
      for (;; taken++) yield new Uint8Array(100);
    } finally {
      ended = true;
    }
  };
  const seen: number[] = [];
  const check = (start: Uint8Array) => {
    seen.push(start.length);
    throw new SyntaxError("no such magic");
  };
  await assertRejects(
    () => spoolInput(check, endless()),
    SyntaxError,
    "no such magic",
  );
  assertEquals([seen.length, ended], [1, true]);
  assert(taken < 10, `${taken} pieces were read`);
});

Deno.test("spoolInput: a short stream is checked and taken whole, in small pieces too", async () => {
  const seen: number[][] = [];
  const check = (start: Uint8Array) => void seen.push([...start]);
  const source = await spoolInput(check, pieces([1], [2], [3]));
  assertEquals([seen, source.size], [[[1, 2, 3]], 3]);
  await source.close();
});

Deno.test("spoolInput: a stream becomes a source of ranges", async () => {
  const source = await spoolInput(anything, pieces([1, 2, 3], [], [4, 5]));
  assertEquals(source.size, 5);
  const into = new Uint8Array(3);
  await source.read(2, into);
  assertEquals([...into], [3, 4, 5]);
  const reading = () => source.read(3, into);
  await assertRejects(
    reading,
    RangeError,
    "Cannot read standard input at byte 3: expected 3 bytes, got 2",
  );
  await source.close();
});

Deno.test("spoolInput: a terminal is refused, a broken stream told", async () => {
  const terminal = Object.assign(pieces([1]), { isTTY: true });
  await assertRejects(
    () => spoolInput(anything, terminal),
    Error,
    "it is a terminal",
  );
  // deno-lint-ignore require-yield -- it breaks before the first piece
  const broken = (async function* (): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    throw new Error("the cable was cut");
  })();
  await assertRejects(
    () => spoolInput(anything, broken),
    Error,
    "Cannot read standard input",
  );
});

/** A pipe that breaks: by an exception, or as streams do, callback first and then the event. */
class Pipe extends EventEmitter {
  readonly received: number[] = [];
  readonly room: number;
  readonly throws: boolean;
  constructor(room = Infinity, throws = false) {
    super();
    this.room = room;
    this.throws = throws;
  }
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean {
    if (this.received.length + bytes.length > this.room) {
      const error = Object.assign(new Error("EPIPE: broken"), {
        code: "EPIPE",
      });
      if (this.throws) throw error;
      queueMicrotask(() => done(error));
      setTimeout(() => this.emit("error", error));
    } else {
      this.received.push(...bytes);
      queueMicrotask(() => done());
    }
    return true;
  }
}

Deno.test("spoolOutput: sends nothing before commit, everything in order then", async () => {
  const pipe = new Pipe();
  const sink = await spoolOutput(pipe);
  await sink.write(3, Uint8Array.of(4, 5));
  await sink.write(0, Uint8Array.of(1, 2, 3));
  assertEquals(pipe.received, []);
  await sink.commit();
  assertEquals(pipe.received, [1, 2, 3, 4, 5]);
  assertEquals(pipe.listenerCount("error"), 0);
  await sink.abort();
});

Deno.test("spoolOutput: abort sends nothing", async () => {
  const pipe = new Pipe();
  const sink = await spoolOutput(pipe);
  await sink.write(0, Uint8Array.of(1));
  await sink.abort();
  assertEquals(pipe.received, []);
});

for (const throws of [false, true]) {
  const how = throws ? "an exception" : "an event";
  Deno.test(`spoolOutput: a reader that closes the pipe is told by ${how}`, async () => {
    const pipe = new Pipe(2, throws);
    const sink = await spoolOutput(pipe);
    await sink.write(0, Uint8Array.of(1, 2, 3));
    const expected = "Cannot write standard output: the reader closed the pipe";
    await assertRejects(() => sink.commit(), Error, expected);
    // An error event without a listener would end the process here.
    await new Promise((resolve) => setTimeout(resolve, 1));
  });
}
