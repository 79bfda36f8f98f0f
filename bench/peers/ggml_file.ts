/**
 * Native ggml on the float32 of a whole file, tensor by tensor as llama.cpp
 * does it on one thread: read a stretch, quantize it to Q4_0, write it, sync at
 * the end. `deno run -A bench/peers/ggml_file.ts IN OUT START`, with
 * the offset of the first value; exits 3 where the library does not load.
 *
 * @module
 */
import { openGgml } from "../../tests/peers/ggml.ts";

/** Values of a stretch; 64 MiB, as large as a matrix of a model. */
const STRETCH = 16 * 1024 * 1024;
const COLUMNS = 4096;

const [from, to, start] = Deno.args;
const ggml = await openGgml();
if (ggml === undefined) Deno.exit(3);
using input = Deno.openSync(from);
input.seekSync(Number(start), Deno.SeekMode.Start);
using output = Deno.openSync(to, { write: true, create: true, truncate: true });
const values = new Float32Array(STRETCH), bytes = new Uint8Array(values.buffer);
const blocks = new Uint8Array(STRETCH / 32 * 18);
for (;;) {
  let filled = 0;
  while (filled < bytes.length) {
    const n = input.readSync(bytes.subarray(filled));
    if (n === null) break;
    filled += n;
  }
  if (filled === 0) break;
  const whole = values.subarray(0, filled / 4);
  let rest = blocks.subarray(0, ggml.quantize("q4_0", whole, COLUMNS, blocks));
  while (rest.length > 0) rest = rest.subarray(output.writeSync(rest));
}
output.syncSync();
ggml.close();
