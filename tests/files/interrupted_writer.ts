/**
 * Writes half of a file and waits to be killed; a child process of interrupted_test.ts.
 *
 * @module
 */
import process from "node:process";
import { createFile } from "../../src/files/file_sink.ts";
import { abortAll } from "../../src/files/temporary.ts";

process.on("SIGTERM", () => {
  abortAll();
  process.exit(143);
});
const sink = await createFile(process.argv[2], { force: true });
await sink.write(0, new Uint8Array(1 << 16));
console.log("halfway");
setInterval(() => {}, 1000);
