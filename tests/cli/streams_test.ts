// Printing to streams that are full, broken or slow.

import { assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import { PrintStream } from "../../src/cli/streams.ts";

type Done = (error?: Error | null) => void;

/** A stream that breaks at its first write in one of the ways that runtimes have, or never. */
class Stream extends EventEmitter {
  written = "";
  readonly code: string | undefined;
  readonly how: "throws" | "calls" | "emits";
  constructor(code?: string, how: "throws" | "calls" | "emits" = "calls") {
    super();
    this.code = code;
    this.how = how;
  }
  write(text: string, done: Done): void {
    if (this.code === undefined) {
      this.written += text;
      queueMicrotask(() => done());
      return;
    }
    const error = Object.assign(new Error(this.code), { code: this.code });
    if (this.how === "throws") throw error;
    queueMicrotask(() => {
      if (this.how === "emits") this.emit("error", error);
      done(error);
    });
  }
}

for (const how of ["throws", "calls", "emits"] as const) {
  Deno.test(`PrintStream: a full disk is told once, when the stream ${how}`, async () => {
    const out = new PrintStream(new Stream("ENOSPC", how), "standard output");
    out.print("a");
    out.print("b");
    await assertRejects(
      () => out.flushed(),
      Error,
      "Cannot write standard output: no space left on the device",
    );
    await out.flushed();
  });

  Deno.test(`PrintStream: a reader that has seen enough is no error, when the stream ${how}`, async () => {
    const out = new PrintStream(new Stream("EPIPE", how), "standard output");
    out.print("a");
    await out.flushed();
    out.print("b");
    await out.flushed();
  });
}

Deno.test("PrintStream: what is printed arrives in order", async () => {
  const stream = new Stream();
  const out = new PrintStream(stream, "standard output");
  out.print("a");
  out.print("b");
  await out.flushed();
  assertEquals(stream.written, "ab");
});
